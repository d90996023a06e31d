"""Pictures of text models: few rows, and one pass of the network for all that show the same."""

import numpy as np
import pandas as pd
import pytest

from server.errors import BadRequest
from tests.service.test_pictures import endpoint_of
from tests.tiny import tiny_model

pytestmark = pytest.mark.slow
SENTENCES = [
    {"text": f"{word} film {i}", "label": label}
    for i in range(130)
    for word, label in (("good", "POSITIVE"), ("bad", "NEGATIVE"))
]
ENTITIES = [{"start": 0, "end": 4, "label": "PER"}, {"start": 14, "end": 19, "label": "LOC"}]
PLACES = [{"text": f"anna lives in paris {i}", "labels": ENTITIES} for i in range(210)]


@pytest.fixture
def serve(make_client, tmp_path):
    """The endpoint of pretrained weights with these rows stored, and how many texts its network was asked for."""

    def make(class_name, head, rows, **settings):
        model = {"class": class_name, "params": {"model": str(tiny_model(tmp_path / head, head, **settings))}}
        client = make_client({"m": {"pattern": "/m", "handler": "MLHandler", "kwargs": {"model": model}}})
        if rows:
            assert client.post("/m?_action=append", json=rows).status_code == 200
        endpoint = endpoint_of(client, "m")
        return endpoint, counted(endpoint.served().estimator.model.network)

    return make


def counted(network):
    """The numbers of texts of all passes to come."""
    passes = []
    forwarded = network._forwarded
    network._forwarded = lambda texts: passes.append(len(texts)) or forwarded(texts)
    return passes


def test_both_pictures_of_a_sentiment_come_from_one_pass_over_few_rows(serve):
    endpoint, passes = serve("SentimentAnalysis", "sequence", SENTENCES)
    assert endpoint.pictures.names() == ("confusion_matrix", "roc_curve")
    drawn = [endpoint.pictures.drawn(name) for name in ("roc_curve", "confusion_matrix", "roc_curve")]
    assert all(b"200 stored rows" in one for one in drawn)
    assert b"AUC" in drawn[0]
    assert passes == [200]


def test_rows_that_are_added_are_asked_about_anew(serve):
    endpoint, passes = serve("SentimentAnalysis", "sequence", SENTENCES[:20])
    endpoint.pictures.drawn("confusion_matrix")
    endpoint.append(endpoint.stored_rows().head(5))
    endpoint.pictures.drawn("roc_curve")
    # Rows that are there already are not learned from twice.
    assert passes == [20, 20]


def test_the_picture_counts_what_the_model_answers(serve):
    endpoint, _ = serve("SentimentAnalysis", "sequence", SENTENCES[:25])
    rows = endpoint.stored_rows()
    counts = pd.crosstab(rows["label"], np.array(endpoint.predict(rows[["text"]]).values)).to_numpy().ravel()
    svg = endpoint.pictures.drawn("confusion_matrix").decode()
    assert all(f">{count}</text>" in svg for count in counts)


def test_entities_are_scored_by_type(serve):
    endpoint, passes = serve("NER", "token", PLACES)
    assert endpoint.pictures.names() == ("entity_scores",)
    svg = endpoint.pictures.drawn("entity_scores").decode()
    assert passes == [200]
    for words in ("200 stored rows", "all entities", "PER (200)", "LOC (200)", "precision", "recall", "F1"):
        assert words in svg
    assert endpoint.pictures.drawn("entity_scores").decode() == svg
    assert passes == [200]


def test_names_of_types_are_only_text(serve):
    hostile = "<script>alert(1)</script>"
    rows = [{"text": "anna lives", "labels": [{"start": 0, "end": 4, "label": hostile}]}]
    endpoint, _ = serve("NER", "token", rows)
    svg = endpoint.pictures.drawn("entity_scores")
    assert b"<script" not in svg
    assert b"&lt;script&gt;" in svg


def test_only_the_most_frequent_types_have_room(serve):
    rows = [
        {"text": "anna", "labels": [{"start": 0, "end": 4, "label": f"T{kind:02}"}]}
        for kind in range(15)
        for _ in range(kind + 1)
    ]
    endpoint, _ = serve("NER", "token", [row | {"text": f"anna {i}"} for i, row in enumerate(rows)])
    svg = endpoint.pictures.drawn("entity_scores").decode()
    assert "T14 (15)" in svg
    assert "T00 (1)" not in svg
    assert "the 12 most frequent of" in svg


def test_rows_without_entities_have_no_picture(serve):
    # One type that no word is likelier to have than none.
    endpoint, _ = serve("NER", "token", [{"text": "anna", "labels": []}], labels=("O",) * 2, seed=1)
    with pytest.raises(BadRequest, match="there is no entity in them"):
        endpoint.pictures.drawn("entity_scores")
