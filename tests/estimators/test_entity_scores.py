"""Scores of entities: seqeval's definition, and a sentence where there is nothing to count."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.metrics.sequence_labeling import get_entities

from server.errors import NoScore
from server.estimators.entity_scores import entity_scores
from server.estimators.spans import Entity

PERSON = Entity(0, 5, "PER")
PLACE = Entity(9, 14, "LOC")
TAGS = st.sampled_from(["O", "O", *(f"{prefix}-{label}" for prefix in "BI" for label in ("PER", "LOC", "ORG"))])
PAIRS = st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=12), min_size=1, max_size=5)


def entities_of(tags):
    return [Entity(first, last + 1, label) for label, first, last in get_entities(tags)]


@settings(deadline=None)
@given(PAIRS)
def test_the_scores_are_those_of_seqeval(texts):
    true = [[tag for tag, _ in text] for text in texts]
    predicted = [[tag for _, tag in text] for text in texts]
    pair = [list(map(entities_of, true)), list(map(entities_of, predicted))]
    if not any(map(any, pair)):
        with pytest.raises(NoScore):
            entity_scores(*pair)
        return
    report = classification_report(true, predicted, output_dict=True, zero_division=0)
    scores = entity_scores(*pair)
    overall = {"precision": scores["precision"], "recall": scores["recall"], "f1": scores["score"]}
    support = sum(label["support"] for label in scores["labels"].values())
    ours = scores["labels"] | {"micro avg": overall | {"support": support}}
    assert {name for name in report if not name.endswith("avg")} == set(scores["labels"])
    for name, expected in ours.items():
        renamed = {key.replace("-score", ""): value for key, value in report[name].items()}
        assert expected == pytest.approx(renamed, abs=1e-12), name


def test_the_answer_has_plain_numbers_and_sorted_labels():
    scores = entity_scores([[PERSON, PLACE], []], [[PERSON], [PLACE]])
    assert scores == {
        "score": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5,
        "labels": {
            "LOC": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
            "PER": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1},
        },
    }  # fmt: skip
    assert json.loads(json.dumps(scores)) == scores
    assert list(scores["labels"]) == ["LOC", "PER"]


@pytest.mark.parametrize("answered", [Entity(0, 4, "PER"), Entity(1, 5, "PER"), Entity(0, 5, "LOC")])
def test_an_entity_that_differs_in_anything_is_wrong(answered):
    assert entity_scores([[PERSON]], [[answered]])["score"] == 0.0


def test_a_label_that_is_only_predicted_has_no_support():
    scores = entity_scores([[PERSON]], [[PERSON, PLACE]])
    assert scores["labels"]["LOC"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert (scores["precision"], scores["recall"]) == (0.5, 1.0)


@pytest.mark.parametrize("texts", [[], [[]], [[], []]])
def test_no_entity_at_all_is_no_score(texts):
    with pytest.raises(NoScore, match="there is no entity in them, and none is predicted"):
        entity_scores(texts, texts)
