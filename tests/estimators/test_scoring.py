"""Scores: the model's own, or any scorer of scikit-learn."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import get_scorer, get_scorer_names

from server.errors import BadRequest
from server.estimators.catalogue import find_class
from server.estimators.tabular import TabularEstimator

pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(0)
FEATURES = pd.DataFrame(RANDOM.normal(size=(40, 2)), columns=["a", "b"])
NUMBERS = (3 + FEATURES["a"] + RANDOM.normal(0, 0.1, 40)).to_numpy()
CODES = (FEATURES["a"] + RANDOM.normal(0, 0.5, 40) > 0).to_numpy().astype(np.int64)
LABELS = np.where(CODES, "yes", "no").astype(object)


def fitted(name: str, target=None, **params) -> TabularEstimator:
    estimator = TabularEstimator.create(find_class(name), params, [], [], pipeline=False)
    estimator.fit(FEATURES, target)
    return estimator


def scored(estimator, target, metric=None):
    """The score, or the sentence that says why there is none."""
    try:
        return estimator.score(FEATURES, target, metric)
    except BadRequest as error:
        return error.detail


CASES = {
    "classifier": (fitted("LogisticRegression", CODES), CODES),
    "labels": (fitted("LogisticRegression", LABELS), LABELS),
    "no probabilities": (fitted("LinearSVC", CODES), CODES),
    "regressor": (fitted("Ridge", NUMBERS), NUMBERS),
    "clusterer": (fitted("KMeans", n_clusters=2, n_init=1), CODES),
    "outlier detector": (fitted("IsolationForest", n_estimators=5), np.where(CODES, 1, -1)),
    "transformer": (fitted("PCA"), CODES),
}


@pytest.mark.parametrize("metric", get_scorer_names())
@pytest.mark.parametrize("case", CASES)
def test_every_metric_gives_a_finite_score_or_a_sentence(case, metric):
    score = scored(*CASES[case], metric)
    if isinstance(score, str):
        assert metric in score
    else:
        assert math.isfinite(score)


@pytest.mark.parametrize(
    ("case", "metric"),
    [
        ("classifier", "accuracy"),
        ("classifier", "roc_auc"),
        ("classifier", "neg_log_loss"),
        ("classifier", "f1"),
        ("labels", "f1_macro"),
        ("labels", "roc_auc"),
        ("no probabilities", "roc_auc"),
        ("regressor", "r2"),
        ("regressor", "neg_mean_absolute_error"),
        ("clusterer", "adjusted_rand_score"),
        ("outlier detector", "accuracy"),
    ],
)
def test_a_metric_gives_what_scikit_learn_gives(case, metric):
    estimator, target = CASES[case]
    assert estimator.score(FEATURES, target, metric) == get_scorer(metric)(estimator.model, FEATURES, target)


def test_a_metric_of_probabilities_needs_probabilities():
    assert "neg_log_loss cannot be had for LinearSVC" in scored(*CASES["no probabilities"], "neg_log_loss")


@pytest.mark.parametrize(
    ("given", "near"), [("acuracy", "'accuracy'"), ("Accuracy", "'accuracy'"), ("zzz", "any scorer name"), ("", "any")]
)
def test_an_unknown_metric_is_refused_with_the_nearest(given, near):
    with pytest.raises(BadRequest, match=f"unknown metric '{given}'.*{near}"):
        CASES["classifier"][0].score(FEATURES, CODES, given)


@pytest.mark.parametrize("case", ["classifier", "regressor", "outlier detector"])
def test_without_a_target_there_is_no_score(case):
    assert "target" in scored(CASES[case][0], None)


def test_a_clusterer_with_a_score_of_its_own_needs_no_target():
    estimator = CASES["clusterer"][0]
    assert estimator.score(FEATURES, None) == estimator.model.score(FEATURES)


def test_an_outlier_detector_with_a_score_of_its_own_says_that_it_needs_a_target():
    assert "target" in scored(fitted("EllipticEnvelope"), None)


def test_an_undefined_score_is_a_sentence():
    with pytest.raises(BadRequest, match="undefined"):
        CASES["regressor"][0].score(FEATURES[:1], NUMBERS[:1])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("&_metric=roc_auc", 200),
        ("&_metric=f1_macro", 200),
        ("&_metric=roc_auk", 400),
        ("&_metric=", 400),
        ("&_metric=r2&_metric=f1", 400),
    ],
)
def test_metric_over_http_without_rows_scores_the_stored_data(client, query, status):
    assert client.post(f"/titanic?_action=score{query}").status_code == status
