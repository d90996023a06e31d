"""The YAML of both editions of the MLHandler guide, as printed."""

from pathlib import Path
from textwrap import indent

import pytest

from server.config import load_config
from server.errors import ConfigError

OLD_MODEL = """
url:
  mymodel:
    pattern: /$YAMLURL/model
    handler: MLHandler
    kwargs:
      model:
        path: $YAMLPATH/model.pkl
"""
OLD_TUTORIAL = """
mlhandler/tutorial:
  pattern: /$YAMLURL/ml
  handler: MLHandler
  kwargs:
    data: $YAMLPATH/titanic.csv  # Path to the training dataset
    model:
      # The classification or regression algorithm to use
      class: LogisticRegression

      # Location where the trained model will be saved
      path: $YAMLPATH/titanic.pkl

      # The target column
      target_col: Survived

      # Columns to ignore during training
      exclude: [PassengerId, Ticket, Cabin, Name]

      # Columns to be treated as categorical variables
      cats: [Embarked, SibSb, Parch, Pclass, Sex]
"""
OLD_TEMPLATE = """
mlhandler/tutorial:
  pattern: /$YAMLURL/ml
  handler: MLHandler
  template: $YAMLPATH/template.html
"""
NEW_TUTORIAL = """
url:
  mlhandler-tutorial:
    pattern: /$YAMLURL/ml
    handler: MLHandler
    kwargs:
      data:
        url: $YAMLPATH/titanic.csv # Path to the training dataset

      # Path where the serialized model, training data and configuration is
      # saved
      config_dir: $YAMLPATH

      model:
        # The classification or regression algorithm to use
        class: LogisticRegression

        # The column to predict
        target_col: Survived

        # Columns to ignore during training
        exclude: [PassengerId, Ticket, Cabin, Name]

        # Columns to be treated as categorical variables
        cats: [Embarked, SibSp, Parch, Pclass, Sex]
"""
NEW_MODEL = """
url:
  mymodel:
    pattern: /$YAMLURL/model
    handler: MLHandler
    kwargs:
      config_dir: $YAMLPATH
"""
NEW_TEMPLATE = """
mlhandler-tutorial:
  pattern: /$YAMLURL/ml
  handler: MLHandler
  template: $YAMLPATH/template.html
"""
TRANSFORM = """
mlhandler-transform:
  pattern: /$YAMLURL/transform
  handler: MLHandler
  kwargs:
    data:
      url: $YAMLPATH/train_data.csv
      # transform: is a dotted path to the function that transforms data. It runs:
      #     data = mymodule.transform_func(data) or data
      transform: mymodule.transform_func
"""
CIRCLES = """
mlhandler-basiccircles:
  pattern: /$YAMLURL/circlebasic
  handler: MLHandler
  kwargs:
    xsrf_cookies: false
    data:
      url: $YAMLPATH/circles.csv
      transform: mymodule.transform # The function used to transform the data
    model:
      class: LogisticRegression
      target_col: y
"""
FORECAST = """
mlhandler-forecast:
  pattern: /$YAMLURL/forecast
  handler: MLHandler
  kwargs:
    data:
      url: $YAMLPATH/inflation.csv # Inflation dataset
    model:
      index_col: index # Use index column as timestamps
      target_col: R
      class: SARIMAX
      params:
        order:
          [7, 1, 0] # Creates ARIMA estimator with (p,d,q)=(7,1,0)
          # Add other parameters similarly
"""
SENTIMENT = """
url:
  sentiment:
    pattern: /sentiment
    handler: MLHandler
    kwargs:
      model:
        class: SentimentAnalysis
      xsrf_cookies: false
"""
NER = """
url:
  ner:
    pattern: /ner
    handler: MLHandler
    kwargs:
      model:
        class: NER
      xsrf_cookies: false
"""
TRANSFORMERS = """
url:
  sentiment-analysis:
    pattern: /$YAMLURL/
    handler: MLHandler
    kwargs:
      backend: transformers
      task: sentiment-analysis
      xsrf_cookies: false
"""
WHOLE = [OLD_MODEL, NEW_TUTORIAL, NEW_MODEL, SENTIMENT, NER, TRANSFORMERS]
FRAGMENTS = [OLD_TUTORIAL, OLD_TEMPLATE, NEW_TEMPLATE, TRANSFORM, CIRCLES, FORECAST]
TITANIC_EXCLUDE = ("PassengerId", "Ticket", "Cabin", "Name")


@pytest.fixture
def load(tmp_path: Path):
    """The only endpoint of the YAML text; a fragment is put under url: first."""

    def loaded(text: str):
        text = text if text.startswith("\nurl:") else "url:" + indent(text, "  ")
        path = tmp_path / "config.yaml"
        path.write_text(text)
        config = load_config(path, {})
        assert not config.warnings
        [(name, entry)] = config.url.items()
        return name, entry

    return loaded


@pytest.mark.parametrize("text", WHOLE + FRAGMENTS)
def test_every_block_of_the_guides_loads_without_a_warning(load, text):
    name, entry = load(text)
    assert entry.handler == "MLHandler"
    assert name in text


@pytest.mark.parametrize("text", FRAGMENTS)
def test_a_fragment_without_url_is_told_where_it_belongs(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert "url:" in caught.value.problems[0].detail
    assert caught.value.problems[0].pointer in text


def test_the_old_tutorial_means_what_it_says(load, tmp_path):
    name, entry = load(OLD_TUTORIAL)
    model = entry.kwargs.model
    assert (name, entry.pattern) == ("mlhandler/tutorial", "/ml")
    assert entry.kwargs.data.url == str(tmp_path / "titanic.csv")
    assert model.path == str(tmp_path / "titanic.pkl")
    assert (model.class_, model.target_col, model.exclude) == ("LogisticRegression", "Survived", TITANIC_EXCLUDE)
    assert model.cats == ("Embarked", "SibSb", "Parch", "Pclass", "Sex")


def test_the_new_tutorial_means_what_it_says(load, tmp_path):
    _, entry = load(NEW_TUTORIAL)
    assert entry.kwargs.data.url == str(tmp_path / "titanic.csv")
    assert entry.kwargs.config_dir == str(tmp_path)
    assert entry.kwargs.model.cats == ("Embarked", "SibSp", "Parch", "Pclass", "Sex")


@pytest.mark.parametrize("text", [OLD_TEMPLATE, NEW_TEMPLATE])
def test_a_template_beside_the_handler_is_the_endpoints_template(load, tmp_path, text):
    assert load(text)[1].kwargs.template == str(tmp_path / "template.html")


def test_transform_is_kept_as_written(load):
    assert load(CIRCLES)[1].kwargs.data.transform == "mymodule.transform"
    assert load(CIRCLES)[1].kwargs.xsrf_cookies is False
    assert load(TRANSFORM)[1].kwargs.data.transform == "mymodule.transform_func"


def test_the_forecast_has_its_order_and_index(load):
    model = load(FORECAST)[1].kwargs.model
    assert (model.params, model.index_col, model.target_col) == ({"order": [7, 1, 0]}, "index", "R")


@pytest.mark.parametrize(
    ("text", "model_class"),
    [(SENTIMENT, "SentimentAnalysis"), (NER, "NER"), (TRANSFORMERS, "SentimentAnalysis"), (NEW_MODEL, None)],
)
def test_the_class_may_be_spelled_as_backend_and_task(load, text, model_class):
    assert load(text)[1].model_class == model_class


def test_all_kwargs_are_optional(load):
    _, entry = load("\nurl:\n  bare: {pattern: /bare, handler: MLHandler}\n")
    assert entry.kwargs.data is None
    assert entry.kwargs.model.dropna is True
