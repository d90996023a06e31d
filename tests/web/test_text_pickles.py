"""TextHandler with the article's two pickles, and MLHandler with a pickled pipeline of texts."""

import joblib
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow

URL = "/sentiment"
ROWS = pd.DataFrame(
    {
        "text": ["a fine film", "fine acting , fine music", "a dull film", "dull , dull and boring"],
        "label": [1, 1, 0, 0],
    }
)
PAIR = {"path": "SentimentClassifier.pkl", "vectorizer": "TFIDFVectorizer.pkl"}
LABELS = {0: "Negative", 1: "Positive"}


def fitted(vectorizer=None, model=None, labels=ROWS["label"]):
    """A vectorizer and a classifier that belong together."""
    vectorizer, model = vectorizer or TfidfVectorizer(), model or MultinomialNB()
    return vectorizer, model.fit(vectorizer.fit_transform(ROWS["text"]), labels)


@pytest.fixture
def write(tmp_path):
    """Write the two pickles beside the configuration."""

    def write(vectorizer=None, model=None):
        for name, thing in (("TFIDFVectorizer.pkl", vectorizer), ("SentimentClassifier.pkl", model)):
            if thing is not None:
                joblib.dump(thing, tmp_path / name)

    return write


@pytest.fixture
def serve(make_client):
    """A client of a TextHandler with this model section, ready or not."""

    def serve(handler="TextHandler", **model):
        kwargs = {"model": model} | ({"labels": LABELS} if handler == "TextHandler" else {})
        return make_client({"sentiment": {"pattern": URL, "handler": handler, "kwargs": kwargs}}, wait=False)

    return serve


def confidence(vectorizer, model, text):
    return round(float(model.predict_proba(vectorizer.transform([text]))[0, -1]), 3)


@pytest.mark.parametrize(
    ("vectorizer", "model"),
    [
        (TfidfVectorizer(), MultinomialNB()),
        (CountVectorizer(ngram_range=(1, 2)), MultinomialNB()),
        (CountVectorizer(), LogisticRegression()),
        (HashingVectorizer(n_features=64), LogisticRegression()),
    ],
    ids=repr,
)
def test_the_articles_two_pickles(serve, write, vectorizer, model):
    vectorizer, model = fitted(vectorizer, model)
    write(vectorizer, model)
    client = serve(**PAIR)
    assert client.get("/readyz").status_code == 200
    assert client.get(f"{URL}?query=a+boring+film").json == {
        "prediction": "Negative",
        "confidence": confidence(vectorizer, model, "a boring film"),
    }


def test_files_that_are_replaced_serve_when_they_are_a_pair_again(serve, write):
    write(*fitted())
    client = serve(**PAIR)
    before = client.get(f"{URL}?query=fine").json
    vectorizer, model = fitted(CountVectorizer(ngram_range=(1, 2)))
    write(model=model)
    assert_problem(client.get(f"{URL}?query=fine"), 503, "they are no pair")
    write(vectorizer=vectorizer)
    after = client.get(f"{URL}?query=fine").json
    assert after == {"prediction": "Positive", "confidence": confidence(vectorizer, model, "fine")}
    assert after != before


def test_either_file_alone_may_be_replaced(serve, write):
    vectorizer, model = fitted()
    write(vectorizer, model)
    client = serve(**PAIR)
    _, other = fitted(model=LogisticRegression())
    write(model=other)
    assert client.get(f"{URL}?query=fine").json["confidence"] == confidence(vectorizer, other, "fine")
    counting, _ = fitted(CountVectorizer())
    write(vectorizer=counting)
    assert client.get(f"{URL}?query=fine+fine").json["confidence"] == confidence(counting, other, "fine fine")


@pytest.mark.parametrize(
    ("vectorizer", "model", "words"),
    [
        (None, fitted()[1], ["TFIDFVectorizer.pkl does not exist"]),
        (fitted()[0], None, ["SentimentClassifier.pkl does not exist"]),
        (TfidfVectorizer(ngram_range=(1, 2)).fit(ROWS["text"]), fitted()[1], ["they are no pair"]),
        (fitted()[1], fitted()[0], ["the vectorizer file holds a MultinomialNB"]),
        ({"a": 1}, fitted()[1], ["the vectorizer file holds a dict"]),
        (fitted()[0], {"a": 1}, ["the model file holds a dict"]),
        (TfidfVectorizer(), fitted()[1], ["TfidfVectorizer cannot vectorize a text", "not fitted"]),
        (HashingVectorizer(n_features=64), fitted()[1], ["MultinomialNB cannot answer for a text", "64 features"]),
    ],
)
def test_files_that_are_no_pair_are_not_ready_and_say_why(serve, write, vectorizer, model, words):
    write(vectorizer, model)
    client = serve(**PAIR)
    assert_problem(client.get(f"{URL}?query=fine"), 503, *words)
    assert client.get("/readyz").status_code == 503
    assert client.get(URL).status_code == 200


def test_a_classifier_without_its_vectorizer_is_not_ready(serve, write):
    write(model=fitted()[1])
    client = serve(path=PAIR["path"])
    assert_problem(client.get(f"{URL}?query=fine"), 503, "cannot answer for a text", "model.vectorizer")
    assert client.get("/readyz").status_code == 503


def test_a_pickled_pipeline_needs_no_vectorizer(serve, write):
    write(model=make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(ROWS["text"], ROWS["label"]))
    answer = serve(path=PAIR["path"]).get(f"{URL}?query=a+boring+film").json
    assert answer == {"prediction": "Negative", "confidence": confidence(*fitted(), "a boring film")}


@pytest.mark.parametrize(
    "labels",
    [
        ROWS["label"],
        ROWS["label"].astype(float),
    ],
    ids=["integers", "floats"],
)
def test_the_classes_of_a_pickle_are_called_by_their_labels(serve, write, labels):
    write(*fitted(labels=labels))
    assert serve(**PAIR).get(f"{URL}?query=dull").json["prediction"] == "Negative"


def test_a_pickle_without_probabilities(serve, write):
    write(*fitted(model=LinearSVC()))
    assert serve(**PAIR).get(f"{URL}?query=dull").json == {"prediction": "Negative", "confidence": None}


def test_the_verbs_work_on_two_pickles(serve, write):
    write(*fitted())
    client = serve(**PAIR)
    rows = ROWS.to_dict("records")
    assert client.get(f"{URL}?_model").json["model"] == "MultinomialNB"
    assert client.post(f"{URL}?_action=score", json=rows).json == {"score": 1.0}
    assert client.get(f"{URL}?text=dull&text=fine").json == [0, 1]
    assert client.post(f"{URL}?_action=train", json=[*rows, {"text": "boring", "label": 1}]).status_code == 200
    assert client.get(f"{URL}?query=dull").json["prediction"] == "Negative"
    # A second server finds the model that was trained, beside the old vectorizer.
    assert serve(**PAIR).get(f"{URL}?query=dull").json == client.get(f"{URL}?query=dull").json


def test_the_column_of_texts_is_called_as_configured(serve, write):
    write(*fitted())
    client = serve(**PAIR, text_col="review")
    assert client.get(f"{URL}?review=dull").json == [0]
    assert client.get(f"{URL}?query=dull").json["prediction"] == "Negative"


def test_mlhandler_serves_a_pickled_pipeline_of_texts(serve, write):
    write(model=make_pipeline(CountVectorizer(), MultinomialNB()).fit(ROWS["text"], ROWS["label"]))
    client = serve("MLHandler", path=PAIR["path"], target_col="label")
    assert client.get(f"{URL}?text=fine&text=dull").json == [1, 0]
    assert client.post(URL, json=[{"text": "007"}, {"text": None}, {"text": "fine"}]).json[2] == 1
    assert client.get(f"{URL}?text=fine&_output=proba").json[0]["1"] > 0.5
    assert client.post(f"{URL}?_action=score", json=ROWS.to_dict("records")).json == {"score": 1.0}
    assert_problem(client.get(f"{URL}?review=fine"), 400, "1 column is missing: 'text'")


@pytest.mark.parametrize("handler", ["TextHandler", "MLHandler"])
def test_a_vectorizer_of_several_steps(serve, write, handler):
    steps = make_pipeline(CountVectorizer(), TfidfTransformer())
    write(model=make_pipeline(steps, fitted(steps)[1]))
    client = serve(handler, path=PAIR["path"], target_col="label")
    assert client.get(f"{URL}?text=fine&text=dull&text=fine").json == [1, 0, 1]
