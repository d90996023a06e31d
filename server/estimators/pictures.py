"""The pictures of a model: which there are, which models have them, and how they are drawn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from server.errors import InvalidParameter, did_you_mean
from server.estimators.base import Estimator, ModelKind
from server.estimators.drawing import WIDTHS, Drawing, svg
from server.estimators.entity_picture import entity_scores
from server.estimators.forecast_picture import forecast
from server.estimators.learned_pictures import coefficients, feature_importances, has_terms, terms
from server.estimators.prediction_pictures import clusters, components, confusion_matrix, prediction_error, roc_curve


def _is(kind: ModelKind) -> Callable[[Estimator], bool]:
    return lambda estimator: estimator.kind is kind


def _groups(estimator: Estimator) -> bool:
    grouping = estimator.kind in (ModelKind.CLUSTERER, ModelKind.OUTLIER_DETECTOR)
    return grouping and hasattr(estimator.model, "predict")


def _transforms(estimator: Estimator) -> bool:
    return hasattr(estimator.model, "transform") and not hasattr(estimator.model, "predict")


def _has(attribute: str) -> Callable[[Estimator], bool]:
    return lambda estimator: hasattr(estimator.estimator, attribute)


def _has_coefficients(estimator: Estimator) -> bool:
    # Those of texts are told as terms.
    return hasattr(estimator.estimator, "coef_") and not has_terms(estimator)


def _scores_classes(estimator: Estimator) -> bool:
    scores = any(hasattr(estimator.model, name) for name in ("predict_proba", "decision_function"))
    return estimator.kind is ModelKind.CLASSIFIER and scores and hasattr(estimator.estimator, "classes_")


@dataclass(frozen=True)
class Picture:
    """One kind of picture: `suits` says whether a model has it, `compares` whether it needs the target."""

    name: str
    title: str
    suits: Callable[[Estimator], bool]
    draw: Callable[[Estimator, pd.DataFrame, np.ndarray | None], Drawing]
    compares: bool = False


PICTURES = (
    Picture("confusion_matrix", "Confusion matrix", _is(ModelKind.CLASSIFIER), confusion_matrix, compares=True),
    Picture("roc_curve", "ROC curve", _scores_classes, roc_curve, compares=True),
    Picture("prediction_error", "Predicted against true", _is(ModelKind.REGRESSOR), prediction_error, compares=True),
    Picture("entity_scores", "Entities by type", _is(ModelKind.RECOGNIZER), entity_scores, compares=True),
    Picture("forecast", "Forecast", _is(ModelKind.FORECASTER), forecast),
    Picture("terms", "Strongest terms", has_terms, terms),
    Picture("coefficients", "Coefficients", _has_coefficients, coefficients),
    Picture("feature_importances", "Feature importances", _has("feature_importances_"), feature_importances),
    Picture("components", "Components", _transforms, components),
    Picture("clusters", "Clusters", _groups, clusters),
)


def picture_names(estimator: Estimator, has_target: bool) -> tuple[str, ...]:
    """The pictures that the model has for rows with or without a target."""
    return tuple(
        picture.name for picture in PICTURES if (has_target or not picture.compares) and picture.suits(estimator)
    )


def draw(
    estimator: Estimator, name: str, features: pd.DataFrame, target: np.ndarray | None, shape: str = "usual"
) -> bytes:
    """A picture as an SVG document.

    Args:
        estimator: a fitted model.
        name: one of `picture_names`.
        features: what `Schema.parse_features` returns, at least one row.
        target: the true values of these rows, shape (n_rows,).
        shape: "usual", or "wide" for twice the width at the same height.

    Raises:
        InvalidParameter: the model has no such picture, or pictures no such shape.
        BadRequest: it cannot be drawn from these rows.
    """
    if shape not in WIDTHS:
        raise InvalidParameter(f"unknown _shape {shape!r}; known: {', '.join(WIDTHS)}")
    names = picture_names(estimator, target is not None)
    if name not in names:
        listing = f"it has {', '.join(names)}" if names else "it has none"
        raise InvalidParameter(f"{estimator.class_name} has no picture {name!r}{did_you_mean(name, names)}; {listing}")
    picture = next(entry for entry in PICTURES if entry.name == name)
    return svg(picture.title, picture.draw(estimator, features, target), shape)
