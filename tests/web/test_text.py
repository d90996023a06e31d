"""TextHandler over HTTP: the article's answers, every way to send a query, the verbs, and two pickles."""

import io
import json

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import GaussianNB, MultinomialNB

from server.errors import ConfigError
from tests.conftest import ROOT
from tests.web.conftest import FORM, assert_problem

pytestmark = pytest.mark.slow

URL = "/reviews"
QUERY = "that movie was boring"
LABELS = {0: "Negative", 1: "Positive"}


@pytest.fixture(scope="session")
def reviews():
    """A part of the example's sentences, enough to learn from."""
    return pd.read_csv(ROOT / "data" / "reviews.csv").head(1000)


@pytest.fixture(scope="session")
def expected(reviews):
    """The article's own lines: what a server must answer for a query."""
    vectorizer = TfidfVectorizer()
    classifier = MultinomialNB().fit(vectorizer.fit_transform(reviews["text"]), reviews["label"])

    def answer(query):
        vectorized = vectorizer.transform(np.array([query]))
        prediction = classifier.predict(vectorized)
        return {
            "prediction": "Negative" if prediction == 0 else "Positive",
            "confidence": round(classifier.predict_proba(vectorized)[:, -1][0], 3),
        }

    return answer


def texts(pattern=URL, **kwargs):
    """A TextHandler endpoint."""
    return {"pattern": pattern, "handler": "TextHandler", "kwargs": kwargs}


@pytest.fixture
def make_texts(make_client, tmp_path, reviews):
    """A client of one endpoint, trained on the sentences unless it has pickles."""

    def make(wait=True, **kwargs):
        (tmp_path / "data").mkdir(exist_ok=True)
        reviews.to_csv(tmp_path / "data" / "sentences.csv", index=False)
        return make_client({"reviews": texts(**({"data": "data/sentences.csv", "labels": LABELS} | kwargs))}, wait)

    return make


@pytest.fixture
def client(make_texts):
    return make_texts()


WAYS = {
    "query": {"query_string": {"query": QUERY}},
    "curl -X GET -d": {"data": f"query={QUERY}", "content_type": FORM},
    "json of a GET": {"json": {"query": QUERY}},
    "json by curl -d": {"data": json.dumps({"query": QUERY}), "content_type": FORM},
    "form": {"method": "POST", "data": {"query": QUERY}},
    "multipart": {"method": "POST", "data": {"query": QUERY}, "content_type": "multipart/form-data"},
    "json": {"method": "POST", "json": {"query": QUERY}},
    "json list": {"method": "POST", "json": [{"query": QUERY}]},
    "query of a POST": {"method": "POST", "query_string": {"query": QUERY}},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_answer_is_the_articles_by_every_way(client, expected, way):
    answer = client.open(URL, **WAYS[way])
    assert answer.status_code == 200
    assert answer.json == expected(QUERY)
    assert answer.json["prediction"] == "Negative"


@pytest.mark.parametrize(
    "request_",
    [
        {"query_string": {"query": [QUERY, "a fine film"]}},
        {"json": [{"query": QUERY}, {"query": "a fine film"}]},
        {"json": {"query": [QUERY, "a fine film"]}},
        {"method": "POST", "data": {"file": (io.BytesIO(f"query\n{QUERY}\na fine film\n".encode()), "queries.csv")}},
    ],
    ids=["query", "records", "columns", "file"],
)
def test_several_queries_make_a_list(client, expected, request_):
    assert client.open(URL, **request_).json == [expected(QUERY), expected("a fine film")]


@pytest.mark.parametrize(
    "query", ["007", "true", "null", "NA", "1e5", "漢字 é 😀", "a, b; c", "100% bad", "a=b", "<b>&amp;</b>"]
)
def test_a_query_is_text_whatever_it_looks_like(client, expected, query):
    assert client.get(URL, query_string={"query": query}).json == expected(query)
    assert client.post(URL, json={"query": query}).json == expected(query)
    assert client.post(URL, data={"query": query}).json == expected(query)


def test_a_long_query(client, expected):
    query = "a fine film , and a boring one . " * 20_000
    assert client.post(URL, json={"query": query}).json == expected(query)


@pytest.mark.parametrize("query", ["", " ", "\n\t"])
def test_an_empty_query_is_refused(client, query):
    assert_problem(client.get(URL, query_string={"query": query}), 400, "query must be a text to classify")
    assert_problem(client.post(URL, json={"query": query}), 400, "query must be a text to classify")


@pytest.mark.parametrize("query", [None, 5, True, {"a": 1}, [["a"]]])
def test_a_query_that_is_no_text_is_refused(client, query):
    assert_problem(client.post(URL, json=[{"query": query}]), 400, "query must be a text to classify", "row 1")


def test_a_missing_query_is_told_with_the_ways_to_ask(client):
    assert_problem(client.get(f"{URL}?q=bad"), 400, "there is no text in 'q'", "?query=…", "'text'")
    assert_problem(client.post(URL, json="bad"), 400)
    assert client.get(URL).content_type.startswith("text/html")


@pytest.mark.parametrize("option", ["_output=proba", "_format=csv"])
def test_an_option_without_meaning_beside_a_query_is_refused(client, option):
    assert_problem(client.get(f"{URL}?query=bad&{option}"), 400, option.split("=")[0], "no meaning beside query")


def test_the_action_predict_may_be_named(client, expected):
    assert client.get(URL, query_string={"query": QUERY, "_action": "predict"}).json == expected(QUERY)
    assert client.post(f"{URL}?_action=predict", json={"query": QUERY}).json == expected(QUERY)


def test_an_ampersand_in_curls_form_is_told_with_the_remedy(client):
    assert_problem(client.get(URL, data="query=good & bad", content_type=FORM), 400, "--data-urlencode")


def test_the_argument_may_have_another_name(make_texts, expected):
    client = make_texts(query="q")
    assert client.get(URL, query_string={"q": QUERY}).json == expected(QUERY)
    assert_problem(client.get(URL, query_string={"query": QUERY}), 400, "?q=…")


def test_the_argument_may_have_the_name_of_the_column(make_texts, expected):
    client = make_texts(query="text")
    assert client.get(URL, query_string={"text": QUERY}).json == expected(QUERY)
    assert client.post(f"{URL}?_action=predict", json=[{"text": QUERY}]).json == [0]


def test_two_endpoints_side_by_side_one_of_them_at_the_root(make_client, expected, reviews, tmp_path):
    (tmp_path / "data").mkdir()
    reviews.to_csv(tmp_path / "data" / "sentences.csv", index=False)
    words = pd.DataFrame(
        {"review": ["one star", "five stars", "one sad star", "five bright stars"], "stars": [1, 5, 1, 5]}
    )
    words.to_csv(tmp_path / "data" / "stars.csv", index=False)
    client = make_client(
        {
            "sentiment": texts("/", data="data/sentences.csv", labels=LABELS),
            "ratings": texts("/ratings", data="data/stars.csv", model={"text_col": "review", "target_col": "stars"}),
        }
    )
    assert client.get("/", query_string={"query": QUERY}).json == expected(QUERY)
    assert client.get("/ratings?query=five+bright+stars").json["prediction"] == 5
    assert client.get("/healthz").status_code == 200


# MLHandler's verbs.


def test_rows_of_texts_are_predicted_as_mlhandler_does(client):
    rows = [{"text": QUERY}, {"text": "a fine film"}, {"text": None}]
    values = client.post(f"{URL}?_action=predict", json=rows).json
    assert (len(values), values[0]) == (3, 0)
    assert client.get(URL, query_string={"text": QUERY}).json == [0]
    assert client.post(f"{URL}?_output=records", json=rows[:1]).json == [{"text": QUERY, "label": 0}]
    proba = client.post(f"{URL}?_output=proba", json=rows[:1]).json[0]
    assert (proba.keys(), sum(proba.values())) == ({"0", "1"}, pytest.approx(1))


def test_score_append_train_and_describe(client, reviews):
    trained = client.post(f"{URL}?_action=retrain").json
    assert client.post(f"{URL}?_action=score").json == trained
    rows = reviews.head(50).to_dict("records")
    assert 0.5 < client.post(f"{URL}?_action=score&_metric=roc_auc", json=rows).json["score"] <= 1
    assert client.post(f"{URL}?_action=append", json=rows[:2]).json["appended"] == 2
    described = client.get(f"{URL}?_params").json
    assert described["params"] == {"class": "MultinomialNB", "params": {}}
    assert described["attrs"]["classes_"] == [0, 1]
    assert client.get(f"{URL}?_model").json["model"] == "MultinomialNB"
    assert len(client.get(f"{URL}?_cache").json) == len(reviews) + 2
    with client.get(f"{URL}?_download") as answer:
        assert joblib.load(io.BytesIO(answer.get_data())).predict([QUERY]).tolist() == [0]
    assert client.delete(f"{URL}?_model").json == {"deleted": ["model"]}
    assert_problem(client.get(URL, query_string={"query": QUERY}), 404)


def test_class_and_parameters_are_changed_by_put(client):
    before = client.get(URL, query_string={"query": QUERY}).json
    assert client.put(f"{URL}?_model&class=LogisticRegression&C=2").json["params"]["C"] == 2
    assert client.get(URL, query_string={"query": QUERY}).json == before
    assert client.post(f"{URL}?_action=retrain").status_code == 200
    assert client.get(URL, query_string={"query": QUERY}).json["confidence"] != before["confidence"]
    assert_problem(client.put(f"{URL}?alpha=1"), 400, "LogisticRegression has no parameter 'alpha'")


@pytest.mark.parametrize(
    "option", ["include=text", "exclude=text", "cats=text", "nums=a", "pipeline=false", "index_col=a"]
)
def test_options_of_columns_are_refused(client, option):
    assert_problem(client.put(f"{URL}?{option}"), 400, option.split("=")[0], "no meaning for texts")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"text": "good"}, {"text": "bad"}], ["the target column 'label'"]),
        ([{"label": 1}, {"label": 0}], ["the column of texts 'text'"]),
        ([{"text": "good", "label": 1}, {"text": "bad", "label": 1}], ["one class only"]),
        ([{"text": "a", "label": 1}, {"text": "b", "label": 0}], ["empty vocabulary"]),
    ],
)
def test_rows_that_cannot_be_learned_from_are_told(client, rows, words):
    assert_problem(client.post(f"{URL}?_action=train", json=rows), 400, *words)


@pytest.mark.parametrize(
    ("pair", "labels", "prediction"),
    [
        ((0, 1), LABELS, "Negative"),
        ((0, 1), {}, 0),
        ((False, True), {False: "no", True: "yes"}, "no"),
        (("bad", "good"), {"bad": "Negative", "good": "Positive"}, "Negative"),
        (("bad", "good"), {}, "bad"),
        (("1", "2"), {1: "one", 2: "two"}, "one"),
    ],
)
def test_labels_of_every_kind(make_client, pair, labels, prediction):
    client = make_client({"reviews": texts(labels=labels)})
    rows = [{"text": word, "label": pair[word == "fine"]} for word in ("dull", "fine", "boring", "dull")]
    assert client.post(f"{URL}?_action=train", json=rows).status_code == 200
    answer = client.get(f"{URL}?query=dull").json
    assert answer["prediction"] == prediction
    assert type(answer["prediction"]) is type(prediction)
    assert answer["confidence"] < 0.5


def test_without_probabilities_there_is_no_confidence(make_texts):
    client = make_texts(model={"class": "LinearSVC"})
    assert client.get(URL, query_string={"query": QUERY}).json == {"prediction": "Negative", "confidence": None}


@pytest.mark.parametrize("name", ["PCA", "LinearRegression", "SARIMAX", "KMeans", "CategoricalNB"])
def test_a_class_that_is_no_classifier_is_refused(client, name):
    assert_problem(client.put(f"{URL}?class={name}"), 400, name)


@pytest.mark.parametrize("model_class", [GaussianNB, LinearDiscriminantAnalysis])
def test_a_classifier_that_needs_dense_features(client, reviews, model_class):
    client.put(f"{URL}?class={model_class.__name__}")
    rows = reviews.head(200)
    trained = client.post(f"{URL}?_action=train", json=rows.to_dict("records"))
    vectorized = TfidfVectorizer().fit_transform(rows["text"]).toarray()
    own = model_class().fit(vectorized, rows["label"])
    assert trained.json == {"score": own.score(vectorized, rows["label"])}


@pytest.mark.parametrize(
    ("kwargs", "path"),
    [
        ({"model": {"vectorizer_params": {"ngram": [1, 2]}}}, "model.vectorizer_params"),
        ({"model": {"class": "SentimentAnalysis", "vectorizer_params": {"min_df": 2}}}, "model.vectorizer_params"),
        ({"model": {"vectorizer": "vec.pkl"}}, "model"),
        ({"model": {"include": ["text"]}}, "model.include"),
        ({"model": {"class": "MultinomialNBB"}}, "model.class"),
        ({"model": {"params": {"alfa": 1}}}, "model.params.alfa"),
        ({"query": "_query"}, "query"),
        ({"labels": ["Negative", "Positive"]}, "labels"),
        ({"backend": "transformers"}, "backend"),
        ({"model": {"class": "SARIMAX"}}, "model.class"),
        ({"model": {"class": "Ridge"}}, "model.class"),
    ],
)
def test_a_mistake_stops_the_start_with_its_path(make_client, kwargs, path):
    with pytest.raises(ConfigError, match=rf"url\.reviews\.kwargs\.{path}: "):
        make_client({"reviews": texts(**kwargs)})


@pytest.mark.parametrize("query", [5, True, {"a": "good"}, [{"c": 1}], None])
def test_what_is_no_text_is_not_made_one(client, query):
    assert_problem(client.post(URL, json={"query": query}), 400, "must be a text to classify")


def test_a_list_among_texts_is_named_with_its_row(client):
    assert_problem(client.post(URL, json={"query": ["a", ["b"]]}), 400, "row 2, query: the value is a list")


def test_no_queries_have_no_answers(client):
    assert client.post(URL, json={"query": []}).json == []
    assert client.post(URL, json=[{"query": "good"}, {"query": "bad"}]).json[1]["prediction"] is not None


def test_the_texts_are_no_target(client):
    assert_problem(client.post(f"{URL}?_action=retrain&target_col=text"), 400, "'text' is the column of texts")
