"""Single texts are answered without a table, and nobody can tell by the answer."""

import json

import joblib
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from tests.conftest import ROOT, titanic_endpoint, wait_until_ready
from tests.estimators.outside import Rule
from tests.registering import API, registry
from tests.web.conftest import FORM, build
from tests.web.test_one_row import BROWSER, JSON, told

pytestmark = pytest.mark.slow

QUERY = "that movie was boring"
LABELS = {0: "Negative", 1: "Positive"}
LINEAR = {"class": "LogisticRegression", "vectorizer_params": {"dtype": "float32", "ngram_range": [1, 2]}}
QUERIES = {
    "a query": {"query": QUERY},
    "a text": {"text": QUERY},
    "probabilities of a text": {"text": QUERY, "_output": "proba"},
    "records of a text": {"text": QUERY, "_output": "records"},
    "probabilities of a query": {"query": QUERY, "_output": "proba"},
    "a format for a query": {"query": QUERY, "_format": "json"},
    "a format for a text": {"text": QUERY, "_format": "json"},
    "another format for a text": {"text": QUERY, "_format": "csv"},
    "a named action for a query": {"query": QUERY, "_action": "predict", "_": "1"},
    "a named action for a text": {"text": QUERY, "_action": "predict"},
    "another action": {"query": QUERY, "_action": "score"},
    "an unknown option": {"query": QUERY, "_outptu": "proba"},
    "query and text": {"query": QUERY, "text": "a fine film"},
    "a column more": {"query": QUERY, "stars": "5"},
    "two queries": {"query": [QUERY, "a fine film"]},
    "two texts": {"text": [QUERY, "a fine film"]},
    "an empty query": {"query": ""},
    "a blank query": {"query": " \n"},
    "an empty text": {"text": ""},
    "a blank text": {"text": " \t"},
    "unknown words": {"query": "qwrtzpsdf"},
    "a number": {"text": "007"},
    "no word": {"query": "true"},
    "other scripts": {"query": "漢字 é 😀 ΟΔΟΣ"},
    "marks": {"query": "100% <b>bad</b>; a=b&c \x00"},
    "lines": {"query": "a fine\r\nfilm\u2028with a plot"},
    "bytes that are no text": "query=%ff%fe+film",
    "half of a character": "text=%ed%a0%80+film",
    "nothing to read": {"q": QUERY},
}
BODIES = {
    "a query": {"query": QUERY},
    "a list of one query": [{"query": QUERY}],
    "queries": [{"query": QUERY}, {"query": "a fine film"}],
    "a column of queries": {"query": [QUERY, "a fine film"]},
    "no queries": {"query": []},
    "a text": {"text": QUERY},
    "texts": [{"text": QUERY}, {"text": "a fine film"}, {"text": None}, {"text": ""}],
    "many texts": [{"text": QUERY}] * 40,
    "a column of texts": {"text": [QUERY]},
    "columns of many kinds": [{"query": QUERY, "x": 1}, {"query": "fine", "x": "a"}],
    "texts and columns of many kinds": [{"text": QUERY, "x": 1}, {"text": "fine", "x": True}],
    "a number as a query": {"query": 5},
    "a number as a text": {"text": 5},
    "numbers and texts": [{"text": 5}, {"text": "five"}],
    "nothing as a query": {"query": None},
    "a blank query among others": [{"query": QUERY}, {"query": " "}],
    "a list as a text": {"text": ["a", ["b"]]},
    "a long query": {"query": "a fine film , and a boring one . " * 1_000},
    "a longer query than that": {"query": "a fine film , and a boring one . " * 10_000},
    "different columns": [{"query": QUERY}, {"text": QUERY}],
    "nothing": [],
    "an empty object": {},
}
INSTANCES = {
    "a text": {"text": QUERY},
    "a missing one": {"text": None},
    "a number": {"text": 5},
    "another": {"query": "a"},
}


def texts(pattern, model, **kwargs):
    """A TextHandler endpoint of the reviews."""
    model = {"text_col": "text", "target_col": "label"} | model
    kwargs = {"data": "data/few.csv", "labels": LABELS, "model": model} | kwargs
    return {"pattern": pattern, "handler": "TextHandler", "kwargs": kwargs}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same endpoints with and without the row path, each trained once."""
    rows = pd.read_csv(ROOT / "data" / "reviews.csv").head(400)
    algorithm = {"name": "any", "type": "classifier", "status": "production"}
    clients = []
    for flag in (True, False):
        folder = tmp_path_factory.mktemp(str(flag))
        (folder / "data").mkdir()
        rows.to_csv(folder / "data" / "few.csv", index=False)
        joblib.dump(
            make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(rows["text"], rows["label"]), folder / "m.pkl"
        )
        url = {
            "titanic": titanic_endpoint(),
            "bayes": texts("/bayes", {"class": "MultinomialNB"}),
            "linear": texts("/linear", LINEAR),
            "same": texts("/same", {"class": "LinearSVC"}, query="text"),
            "own": {"pattern": "/own", "handler": "MLHandler", "kwargs": {"model": {"path": "m.pkl"}}},
            "api": registry({"served": [algorithm | {"endpoint": "own"}], "file": [algorithm | {"model": "m.pkl"}]}),
        }
        clients.append(build(folder, url, row_path=flag))
        wait_until_ready(clients[-1])
    return clients


def endpoint_of(client, name):
    return client.application.extensions["restimator"].endpoints[name]


@pytest.mark.parametrize("url", ["/bayes", "/linear", "/same", "/own"])
@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_answered_alike_with_and_without_the_row_path(both, url, name):
    fast, slow = (told(client.get(url, query_string=QUERIES[name])) for client in both)
    assert fast == slow


@pytest.mark.parametrize("url", ["/bayes", "/linear", "/same", "/own"])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_answered_alike_with_and_without_the_row_path(both, url, name):
    for kind in (JSON, FORM):
        fast, slow = (told(client.post(url, data=json.dumps(BODIES[name]), content_type=kind)) for client in both)
        assert fast == slow


@pytest.mark.parametrize(
    "options", [{"_output": "proba"}, {"_action": "predict"}, {"_action": "score"}, {"query": "a"}]
)
@pytest.mark.parametrize("name", ["a query", "a text", "texts"])
def test_options_beside_a_body_are_heeded_alike(both, name, options):
    for url in ("/bayes", "/same"):
        fast, slow = (told(client.post(url, json=BODIES[name], query_string=options)) for client in both)
        assert fast == slow


@pytest.mark.parametrize("accept", [BROWSER, "*/*", "text/csv", "image/png"])
@pytest.mark.parametrize("name", ["a query", "a text"])
def test_accept_is_heeded_alike(both, name, accept):
    fast, slow = (told(client.get("/bayes", query_string=QUERIES[name], headers={"Accept": accept})) for client in both)
    assert fast == slow


@pytest.mark.parametrize("endpoint", ["served", "file"])
@pytest.mark.parametrize("name", INSTANCES)
def test_an_instance_is_answered_alike_by_the_registry(both, endpoint, name):
    fast, slow = (client.post(f"{API}/{endpoint}/predict", json=INSTANCES[name]) for client in both)
    assert (fast.status_code, fast.json) == (slow.status_code, slow.json)


def test_plain_texts_are_answered_without_a_table(both):
    fast, slow = (endpoint_of(client, "bayes") for client in both)
    assert fast.classify_few([QUERY]) == slow.classify([QUERY])
    assert fast.classify_few([QUERY, "a fine film"]) == slow.classify([QUERY, "a fine film"])
    assert fast.predict_few([{"text": QUERY}], None).tolist() == [0]
    assert slow.classify_few([QUERY]) is slow.predict_few([{"text": QUERY}], None) is None


def test_a_confidence_has_three_places_whatever_the_vectorizer_makes(both):
    for client in both:
        confidence = client.get("/linear", query_string={"query": QUERY}).json["confidence"]
        assert confidence == round(confidence, 3)


def test_params_tell_which_path_serves_and_why(both):
    for url, name in (("/bayes", "MultinomialNB"), ("/linear", "LogisticRegression"), ("/same", "LinearSVC")):
        fast, slow = (client.get(f"{url}?_params").json["row_path"] for client in both)
        assert fast == {"serves": True, "why": f"look-ups and the arithmetic of {name}"}
        assert slow == {"serves": False, "why": "server.row_path is off"}


def test_what_the_training_found_is_kept_with_the_model(both):
    fast, slow = (endpoint_of(client, "bayes").served().facts for client in both)
    assert fast["row_path"]["serves"] is True
    assert "row_path" not in slow


def test_after_another_training_the_new_model_answers(make_client, tmp_path):
    client = make_client({"reviews": texts("/reviews", {})}, wait=False)
    rows = [{"text": "fine", "label": 1}, {"text": "dull", "label": 0}]
    turned = [row | {"label": 1 - row["label"]} for row in rows]
    for learned, answer in ((rows, "Positive"), (turned, "Negative")):
        assert client.post("/reviews?_action=train", json=learned).status_code == 200
        assert client.get("/reviews?query=fine").json["prediction"] == answer


def test_a_vectorizer_that_is_not_understood_serves_by_itself(make_client, tmp_path):
    rows = pd.read_csv(ROOT / "data" / "reviews.csv").head(50)
    model = make_pipeline(HashingVectorizer(n_features=64), LogisticRegression()).fit(rows["text"], rows["label"])
    joblib.dump(model, tmp_path / "own.pkl")
    client = make_client({"own": texts("/own", {"path": "own.pkl"}, data=None)})
    assert client.get("/own?_params").json["row_path"] == {
        "serves": False,
        "why": "HashingVectorizer is not taken apart",
    }
    assert client.get("/own", query_string={"query": QUERY}).json["prediction"] == LABELS[model.predict([QUERY])[0]]


def test_two_pickles_are_compared_when_they_are_loaded(make_client, tmp_path):
    rows = pd.read_csv(ROOT / "data" / "reviews.csv").head(50)
    vectorizer = TfidfVectorizer()
    joblib.dump(MultinomialNB().fit(vectorizer.fit_transform(rows["text"]), rows["label"]), tmp_path / "c.pkl")
    joblib.dump(vectorizer, tmp_path / "v.pkl")
    client = make_client({"own": texts("/own", {"path": "c.pkl", "vectorizer": "v.pkl"}, data=None)})
    assert client.get("/own?_params").json["row_path"]["serves"] is True
    assert client.get("/own", query_string={"query": QUERY}).json["prediction"] in LABELS.values()


def test_a_classifier_without_names_for_its_classes_tells_how_sure_it_is(make_client, tmp_path):
    rows = pd.read_csv(ROOT / "data" / "reviews.csv").head(50)
    joblib.dump(make_pipeline(TfidfVectorizer(), Rule()).fit(rows["text"], rows["label"]), tmp_path / "own.pkl")
    client = make_client({"own": texts("/own", {"path": "own.pkl"}, data=None)})
    for query, sure in (("film", 1.0), ("qwrtzpsdf", 0.0)):
        answer = client.get("/own", query_string={"query": query})
        assert (answer.status_code, answer.json["confidence"]) == (200, sure)


def test_texts_of_a_model_whose_rows_may_know_of_one_another_are_asked_together(make_client, tmp_path):
    rows = pd.read_csv(ROOT / "data" / "reviews.csv").head(50)
    model = make_pipeline(TfidfVectorizer(), DummyClassifier(strategy="uniform", random_state=0))
    joblib.dump(model.fit(rows["text"], rows["label"]), tmp_path / "own.pkl")
    client = make_client({"own": texts("/own", {"path": "own.pkl"}, data=None)})
    assert client.get("/own?_params").json["row_path"]["serves"] is True
    several = client.post("/own", json=[{"query": QUERY}] * 8).json
    assert [told["prediction"] for told in several] == [LABELS[label] for label in model.predict([QUERY] * 8)]
    assert len({told["prediction"] for told in several}) == 2
