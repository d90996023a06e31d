"""Fitted transformers as functions of one row's cells, with the same float64 arithmetic in the same order."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from server.schema.cells import Cell, Unusual

# Cells as they came, or as an array of float64 with NaN for those that are missing.
Row = Sequence[Cell] | np.ndarray
Step = Callable[[Any], Row]
# The place of a category that has no column of its own, and that of one which must not come.
NOWHERE, REFUSED = -1, -2
# The category None of an array of objects: a missing cell is NaN, which is another one.
NONE_ITSELF = object()


class NotUnderstood(Exception):
    """A part of a pipeline that is not taken apart here; the sentence says which."""


def number_row(cells: Row) -> np.ndarray:
    """float64 of shape (n_cells,), missing cells as NaN.

    Raises:
        Unusual: a cell is text.
    """
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        raise Unusual from None


def imputed(imputer: Any) -> Step:
    """SimpleImputer: the statistic of the column in place of a missing cell."""
    missing, statistics = imputer.missing_values, np.asarray(imputer.statistics_).tolist()
    if not (isinstance(missing, float) and np.isnan(missing)) or imputer.add_indicator:
        raise NotUnderstood("SimpleImputer marks missing cells, or takes other values for missing")
    if any(value is None or value != value for value in statistics):
        raise NotUnderstood("SimpleImputer leaves out columns without any value")
    # These take a text for the number that it spells, or refuse it.
    only_numbers = imputer.strategy in ("mean", "median")

    def step(cells: Row) -> Row:
        if only_numbers and str in map(type, cells):
            cells = number_row(cells)
        if isinstance(cells, np.ndarray):
            return np.where(np.isnan(cells), statistics, cells)
        return [value if cell is None else cell for cell, value in zip(cells, statistics, strict=True)]

    return step


def one_hot(encoder: Any) -> Step:
    """OneHotEncoder: a 1 in the place of each cell's category."""
    _check_encoder(encoder)
    places: list[dict[Any, int]] = []
    others, width = [], 0
    rare_values = _rare(encoder)
    dropped = encoder.drop_idx_ if encoder.drop_idx_ is not None else [None] * len(rare_values)
    for values, rare, drop in zip(encoder.categories_, rare_values, dropped, strict=True):
        numbers, count = _numbered(values, rare)
        gone = None if drop is None else numbers[_key(np.asarray(values)[drop])]
        kept = {number: width + place for place, number in enumerate(n for n in range(count) if n != gone)}
        places.append({value: kept.get(number, NOWHERE) for value, number in numbers.items()})
        others.append(_unknown_place(encoder, kept.get(count - 1, NOWHERE) if len(rare) else NOWHERE))
        width += len(kept)
    return _placing(places, others, width)


def _unknown_place(encoder: Any, rare: int) -> int:
    if encoder.handle_unknown == "ignore":
        return NOWHERE
    return rare if encoder.handle_unknown == "infrequent_if_exist" else REFUSED


def _placing(places: list[dict[Any, int]], others: list[int], width: int) -> Step:
    columns = list(zip(places, others, strict=True))

    def step(cells: Row) -> np.ndarray:
        row = np.zeros(width)
        for cell, (known, other) in zip(_plain(cells), columns, strict=True):
            place = known.get(cell, other)
            if place >= 0:
                row[place] = 1.0
            elif place == REFUSED:
                raise Unusual
        return row

    return step


def ordinal(encoder: Any) -> Step:
    """OrdinalEncoder: the number of each cell's category."""
    _check_encoder(encoder)
    columns = []
    for values, rare in zip(encoder.categories_, _rare(encoder), strict=True):
        numbers: dict[Any, float] = {value: float(number) for value, number in _numbered(values, rare)[0].items()}
        if None in numbers:
            numbers[None] = float(encoder.encoded_missing_value)
        columns.append(numbers)
    unknown = None if encoder.handle_unknown == "error" else float(encoder.unknown_value)

    def step(cells: Row) -> np.ndarray:
        found = [numbers.get(cell, unknown) for cell, numbers in zip(_plain(cells), columns, strict=True)]
        if unknown is None and None in found:
            raise Unusual
        return np.array(found, dtype=np.float64)

    return step


def _plain(cells: Row) -> Sequence[Cell]:
    """Cells as keys of a dict, where a missing one is None: NaN does not equal itself."""
    if isinstance(cells, np.ndarray):
        return [None if cell != cell else cell for cell in cells.tolist()]
    return cells


def _check_encoder(encoder: Any) -> None:
    if np.dtype(encoder.dtype) != np.float64:
        raise NotUnderstood(f"{type(encoder).__name__} makes {np.dtype(encoder.dtype).name}")
    if encoder.handle_unknown == "warn":
        raise NotUnderstood(f"{type(encoder).__name__} warns of unknown categories")


def _rare(encoder: Any) -> list[Any]:
    """The infrequent categories of each column."""
    if encoder.min_frequency is None and encoder.max_categories is None:
        return [()] * len(encoder.categories_)
    return [() if values is None else values for values in encoder.infrequent_categories_]


def _numbered(values: Any, rare: Any) -> tuple[dict[Any, int], int]:
    """Each category's number, the infrequent ones sharing the last, and how many numbers there are."""
    seldom = {_key(value) for value in rare}
    often = [_key(value) for value in values if _key(value) not in seldom]
    numbers = {value: number for number, value in enumerate(often)} | dict.fromkeys(seldom, len(often))
    return numbers, len(often) + bool(seldom)


def _key(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None:
        return NONE_ITSELF
    return None if plain != plain else plain


def standardised(scaler: Any) -> Step:
    """StandardScaler."""
    return _shifted(scaler.mean_ if scaler.with_mean else None, scaler.scale_ if scaler.with_std else None)


def robustly_scaled(scaler: Any) -> Step:
    """RobustScaler."""
    return _shifted(scaler.center_ if scaler.with_centering else None, scaler.scale_ if scaler.with_scaling else None)


def _shifted(center: np.ndarray | None, scale: np.ndarray | None) -> Step:
    def step(cells: Row) -> np.ndarray:
        row = number_row(cells)
        if center is not None:
            row -= center
        if scale is not None:
            row /= scale
        return row

    return step


def min_max_scaled(scaler: Any) -> Step:
    """MinMaxScaler."""

    def step(cells: Row) -> np.ndarray:
        row = number_row(cells)
        row *= scaler.scale_
        row += scaler.min_
        return np.clip(row, *scaler.feature_range) if scaler.clip else row

    return step


def passed(cells: Row) -> Row:
    """passthrough: the cells as they are."""
    return cells
