"""The training arguments of text models, as a form offers them."""

import inspect
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from server.estimators.catalogue import TEXT_CLASSES
from server.estimators.text_class import ARGUMENTS, TextClass, bounds
from server.service.recipe import Recipe


@dataclass(frozen=True)
class Argument:
    """A number within bounds: `value` is what the recipe sets, `default` what holds where it sets nothing.

    `least` itself is allowed only if `takes_least`. A default of None depends on the model.
    """

    name: str
    least: float
    most: float
    takes_least: bool
    is_whole: bool
    default: float | None
    value: Any = None


def training_arguments(recipe: Recipe | None) -> tuple[Argument, ...]:
    """The arguments of a training; none for an endpoint that does not learn from texts."""
    if recipe is None or recipe.text_col is None:
        return ()
    given = recipe.params if recipe.class_name in TEXT_CLASSES else {}
    return tuple(_argument(name, given.get(name)) for name in ARGUMENTS)


def _argument(name: str, value: Any) -> Argument:
    interval = bounds(name)
    default = inspect.signature(TextClass).parameters[name].default
    takes_least = interval.closed in ("left", "both")
    return Argument(name, interval.left, interval.right, takes_least, interval.type is Integral, default, value)
