"""Rows to try a row path with: those of the training, and others made where answers change or end."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from server.estimators.row_path.path import RowPath
from server.estimators.row_path.terms import whole
from server.schema import Column, Kind, Schema
from server.schema.cells import Cell, Unusual

SEED = 20250101
EDGES = 98
# Numbers that only a mistake or an attack sends: beyond float32, below it, beyond any sum.
EXTREMES = (1e60, 0.0, -1.0, 3.5e38, -3.5e38, 1e30, 1e-320, 1e300)
UNKNOWN = "never seen"
# Neighbours of a threshold, in floats; float32 has one in 2**29 of them.
STEPS = (0, 1, -1, 2**28, -(2**28), 2**29, -(2**29))

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
    turns = [(turn, place) for turn in range(max(map(len, cells))) for place in range(len(cells))]
    rows: Rows = []
    for turn, place in turns:
        if turn < len(cells[place]) and len(rows) < most:
            row = list(ordinary[random.integers(len(ordinary))])
            row[place] = cells[place][turn]
            rows.append(row)
    return rows


def _wild_cells(column: Column, usual: Cell) -> tuple[Cell, ...]:
    if column.kind is Kind.BOOLEAN:
        return (None, 0.0, 1.0)
    return (None, UNKNOWN) if column.kind is Kind.TEXT or isinstance(usual, str) else (None, *EXTREMES)


def edge_rows(path: RowPath, ordinary: Rows) -> Iterator[list[Cell]]:
    """Ordinary rows with one number just below, at and just above a threshold of the model's trees."""
    random = np.random.default_rng(SEED)
    features, thresholds = path.kernel.thresholds
    slopes = _slopes(path, ordinary[0])
    for choice in random.permutation(len(features))[: EDGES // len(STEPS)]:
        place, slope, start = slopes.get(int(features[choice]), (0, 0.0, 0.0))
        if slope:
            value = (thresholds[choice] - start) / slope
            for step in STEPS:
                row = list(ordinary[random.integers(len(ordinary))])
                row[place] = float(value + step * np.spacing(value))
                yield row


def _slopes(path: RowPath, row: list[Cell]) -> dict[int, tuple[int, float, float]]:
    """For each encoded column that is a line of one number: that number's place, the slope, the value at 0."""
    found = {}
    for place, cell in enumerate(row):
        if isinstance(cell, str):
            continue
        try:
            low, high = (whole(path.encode([*row[:place], value, *row[place + 1 :]])) for value in (0.0, 1.0))
        except Unusual:
            continue
        for column in np.flatnonzero(low != high):
            found[int(column)] = (place, float(high[column] - low[column]), float(low[column]))
    return found
