"""Scores: the model's own, or any of scikit-learn's scorers by name."""

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import get_scorer, get_scorer_names, mean_absolute_error

from server.errors import BadRequest, NoScore, did_you_mean
from server.estimators.base import ModelKind

COMPARING = (ModelKind.CLASSIFIER, ModelKind.REGRESSOR, ModelKind.OUTLIER_DETECTOR)
# For kinds whose classes often have no score of their own.
FALLBACK = {ModelKind.CLUSTERER: "adjusted_rand_score", ModelKind.OUTLIER_DETECTOR: "accuracy"}


def check_metric(metric: str | None) -> None:
    """Accept the name of a scorer, or none.

    Raises:
        BadRequest: there is no scorer of that name.
    """
    if metric is not None and metric not in get_scorer_names():
        near = did_you_mean(metric, get_scorer_names())
        raise BadRequest(f"unknown metric {metric!r}{near or '; any scorer name of scikit-learn can be given'}")


def score_of(
    model: Any, kind: ModelKind, features: pd.DataFrame, target: np.ndarray | None, metric: str | None
) -> float:
    """A finite score.

    Raises:
        NoScore: the model has none, there is no target to compare with, or it is undefined.
        BadRequest: the metric is unknown, or fails for this model and these rows.
    """
    check_metric(metric)
    name = type(model[-1] if hasattr(model, "steps") else model).__name__
    if metric is None and not hasattr(model, "score"):
        metric = FALLBACK.get(kind)
        if metric is None or target is None:
            raise NoScore(f"{name} has no score of its own; name a _metric, and give a target column")
    if target is None and (metric is not None or kind in COMPARING):
        raise NoScore(f"{metric or 'the score'} compares with a target, and there is no target column")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = float(get_scorer(metric)(model, features, target) if metric else model.score(features, target))
    except (ValueError, TypeError, AttributeError, NotImplementedError) as error:
        raise BadRequest(f"{metric or 'the score'} cannot be had for {name} on these rows: {error}") from error
    if not math.isfinite(value):
        raise NoScore(f"{metric or 'the score'} is undefined for these rows (too few of them, or all alike)")
    return value


def score_of_values(predicted: np.ndarray, target: np.ndarray | None, metric: str | None) -> float:
    """The mean absolute error of numbers, or what a scorer makes of them; greater is better for scorers.

    Raises:
        NoScore: there is no target to compare with, or the score is undefined.
        BadRequest: the metric is unknown, or needs more than predictions.
    """
    check_metric(metric)
    if target is None:
        raise NoScore(f"{metric or 'the score'} compares with a target, and there is no target column")
    try:
        if metric is None:
            value = float(mean_absolute_error(target, predicted))
        else:
            scorer = get_scorer(metric)
            value = float(scorer._sign * scorer._score_func(target, predicted, **scorer._kwargs))
    except (ValueError, TypeError) as error:
        raise BadRequest(f"{metric or 'the score'} cannot be had for these rows: {error}") from error
    if not math.isfinite(value):
        raise NoScore(f"{metric or 'the score'} is undefined for these rows (too few of them, or all alike)")
    return value
