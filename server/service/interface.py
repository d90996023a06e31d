"""What an endpoint takes and answers, as a description for programs tells it."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from server.errors import ServerError
from server.schema import Column
from server.service.endpoint import Endpoint
from server.service.overview import details


@dataclass(frozen=True)
class Interface:
    """The columns of a row to predict, such a row, and what the answers are.

    `kind` is what the model does ("classifier", …), None without a model. `labels` are the classes, where they are
    plain values; `answers` the names of the columns of an answer. `is_own` tells models that were trained here from
    those that a user brought. `is_positional` says that rows may name their columns as they like.
    """

    columns: tuple[Column, ...] = ()
    example: dict[str, Any] = field(default_factory=dict)
    kind: str | None = None
    class_name: str | None = None
    target: str | None = None
    labels: tuple[Any, ...] = ()
    answers: tuple[str, ...] = ()
    has_probabilities: bool = False
    is_own: bool = False
    is_positional: bool = False


def interface(endpoint: Endpoint) -> Interface:
    """What the endpoint takes and answers now."""
    known = details(endpoint)
    served = endpoint.readiness.served_or_none()
    if served is None:
        return Interface(class_name=known.overview.class_name, target=known.overview.target)
    return Interface(
        known.inputs,
        known.example,
        str(known.overview.kind) if known.overview.kind else None,
        known.overview.class_name,
        known.overview.target,
        _labels(served.estimator.estimator),
        known.answers,
        known.has_probabilities,
        bool(served.facts),
        served.schema.positional,
    )


def interface_version(endpoint: Endpoint) -> Hashable:
    """What differs once the model, the rows of which one is an example, or the next training's class do."""
    served = endpoint.readiness.served_or_none()
    try:
        rows, recipe = endpoint.stored.version(), endpoint.settings.recipe()
    except ServerError:
        return served.signature if served else None, None
    return served.signature if served else None, rows, recipe.class_name, recipe.options.target_col


def _labels(estimator: Any) -> tuple[Any, ...]:
    """The classes of a classifier of one target."""
    classes = getattr(estimator, "classes_", None)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        return ()
    return tuple(classes.tolist())
