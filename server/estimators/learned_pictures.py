"""Pictures of what a model learned: coefficients, feature importances, and the terms that decide on a text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from server.errors import BadRequest
from server.estimators.base import Estimator
from server.estimators.documents import DocumentEstimator
from server.estimators.drawing import Drawing, bars, drawable, shown
from server.estimators.pipeline import CODES

MOST_BARS = 20


def coefficients(estimator: Estimator, features: pd.DataFrame, target: np.ndarray | None) -> Drawing:
    """The largest coefficients with their signs; of several outputs, the mean of their absolute values."""
    values = _numbers(estimator.estimator.coef_, "coef_")
    if values.ndim == 1 or len(values) == 1:
        return _strongest(estimator, values.ravel(), _direction(estimator.estimator))
    label = f"coefficient, mean absolute value of {len(values)}"
    return _strongest(estimator, np.abs(values).mean(axis=0), label)


def feature_importances(estimator: Estimator, features: pd.DataFrame, target: np.ndarray | None) -> Drawing:
    """The largest feature importances."""
    values = _numbers(estimator.estimator.feature_importances_, "feature_importances_")
    return _strongest(estimator, values.ravel(), "importance")


def terms(estimator: Estimator, features: pd.DataFrame, target: np.ndarray | None) -> Drawing:
    """The terms of a text that speak most for each class; of two classes, or of a number, for either side."""
    assert isinstance(estimator, DocumentEstimator)
    names = estimator.term_names or []
    labels, weights = _weights(estimator.estimator)
    note = f"the strongest of {len(names):,} terms"
    if len(labels) == 2:
        order = np.argsort(weights[-1], kind="stable")
        chosen = list(dict.fromkeys([*order[::-1][: MOST_BARS // 2], *order[: MOST_BARS // 2][::-1]]))
        label = f"weight, from {shown(labels[0], 16)} to {shown(labels[1], 16)}"
        return bars([names[index] for index in chosen], [float(weights[-1, index]) for index in chosen], label, note)
    if len(labels) > MOST_BARS:
        note += f"; the first {MOST_BARS} of {len(labels)} classes"
    each = max(1, MOST_BARS // len(labels))
    chosen = [(row, index) for row in range(len(labels)) for index in np.argsort(-weights[row], kind="stable")[:each]]
    entries = [(f"{shown(names[index], 14)} → {shown(labels[row], 12)}", weights[row, index]) for row, index in chosen]
    return bars([name for name, _ in entries[:MOST_BARS]], [value for _, value in entries[:MOST_BARS]], "weight", note)


def has_terms(estimator: Estimator) -> bool:
    """Whether each term has a name and weighs for or against something."""
    if not isinstance(estimator, DocumentEstimator):
        return False
    weighs = any(hasattr(estimator.estimator, name) for name in ("coef_", "feature_log_prob_"))
    return weighs and estimator.term_names is not None


def feature_names(model: Any, count: int) -> list[str]:
    """The names of the columns that the last step was fitted on; x0, x1, … where nobody knows them.

    The prefixes with which a ColumnTransformer tells its steps apart are left out where the names differ without them.
    """
    names = _outgoing(model[:-1]) if isinstance(model, Pipeline) and len(model) > 1 else _incoming(model)
    if names is None or len(names) != count:
        return [f"x{index}" for index in range(count)]
    plain = [_without_prefix(name, _prefixes(model)) for name in names]
    return plain if len(set(plain)) == len(plain) else names


def _incoming(model: Any) -> list[str] | None:
    names = getattr(model[-1] if isinstance(model, Pipeline) else model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _outgoing(steps: Pipeline) -> list[str] | None:
    try:
        return [str(name) for name in steps.get_feature_names_out()]
    except (AttributeError, ValueError, TypeError):
        # Not every transformer names its outputs.
        return None


def _prefixes(model: Any) -> list[str]:
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else []
    return [f"{name}__" for step in steps if isinstance(step, ColumnTransformer) for name, _, _ in step.transformers_]


def _without_prefix(name: str, prefixes: Sequence[str]) -> str:
    prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), "")
    # The pipeline's codes are floats: Pclass_3.0 is class 3.
    return name.removeprefix(prefix).removesuffix(".0" if prefix == f"{CODES}__" else "")


def _numbers(values: Any, attribute: str) -> np.ndarray:
    try:
        return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=float)
    except (TypeError, ValueError) as error:
        raise BadRequest(f"the model's {attribute} are no numbers and cannot be drawn") from error


def _weights(model: Any) -> tuple[list[Any], np.ndarray]:
    """Labels, and for each of them the weight of every feature, shape (n_labels, n_features)."""
    if hasattr(model, "feature_log_prob_"):
        weights = model.feature_log_prob_ - np.mean(model.feature_log_prob_, axis=0)
    else:
        weights = np.atleast_2d(_numbers(model.coef_, "coef_"))
        weights = np.vstack([-weights, weights]) if len(weights) == 1 else weights
    labels = list(getattr(model, "classes_", ("less", "more")))
    if len(labels) != len(weights) or not drawable(weights).all():
        raise BadRequest(f"{type(model).__name__} does not give one finite weight per class to each term")
    return labels, weights


def _direction(model: Any) -> str:
    classes: Any = getattr(model, "classes_", ())
    return f"coefficient, towards {shown(classes[1])}" if len(classes) == 2 else "coefficient"


def _strongest(estimator: Estimator, values: np.ndarray, label: str) -> Drawing:
    names = feature_names(estimator.model, len(values))
    order = [index for index in np.argsort(-np.abs(values), kind="stable") if drawable(values[index])][:MOST_BARS]
    if not order:
        raise BadRequest("the model has no finite values to draw")
    note = f"the {len(order)} largest of {len(values)} features" if len(order) < len(values) else ""
    return bars([names[index] for index in order], [float(values[index]) for index in order], label, note)
