"""Everything before the estimator, as one function of a row's cells."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from server.estimators.row_path.steps import (
    NotUnderstood,
    Row,
    Step,
    imputed,
    min_max_scaled,
    number_row,
    one_hot,
    ordinal,
    passed,
    robustly_scaled,
    standardised,
)

# By exact class: a user's subclass may do something else.
STEPS: dict[type, Callable[[Any], Step]] = {
    SimpleImputer: imputed,
    OneHotEncoder: one_hot,
    OrdinalEncoder: ordinal,
    StandardScaler: standardised,
    MinMaxScaler: min_max_scaled,
    RobustScaler: robustly_scaled,
}


def step_of(transformer: Any, names: Sequence[str]) -> Step:
    """A fitted transformer as a function of one row's cells, which `names` tells in their order.

    Raises:
        NotUnderstood: it is not one of those that are taken apart here, or has an option that is not.
    """
    if transformer in (None, "passthrough"):
        return passed
    if type(transformer) is Pipeline:
        return chained([step_of(step, names) for _, step in transformer.steps])
    if type(transformer) is ColumnTransformer:
        return _columns(transformer, names)
    if type(transformer) in STEPS:
        return STEPS[type(transformer)](transformer)
    if not hasattr(transformer, "transform") or hasattr(transformer, "feature_names_in_"):
        # It was fitted on a table, and may ask for its columns by name.
        raise NotUnderstood(f"{type(transformer).__name__} is not taken apart")
    return _own(transformer)


def chained(steps: Sequence[Step]) -> Step:
    """One step after the other."""

    def step(cells: Row) -> Row:
        for each in steps:
            cells = each(cells)
        return cells

    return step


def _own(transformer: Any) -> Step:
    """The transformer's own `transform`, on the array that it was fitted on."""

    def step(cells: Row) -> np.ndarray:
        made = transformer.transform(number_row(cells)[np.newaxis])
        return np.asarray(made.toarray() if sparse.issparse(made) else made, dtype=np.float64)[0]

    return step


def _columns(transformer: ColumnTransformer, names: Sequence[str]) -> Step:
    if transformer.transformer_weights:
        raise NotUnderstood("ColumnTransformer weighs its transformers")
    parts = []
    for name, part, columns in transformer.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        places = _places(columns, names)
        if places:
            inner = passed if _is_identity(part) else step_of(part, [names[place] for place in places])
            parts.append((transformer.output_indices_[name].start, _selecting(places), inner))
    if not parts:
        raise NotUnderstood("ColumnTransformer keeps no column")
    ordered = [(select, inner) for _, select, inner in sorted(parts, key=lambda part: part[0])]

    def step(cells: Row) -> np.ndarray:
        made = [inner(select(cells)) for select, inner in ordered]
        return np.concatenate([one if type(one) is np.ndarray else number_row(one) for one in made])

    return step


def _selecting(places: list[int]) -> Callable[[Any], Any]:
    """What takes the cells in these places, as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda cells: (cells[places[0]],)


def _is_identity(part: Any) -> bool:
    """Whether it is what ColumnTransformer puts in the place of "passthrough"."""
    return type(part).__name__ == "FunctionTransformer" and part.func is None


def _places(columns: Any, names: Sequence[str]) -> list[int]:
    if isinstance(columns, slice) and not any(isinstance(end, str) for end in (columns.start, columns.stop)):
        return list(range(len(names)))[columns]
    if not isinstance(columns, (list, tuple, np.ndarray)):
        raise NotUnderstood(f"ColumnTransformer selects columns by {columns!r}")
    chosen = np.asarray(columns)
    if chosen.dtype.kind == "b":
        return np.flatnonzero(chosen).tolist()
    known = {name: place for place, name in enumerate(names)}
    try:
        return [known[str(one)] if isinstance(one, str) else range(len(names))[int(one)] for one in chosen.tolist()]
    except (KeyError, IndexError) as error:
        raise NotUnderstood(f"ColumnTransformer selects {error.args[0]!r}, which is no column of the schema") from error
