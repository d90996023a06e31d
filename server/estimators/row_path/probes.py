"""Rows to try a row path with: those of the training, and others made where answers change or end."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from server.estimators.row_path.path import RowPath
from server.estimators.row_path.terms import whole
from server.schema import Column, Kind, Schema
from server.schema.cells import Cell, Unusual

SEED = 20250101
# Thresholds of trees near which rows are made.
THRESHOLDS = 32
# Numbers that only a mistake or an attack sends: beyond float32, below it, beyond any sum.
EXTREMES = (1e60, 0.0, -1.0, 3.5e38, -3.5e38, 1e30, 1e-320, 1e300)
UNKNOWN = "never seen"
# Neighbours of a threshold, in floats; float32 has one in 2**29 of them.
NEXT = (0, 1, -1)
STEPS = (*NEXT, 2**28, -(2**28), 2**29, -(2**29))

Rows = list[list[Cell]]


def cells_of(features: pd.DataFrame) -> Rows:
    """The features of the rows as cells, missing ones as None."""
    columns = [features[name].tolist() for name in features.columns]
    return [[None if cell != cell else cell for cell in row] for row in zip(*columns, strict=True)]


def features_of(rows: Rows, schema: Schema) -> pd.DataFrame:
    """The inverse of `cells_of`: what `Schema.parse_features` would make of such rows."""
    columns = zip(schema.features, zip(*rows, strict=True), strict=True)
    arrays = {column.name: _array(column, cells) for column, cells in columns}
    return pd.DataFrame({name: pd.Series(array, dtype=array.dtype) for name, array in arrays.items()})


def _array(column: Column, cells: Sequence[Cell]) -> np.ndarray:
    texts = column.kind is Kind.TEXT or any(isinstance(cell, str) for cell in cells)
    plain = [np.nan if cell is None else cell for cell in cells]
    return np.array(plain, dtype=object if texts else np.float64)


def ordinary_rows(schema: Schema, known: Rows, count: int) -> Rows:
    """Rows like those of the training: each cell out of one of them, of the categories, or of the range."""
    random = np.random.default_rng(SEED)
    columns = [_ordinary_cells(column, [row[place] for row in known]) for place, column in enumerate(schema.features)]
    return [[cells[random.integers(len(cells))] for cells in columns] for _ in range(count)]


def _ordinary_cells(column: Column, known: list[Cell]) -> list[Cell]:
    cells: list[Cell] = [*known, *_categories(column)]
    if column.minimum is not None and column.maximum is not None:
        cells += np.linspace(column.minimum, column.maximum, 50).tolist()
    if not cells:
        cells = [UNKNOWN] if column.kind is Kind.TEXT else np.linspace(-3, 3, 50).tolist()
    return cells


def _categories(column: Column) -> list[Cell]:
    values = column.categories or ()
    if column.kind is Kind.TEXT:
        return [str(value) for value in values if value != ""]
    return [value if isinstance(value, str) else float(value) for value in values]


def wild_rows(schema: Schema, ordinary: Rows, most: int) -> Rows:
    """At most so many ordinary rows with one cell that is missing, unknown or extreme, each column in its turn."""
    random = np.random.default_rng(SEED)
    cells = [_wild_cells(column, ordinary[0][place]) for place, column in enumerate(schema.features)]
    places = random.permutation(len(cells)).tolist()
    turns = [(turn, place) for turn in range(max(map(len, cells))) for place in places if turn < len(cells[place])]
    return [_changed(random, ordinary, place, cells[place][turn]) for turn, place in turns[:most]]


def _wild_cells(column: Column, usual: Cell) -> tuple[Cell, ...]:
    if column.kind is Kind.BOOLEAN:
        return (None, 0.0, 1.0)
    return (None, UNKNOWN) if column.kind is Kind.TEXT or isinstance(usual, str) else (None, *EXTREMES)


def _changed(random: np.random.Generator, ordinary: Rows, place: int, cell: Cell) -> list[Cell]:
    row = list(ordinary[random.integers(len(ordinary))])
    row[place] = cell
    return row


def misplaced_rows(schema: Schema, ordinary: Rows) -> Iterator[list[Cell]]:
    """Rows with text among numbers or a number among texts, of columns of which nobody knows what they hold.

    Such a column's cells are read together, and these rows each by itself.
    """
    random = np.random.default_rng(SEED)
    for place, column in enumerate(schema.features):
        if column.kind is Kind.ANY:
            yield _changed(random, ordinary, place, 1.5 if isinstance(ordinary[0][place], str) else UNKNOWN)


def edge_rows(path: RowPath, schema: Schema, ordinary: Rows, most_ends: int) -> Iterator[list[Cell]]:
    """Ordinary rows with one number just below, at and just above where answers may change.

    That is at a threshold of the model's trees, and at one end of the column's range, where a scaler may clip.
    """
    random = np.random.default_rng(SEED)
    ends = [
        (place, end)
        for place, column in enumerate(schema.features)
        for end in (column.minimum, column.maximum)
        if end is not None and column.kind is not Kind.BOOLEAN
    ]
    chosen = [ends[choice] for choice in random.permutation(len(ends))[:most_ends]]
    near: list[tuple[int, float, tuple[int, ...]]] = [
        (place, value, STEPS) for place, value in _thresholds(path, ordinary[0], random)
    ]
    near += [(place, float(end), NEXT) for place, end in chosen]
    for place, value, steps in near:
        for step in steps:
            yield _changed(random, ordinary, place, float(value + step * np.spacing(value)))


def _thresholds(path: RowPath, row: list[Cell], random: np.random.Generator) -> list[tuple[int, float]]:
    """Numbers at which a tree changes its mind, with their places in a row: all of them, or some of each column."""
    features, thresholds = path.kernel.thresholds
    slopes = list(_slopes(path, row).items()) if len(features) else []
    each = max(1, THRESHOLDS // max(1, len(slopes)))
    found: list[tuple[int, float]] = []
    for choice in random.permutation(len(slopes))[:THRESHOLDS]:
        column, (place, slope, start) = slopes[choice]
        known = np.unique(thresholds[features == column])
        found += [(place, (value - start) / slope) for value in random.permutation(known)[:each].tolist()]
    return found


def _slopes(path: RowPath, row: list[Cell]) -> dict[int, tuple[int, float, float]]:
    """For each encoded column that is a line of one number: that number's place, the slope, the value at 0."""
    found = {}
    for place, cell in enumerate(row):
        if isinstance(cell, str):
            continue
        try:
            rows = [whole(path.encode([*row[:place], value, *row[place + 1 :]])) for value in (0.0, 1.0, 2.0)]
        except Unusual:
            continue
        low, high, higher = rows
        # A category's column is no line.
        for column in np.flatnonzero((low != high) & np.isclose(high - low, higher - high)):
            found[int(column)] = (place, float(high[column] - low[column]), float(low[column]))
    return found
