"""What is held out of a training, and the metrics of what was held out."""

import posixpath
import re
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import classification_report

from server.errors import BadRequest, UntrainableRows
from server.estimators.validation import split, validation_metrics

LABELS = ["cv"] * 40 + ["invoice"] * 20 + ["letter"] * 10


def counted(labels, positions):
    return dict(Counter(labels[position] for position in positions))


def test_labels_keep_their_shares():
    train, held_out = split(LABELS, 0.8, seed=1)
    assert counted(LABELS, train) == {"cv": 32, "invoice": 16, "letter": 8}
    assert counted(LABELS, held_out) == {"cv": 8, "invoice": 4, "letter": 2}
    assert sorted([*train, *held_out]) == list(range(70))
    assert train.tolist() == sorted(train)
    assert held_out.tolist() == sorted(held_out)


def test_equal_seeds_split_equally():
    first, again, other = (split(LABELS, 0.5, seed)[0].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("rare", [2, 3])
def test_a_rare_label_is_on_both_sides(share, rare):
    labels = ["common"] * 500 + ["rare"] * rare
    for seed in range(5):
        assert all(counted(labels, side).keys() == {"common", "rare"} for side in split(labels, share, seed))


def test_a_single_row_of_a_label_cannot_be_split():
    with pytest.raises(UntrainableRows, match="'letter' has 1 row; 2 are needed"):
        split(["cv", "cv", "letter"], 0.8, seed=0)
    with pytest.raises(UntrainableRows, match="no rows"):
        split([], 0.8, seed=0)


@pytest.mark.parametrize("share", [0, 1, -0.2, 80, float("nan")])
def test_a_share_that_is_none_is_named(share):
    with pytest.raises(BadRequest, match=f"size_train must lie between 0 and 1, both excluded, not {share:g}"):
        split(LABELS, share, seed=0)


def test_metrics_are_those_of_scikit_learn():
    chance = np.random.default_rng(0)
    true, predicted = chance.choice(["cv", "letter", "note"], (2, 100)).tolist()
    found = validation_metrics(true, predicted)
    report = classification_report(true, predicted, output_dict=True)
    assert found["accuracy"] == pytest.approx(report["accuracy"])
    assert found["f1_macro"] == pytest.approx(report["macro avg"]["f1-score"])
    for label in ("cv", "letter", "note"):
        assert found[f"precision.{label}"] == pytest.approx(report[label]["precision"])
        assert found[f"recall.{label}"] == pytest.approx(report[label]["recall"])
        assert found[f"f1.{label}"] == pytest.approx(report[label]["f1-score"])
    assert len(found) == 2 + 3 * 3
    assert {type(value) for value in found.values()} == {float}


def test_a_label_that_is_never_predicted_has_no_precision():
    found = validation_metrics(["a", "b", "b"], ["b", "b", "b"])
    assert (found["precision.a"], found["recall.a"], found["f1.a"]) == (0, 0, 0)
    assert found["recall.b"] == 1


ODD = ["C#", "C+", "C:", "C/", "C_", "../x", "a\nb", "é", "e\u0301", "Ω 1", "x" * 300, "x" * 301, "\udcff", " "]


def test_names_of_metrics_fit_mlflow_and_stay_apart():
    # A label can be spelled as the name made of another.
    twin = next(name for name in validation_metrics(ODD, ODD) if name.startswith("f1.C_-")).removeprefix("f1.")
    labels = [*ODD, twin]
    names = list(validation_metrics(labels, labels))
    assert len(set(names)) == len(names) == 2 + 3 * len(labels)
    for name in names:
        assert re.fullmatch(r"[\w. -]{1,250}", name)
        assert posixpath.normpath(name) == name
    assert {"f1.é", "f1.Ω 1", "f1.C_"} <= set(names)
    assert validation_metrics(["C#"], ["C#"]).keys() <= set(names)
