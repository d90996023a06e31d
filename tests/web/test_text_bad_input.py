"""Texts, labels and entities that are wrong: a sentence that says where, and nothing changes."""

import json
import math

import pytest

from tests.conftest import titanic_endpoint
from tests.reviews import QUERY, journeys, reviews, text_endpoint
from tests.web.conftest import assert_problem, build

pytestmark = pytest.mark.slow

SENTIMENT, NER = "/sentiment", "/ner"
ENTITY = {"start": 0, "end": 4, "label": "PER"}
TEXT = "anna went to paris"
OVERLAPPING = [ENTITY, {"start": 2, "end": 9, "label": "LOC"}]


@pytest.fixture(scope="module")
def client(tmp_path_factory, tiny_models):
    """Two trained endpoints, which no bad input may change."""
    base = str(tiny_models / "base")
    url = {
        "titanic": titanic_endpoint(),
        "sentiment": text_endpoint("sentiment", base),
        "task": text_endpoint("task", base, task="sentiment-analysis"),
        "ner": text_endpoint("ner", base, options={"class": "NER"}),
    }
    # Longer texts than a server takes unless it is told to.
    client = build(tmp_path_factory.mktemp("text_bad_input"), url, limits={"text_chars": 3_000_000})
    client.application.testing = False
    assert client.post(f"{SENTIMENT}?_action=train{QUERY}", json=reviews()).json == {"roc_auc": 1.0}
    assert client.post(f"{NER}?_action=train{QUERY}", json=journeys()).json["score"] == 1.0
    return client


@pytest.fixture(autouse=True)
def nothing_changes(client):
    def state():
        views = [
            f"{url}?{view}" for url in (SENTIMENT, NER) for view in ("_params", "_model", "_cache", f"text={TEXT}")
        ]
        return {url: client.get(url).data for url in views}

    before = state()
    yield
    assert state() == before


def changing(client, rows, url=NER):
    """What every way of storing or learning the rows is answered."""
    return [client.post(f"{url}?_action={action}", json=rows) for action in ("train", "append")]


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\N{NO-BREAK SPACE}", None], ids=repr)
@pytest.mark.parametrize("url", [SENTIMENT, NER])
@pytest.mark.parametrize("options", ["", "?_output=proba", "?_output=records", "?_format=csv"])
def test_a_blank_text_is_refused_with_its_row(client, blank, url, options):
    rows = [{"text": text} for text in ("good", "bad", blank, "fine", blank)]
    document = assert_problem(client.post(url + options, json=rows), 400, "row 3", "text is empty", "1 more")
    assert [part["pointer"] for part in document["errors"]] == ["/2/text", "/4/text"]


@pytest.mark.parametrize("query", ["text=", "text=%20", "text=good&text=&text=bad"])
def test_a_blank_text_is_refused_in_the_query(client, query):
    for url in (SENTIMENT, NER):
        assert_problem(client.get(f"{url}?{query}"), 400, "text is empty")


@pytest.mark.parametrize("action", ["score", "train"])
def test_a_blank_text_is_neither_scored_nor_learned_from(client, action):
    rows = [*reviews(), {"text": "  ", "label": "POSITIVE"}]
    assert_problem(client.post(f"{SENTIMENT}?_action={action}", json=rows), 400, "row 41", "text is empty")
    rows = [*journeys(), {"text": "  ", "labels": []}]
    assert_problem(client.post(f"{NER}?_action={action}", json=rows), 400, "row 37", "text is empty")


def test_a_blank_text_to_learn_from_is_told_with_its_row_in_the_request(client):
    rows = [{"text": None, "label": "POSITIVE"}, *reviews(), *reviews(), {"text": "  ", "label": "POSITIVE"}]
    document = assert_problem(client.post(f"{SENTIMENT}?_action=train", json=rows), 400, "text is empty")
    assert [part["pointer"] for part in document["errors"]] == ["/81/text"]


@pytest.mark.parametrize("length", [100_000, 3_000_000])
@pytest.mark.parametrize("text", ["great film ", "x", "\N{GRINNING FACE}", "good", " a"], ids=ascii)
def test_a_text_longer_than_the_model_takes_is_cut_off(client, text, length):
    long = text * (length // len(text))
    short = text * 1000
    found = client.post(f"{SENTIMENT}?_output=proba", json=[{"text": long}, {"text": short}])
    assert found.status_code == 200
    assert found.json[0] == pytest.approx(found.json[1], abs=1e-5)
    assert client.post(NER, json=[{"text": long}]).json[0]["text"] == long


@pytest.mark.slow
def test_a_long_text_is_learned_from(make_client, tiny_models):
    client = make_client({"ner": text_endpoint("ner", str(tiny_models / "base"), options={"class": "NER"})})
    text = "anna lives in paris " * 5000
    far = {"start": len(text) - 6, "end": len(text) - 1, "label": "LOC"}
    rows = [*journeys(), {"text": text, "labels": [ENTITY, far]}]
    scores = client.post(f"{NER}?_action=train{QUERY}", json=rows).json
    # What lies beyond the model's reach is missed, and counts as that.
    assert scores["labels"]["LOC"]["recall"] < 1


ODD = {
    "emoji": "\N{GRINNING FACE}\N{ZERO WIDTH JOINER}\N{THUMBS UP SIGN}\U0001f3fd",
    "right to left": "שלום עולם, مرحبا بالعالم",
    "override": "\N{RIGHT-TO-LEFT OVERRIDE}good\N{POP DIRECTIONAL FORMATTING}",
    "NUL": "good\x00bad",
    "controls": "\x01\x02 good \x7f",
    "marks": "e\N{COMBINING ACUTE ACCENT}" * 300,
    "CJK": "你好世界",
    "special tokens": "[CLS] [SEP] [PAD] [MASK] <s> </s>",
    "only punctuation": "?!.",
    "zero width": "\N{ZERO WIDTH SPACE}",
    "private use": "\ue000\U0010ffff",
    "markup": "<script>alert(1)</script> {{7*7}} ' OR 1=1 --",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_texts_are_answered_and_come_back_as_they_are(client, name):
    text = ODD[name]
    rows = [{"text": "good"}, {"text": text}]
    proba = client.post(f"{SENTIMENT}?_output=proba", json=rows).json[1]
    assert sum(proba.values()) == pytest.approx(1)
    found = client.post(NER, json=rows).json[1]
    assert found["text"] == text
    assert all(text[entity["start"] : entity["end"]].strip() for entity in found["labels"])
    assert client.get(NER, query_string={"text": text}).json == [found]


@pytest.mark.parametrize("body", [b'[{"text": "\\ud800"}]', b'[{"text": "a\\udfff b"}]', b'[{"text": "\xed\xa0\x80"}]'])
@pytest.mark.parametrize("action", ["predict", "score", "append", "train"])
def test_half_a_surrogate_pair_is_no_text(client, body, action):
    for url in (SENTIMENT, NER):
        answer = client.post(f"{url}?_action={action}", data=body, content_type="application/json")
        assert_problem(answer, 400)


@pytest.mark.parametrize("url", [SENTIMENT, NER, "/titanic"])
def test_bytes_that_are_no_text_in_a_query_are_never_a_failure(client, url):
    assert client.get(f"{url}?text=%ff%fe%ed%a0%80").status_code in (200, 400)


@pytest.mark.parametrize("value", [5, 1.5, True, ["a"], {"a": 1}], ids=repr)
def test_a_text_of_another_type_is_told_or_read_as_text(client, value):
    for url in (SENTIMENT, NER):
        answer = client.post(url, json=[{"text": value}])
        if isinstance(value, (list, dict)):
            assert_problem(answer, 400, "text")
        else:
            assert answer.status_code == 200


@pytest.mark.parametrize("url", [SENTIMENT, NER])
@pytest.mark.parametrize("action", ["predict", "score", "train"])
def test_a_missing_column_of_texts_is_named_with_the_nearest(client, url, action):
    label = {"label": "POSITIVE"} if url == SENTIMENT else {"labels": []}
    answer = client.post(f"{url}?_action={action}", json=[{"texts": "good"} | label, {"texts": "bad"} | label])
    assert_problem(answer, 400, "'text'", "'texts'")


def test_a_missing_column_of_labels_is_named(client):
    rows = [{"text": "good", "lable": "POSITIVE"}, {"text": "bad", "lable": "NEGATIVE"}]
    for action in ("score", "train"):
        assert_problem(client.post(f"{SENTIMENT}?_action={action}", json=rows), 400, "'label'", "'lable'")
    rows = [{"text": TEXT, "label": []}]
    for action in ("score", "train"):
        assert_problem(client.post(f"{NER}?_action={action}", json=rows), 400, "'labels'", "'label'")


@pytest.mark.parametrize("label", ["NEUTRAL", "positive", 1, True, "", None])
def test_a_label_never_seen_is_not_scored(client, label):
    rows = [{"text": "good", "label": "POSITIVE"}, {"text": "bad", "label": label}]
    document = assert_problem(client.post(f"{SENTIMENT}?_action=score", json=rows), 400, "row 2")
    if label not in ("", None):
        assert "NEGATIVE" in document["detail"]
    assert_problem(client.post(f"{SENTIMENT}?_action=score&_metric=accuracy", json=rows), 400, "row 2")


@pytest.mark.parametrize("count", [1, 20])
def test_rows_of_one_label_have_no_roc_curve(client, count):
    rows = [{"text": f"good {number}", "label": "POSITIVE"} for number in range(count)]
    assert_problem(client.post(f"{SENTIMENT}?_action=score", json=rows), 400, "roc_auc", "different labels")
    assert client.post(f"{SENTIMENT}?_action=score&_metric=accuracy", json=rows).status_code == 200


def test_rows_of_one_label_are_not_learned_from(client):
    rows = [{"text": f"good {number}", "label": "POSITIVE"} for number in range(20)]
    assert_problem(client.post(f"{SENTIMENT}?_action=train", json=rows), 400, "one class only", "'POSITIVE'")


def test_thousands_of_labels_are_not_learned_from(client):
    rows = [{"text": f"good {number}", "label": f"label {number}"} for number in range(5000)]
    assert_problem(client.post(f"{SENTIMENT}?_action=train", json=rows), 400, "5000 different labels", "1000")


@pytest.mark.parametrize("labels", [[["a"], ["b"]], [{"a": 1}, {"a": 2}]], ids=repr)
def test_labels_that_are_no_values_are_not_learned_from(client, labels):
    rows = [{"text": f"text {number}", "label": label} for number, label in enumerate(labels)]
    for answer in (
        client.post(f"{SENTIMENT}?_action=train", json=rows),
        client.post(f"{SENTIMENT}?_action=score", json=rows),
    ):
        assert_problem(answer, 400, "label")


@pytest.mark.parametrize("rows", [[], {}, {"text": [], "label": []}])
def test_no_rows_are_neither_scored_nor_learned_from(client, rows):
    for action in ("score", "append", "train"):
        for url in (SENTIMENT, NER):
            answer = client.post(f"{url}?_action={action}", data=json.dumps(rows), content_type="application/json")
            assert_problem(answer, 400)


@pytest.mark.parametrize("metric", ["r2", "accurate", "roc"])
def test_a_metric_that_does_not_fit_is_refused(client, metric):
    assert_problem(client.post(f"{SENTIMENT}?_action=score&_metric={metric}", json=reviews()), 400, metric)


WRONG = {
    "overlapping": (OVERLAPPING, "overlap"),
    "twice": ([ENTITY, ENTITY], "overlap"),
    "beyond the end": ([{"start": 13, "end": 30, "label": "LOC"}], "outside the text of 18 characters"),
    "before the start": ([{"start": -1, "end": 4, "label": "PER"}], "outside the text"),
    "empty": ([{"start": 4, "end": 4, "label": "PER"}], "no character"),
    "backwards": ([{"start": 4, "end": 0, "label": "PER"}], "no character"),
    "white space": ([{"start": 4, "end": 5, "label": "PER"}], "white space"),
    "start of text": ([ENTITY | {"start": "zero"}], "start of entity 1 must be a whole number"),
    "fraction": ([ENTITY | {"end": 3.5}], "end of entity 1 must be a whole number"),
    "truth value": ([ENTITY | {"start": False}], "start of entity 1 must be a whole number"),
    "null": ([ENTITY | {"end": None}], "end of entity 1"),
    "no start": ([{"end": 4, "label": "PER"}], "start"),
    "no label": ([{"start": 0, "end": 4}], "label"),
    "label of another type": ([ENTITY | {"label": 5}], "label of entity 1"),
    "empty label": ([ENTITY | {"label": ""}], "label of entity 1"),
    "long label": ([ENTITY | {"label": "x" * 200}], "label of entity 1"),
    "a text": ("PER", "no JSON"),
    "a number": (5, "no list of entities"),
    "an object": (ENTITY, "no list of entities"),
    "a list of texts": (["PER"], "entity 1 must be an object"),
    "a list of lists": ([[0, 4, "PER"]], "entity 1 must be an object"),
    "huge": ([ENTITY | {"end": 10**30}], ""),
}


@pytest.mark.parametrize("form", ["list", "text"])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_entities_are_told_with_their_row(client, name, form):
    labels, words = WRONG[name]
    cell = json.dumps(labels) if form == "text" and not isinstance(labels, str) else labels
    right = json.dumps([ENTITY]) if isinstance(cell, str) else [ENTITY]
    rows = [{"text": TEXT, "labels": right}, {"text": TEXT, "labels": cell}]
    for answer in changing(client, rows):
        assert_problem(answer, 400, *([words, "row 2", "/1/labels"] if words else []))
    assert_problem(client.post(f"{NER}?_action=score", json=rows), 400, *([words, "row 2"] if words else []))


def test_two_entities_in_one_word_are_neither_scored_nor_learned_from(client):
    rows = [*journeys(), {"text": TEXT, "labels": [{"start": 0, "end": 2, "label": "PER"}, ENTITY | {"start": 2}]}]
    for action in ("score", "train"):
        assert_problem(client.post(f"{NER}?_action={action}", json=rows), 400, "row 37", "word")


@pytest.mark.parametrize("count", [1, 5])
def test_rows_without_any_entity_are_not_learned_from(client, count):
    rows = [{"text": f"good {number}", "labels": []} for number in range(count)]
    assert_problem(client.post(f"{NER}?_action=train", json=rows), 400, "0 types of entities")


def test_rows_without_any_entity_are_scored(client):
    rows = [{"text": f"the great movie {number}", "labels": []} for number in range(3)]
    answer = client.post(f"{NER}?_action=score", json=rows)
    assert answer.status_code in (200, 400)
    assert "nan" not in answer.text.lower()


def test_a_type_never_seen_counts_as_missed(client):
    rows = [{"text": TEXT, "labels": [ENTITY | {"label": "WHO"}]}]
    scores = client.post(f"{NER}?_action=score", json=rows).json
    assert scores["labels"]["WHO"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}


def test_too_many_types_are_not_learned_from(client):
    rows = [{"text": f"anna {number}", "labels": [ENTITY | {"label": f"T{number}"}]} for number in range(600)]
    assert_problem(client.post(f"{NER}?_action=train", json=rows), 400, "600 types")


@pytest.mark.parametrize("url", [SENTIMENT, NER])
def test_pictures_of_text_models_answer_or_say_why_not(client, url):
    answer = client.get(f"{url}?_picture=no_such_thing")
    assert answer.status_code in (400, 404)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1, 0.5])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_training_that_diverges_is_refused_or_ends_in_numbers(make_client, tiny_models, rate, seed):
    weights = str(tiny_models / "base")
    client_ = make_client(
        {"a": text_endpoint("a", weights), "b": text_endpoint("b", weights, options={"class": "NER"})}
    )
    arguments = f"_action=train&learning_rate={rate}&num_train_epochs=3&seed={seed}"
    answer = client_.post(f"/a?{arguments}", json=reviews())
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        proba = client_.get("/a?text=good&text=bad&_output=proba").json
        assert all(math.isfinite(value) for row in proba for value in row.values())
    answer = client_.post(f"/b?{arguments}", json=journeys())
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        assert client_.get("/b?text=anna").status_code == 200
