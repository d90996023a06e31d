"""`flask config check` says what the configuration alone cannot: functions, templates and files that are not there."""

import pytest

from server.app import create_app
from server.cli import add_commands
from server.errors import ConfigError
from tests.conftest import BriefRunner


@pytest.fixture
def check(make_config):
    """Exit status and all output of a check of this endpoint."""

    def check(kwargs, handler="MLHandler", **entry):
        values = {"url": {"e": {"pattern": "/e", "handler": handler, "kwargs": kwargs} | entry}}
        app = create_app(make_config(values), BriefRunner())
        add_commands(app)
        result = app.test_cli_runner().invoke(args=["config", "check"])
        return result.exit_code, result.output

    return check


def circles(transform):
    return {
        "data": {"url": "data/circles.csv", "transform": transform},
        "model": {"class": "LogisticRegression", "target_col": "y"},
    }


@pytest.mark.slow
def test_what_is_right_passes(check, tmp_path):
    (tmp_path / "mymodule.py").write_text("def transform(data):\n    return data\n")
    (tmp_path / "page.html").write_text("{{ handler.model }}")
    status, output = check(circles("mymodule.transform") | {"template": "page.html"})
    assert status == 0
    assert "transform: mymodule.transform" in output
    assert check({"data": "data/inflation.csv", "model": {"class": "SARIMAX"}})[0] == 0
    assert check({"data": "data/reviews.csv"}, "TextHandler")[0] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "page.html does not exist"),
        ("one\n{% end %}", "page.html, line 2: {% end %} is Tornado's; Jinja2 writes {% endif %}"),
        ("{% if x %}", "page.html, line 1: Unexpected end of template"),
    ],
)
@pytest.mark.parametrize("beside", [True, False])
def test_a_template_that_cannot_be_is_an_error(check, tmp_path, text, words, beside):
    if text is not None:
        (tmp_path / "page.html").write_text(text)
    status, output = check({}, template="page.html") if beside else check({"template": "page.html"})
    assert status == 1
    assert "error: url.e.kwargs.template: " in output
    assert words in output


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        ("mymodul.transform", "no module 'mymodul'"),
        ("mymodule.transfrom", "did you mean 'transform'"),
        ("mymodule", "names no function"),
        ("data.assign(", "neither a module.function nor an expression over data"),
    ],
)
def test_a_transform_that_cannot_be_found_stops_the_check(check, tmp_path, transform, words):
    (tmp_path / "mymodule.py").write_text("def transform(data):\n    return data\n")
    with pytest.raises(ConfigError) as caught:
        check(circles(transform))
    assert f"url.e.kwargs.data.transform: {caught.value.problems[0].detail}" in caught.value.detail
    assert words in caught.value.detail


@pytest.mark.parametrize("value", [5, ["data"], {"a": "b"}])
def test_a_transform_is_text(check, value):
    with pytest.raises(ConfigError, match=r"url\.e\.kwargs\.data\.transform: "):
        check(circles(value))


def test_pickles_that_are_not_there_are_errors(check, tmp_path):
    status, output = check({"model": {"path": "clf.pkl", "vectorizer": "vec.pkl"}}, "TextHandler")
    assert (status, "clf.pkl does not exist" in output) == (1, True)
    (tmp_path / "clf.pkl").write_bytes(b"no pickle")
    status, output = check({"model": {"path": "clf.pkl", "vectorizer": "vec.pkl"}}, "TextHandler")
    assert (status, "clf.pkl cannot be unpickled" in output) == (1, True)


def test_data_that_are_not_there_are_an_error(check):
    status, output = check({"data": "data/nowhere.csv", "model": {"class": "SARIMAX", "index_col": "index"}})
    assert (status, "nowhere.csv does not exist" in output) == (1, True)


DOCUMENTS = {"documents": "data", "model": {"class": "LogisticRegression", "params": {"C": 2}}}


def test_a_right_classifier_of_documents_passes(check):
    status, output = check(DOCUMENTS, "ClassifierHandler")
    assert (status, "min_size_label: 10" in output) == (0, True)
    assert check({"training": {"num_train_epochs": 2}}, "ClassifierHandler")[0] == 0


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"model": {"class": "LogisticRegresion"}}, "url.e.kwargs.model.class: "),
        ({"model": {"class": "KMeans"}}, "url.e.kwargs.model.class: "),
        ({"model": {"class": "SVC", "params": {"c": 1}}}, "url.e.kwargs.model.params.c: "),
        ({"model": {"class": "SVC", "params": {"C": -1}}}, "url.e.kwargs.model.params.C: "),
        ({"model": {"class": "SVC", "vectorizer_params": {"ngrams": 2}}}, "url.e.kwargs.model.vectorizer_params"),
        ({"model": {"class": "GridSearchCV", "params": {"estimator": "SVC"}}}, "url.e.kwargs.model.params"),
        ({"training": {"num_train_epoch": 2}}, "url.e.kwargs.training.num_train_epoch: "),
        ({"training": {"num_train_epochs": -2}}, "url.e.kwargs.training.num_train_epochs: "),
        ({"model": {"class": "SVC"}, "training": {"num_train_epochs": 2}}, "SVC is no transformer"),
        ({"size_train": 1}, "url.e.kwargs.size_train"),
        ({"min_size_label": 0}, "url.e.kwargs.min_size_label"),
        ({"validation": 2}, "url.e.kwargs.validation"),
        ({"document": "data"}, "url.e.kwargs.document: unknown key; did you mean 'documents'?"),
    ],
    ids=str,
)
def test_a_mistake_in_a_classifier_of_documents_stops_the_start_with_its_path(check, kwargs, words):
    with pytest.raises(ConfigError) as raised:
        check(kwargs, "ClassifierHandler")
    assert words in raised.value.detail
