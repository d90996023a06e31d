"""Bounds on what a request may let a training cost: the largest values of parameters, server.limits.parameters."""

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

from server.errors import InvalidParameter
from server.estimators.catalogue import find_class

Caps = Mapping[str, float | None]
# How many models are made of the one within.
COPIES = "n_estimators"
# Of these a search makes candidates; of the other kind of searches this says how many it tries.
GRID, TRIES = "param_grid", "n_iter"


def check_caps(cls: type, params: Mapping[str, Any], caps: Caps) -> None:
    """Accept parameters as `check_parameters` returned them; those of models within them, and of searches, too.

    Raises:
        InvalidParameter: one is larger than a request may set it.
    """
    for owner, name, number, times in _given(cls, params, 1):
        cap = caps.get(name)
        if cap is not None:
            _check(owner, name, number, cap, times if name == COPIES else 1)
        elif name == GRID and caps.get(TRIES) is not None:
            _check_grid(number, caps[TRIES])


def _check_grid(candidates: int, cap: float | None) -> None:
    if cap is not None and candidates > cap:
        raise InvalidParameter(
            f"{GRID} may have {cap:g} candidates at most in a request (server.limits.parameters.{TRIES}), not "
            f"{candidates}; each combination of its values is one"
        )


# The class that a parameter belongs to, if that is known; its name and value, and how many models are made with it.
Given = tuple[type | None, str, Any, float]


def _given(cls: type | None, params: Mapping[str, Any], times: float) -> Iterator[Given]:
    """The parameters that are set, those of models within this one among them."""
    copies = _total(COPIES, params.get(COPIES))
    within = times * max(1, copies) if copies is not None else times
    for name, value in params.items():
        yield from _numbers(cls, name, value, times, within)


def _numbers(cls: type | None, name: str, value: Any, times: float, within: float) -> Iterator[Given]:
    if name == GRID:
        yield cls, name, _candidates(value), times
    if isinstance(value, Mapping):
        yield from _within(value, within)
    elif isinstance(value, Sequence) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            yield from _numbers(cls, name, item, times, within)
    else:
        yield cls, name, value, times


def _candidates(grid: Any) -> int:
    """How many combinations of values a grid, or a list of grids, has."""
    grids = grid if isinstance(grid, list | tuple) else [grid]
    values = [one.values() for one in grids if isinstance(one, Mapping)]
    return sum(prod(len(each) if isinstance(each, list | tuple) else 1 for each in ones) for ones in values)


def _within(value: Mapping[str, Any], times: float) -> Iterator[Given]:
    """Those of a model within the model, or of a search, which lists candidates by their names."""
    if "class" in value and not set(value) - {"class", "params"}:
        yield from _given(find_class(str(value["class"])), value.get("params") or {}, times)
        return
    for path, candidates in value.items():
        for item in candidates if isinstance(candidates, list | tuple) else [candidates]:
            yield from _numbers(None, str(path).rpartition("__")[2], item, times, times)


def _check(cls: type | None, name: str, value: Any, cap: float, times: float) -> None:
    if isinstance(value, str | bool) or (value is None and name == "n_jobs"):
        return
    total = _total(name, value)
    if total is not None:
        total *= times
    if total is None and cls is not None and _default(cls, name) == value:
        return
    if total is None or not total <= cap:
        what = "" if total is not None else ", which stands for no bound"
        told = f"{value}" + (f" ({total:g} in all)" if total is not None and total != value else what)
        raise InvalidParameter(
            f"{name} may be {cap:g} at most in a request (server.limits.parameters.{name}), not {told}"
        )


def _total(name: str, value: Any) -> float | None:
    """The number, or the sum of a list; None for what stands for no bound."""
    if name == "n_jobs" and isinstance(value, int) and value < 0:
        return max(1, (os.cpu_count() or 1) + 1 + value)
    if isinstance(value, list | tuple):
        return sum(number for item in value for number in [_total("", item)] if number is not None)
    if isinstance(value, int | float):
        return None if value < 0 else value
    return None


def _default(cls: type, name: str) -> Any:
    parameter = inspect.signature(cls).parameters.get(name)
    return inspect.Parameter.empty if parameter is None else parameter.default
