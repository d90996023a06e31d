"""The cells of single rows: what `parse_features` makes of them, without a table around it."""

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import pandas as pd

from server.schema.columns import Column, Schema
from server.schema.conversion import BOOLEAN_TEXT, EXACT, Kind

# What an encoder takes: a finite number, text, or None for a missing cell.
Cell = float | str | None
# Text that pandas reads as a number; of other digits than ASCII's it reads none.
NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)
# Decimal digits that a float always holds; pandas does not always round more of them as Python does.
DIGITS = 15


class Unusual(Exception):
    """A row that is left to the tables and the pipeline, which answer it or say what is wrong with it."""


def _number(cell: object) -> float | None:
    if isinstance(cell, str):
        if NUMBER.fullmatch(cell):
            return _finite(_parsed(cell.strip()))
        if not cell.strip():
            return None
    elif type(cell) is float or (type(cell) is int and -EXACT <= cell <= EXACT):
        return _finite(float(cell))
    elif cell is None:
        return None
    raise Unusual


def _parsed(text: str) -> float:
    if text.startswith("-") and float(text) == 0:
        # pandas reads "-0" as the integer, which has no sign.
        raise Unusual
    has_exponent = "e" in text or "E" in text
    if not has_exponent and len(text) <= DIGITS:
        return float(text)
    if not has_exponent and "." not in text:
        # Whether pandas reads it as an integer depends on the column's other cells.
        raise Unusual
    return float(pd.to_numeric(text))


def _finite(value: float) -> float:
    if not isfinite(value):
        raise Unusual
    return value


def _boolean(cell: object) -> float | None:
    if cell is None:
        return None
    if isinstance(cell, (str, bool)):
        value = BOOLEAN_TEXT.get(str(cell).strip().lower())
        if value is not None:
            return value
        if not str(cell).strip():
            return None
    raise Unusual


def _text(cell: object) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell or None
    raise Unusual


def _anything(cell: object) -> Cell:
    if isinstance(cell, str) and cell.strip() and not NUMBER.fullmatch(cell):
        return cell
    return _number(cell)


READERS: dict[Kind, Callable[[Any], Cell]] = {
    Kind.INTEGER: _number,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.TEXT: _text,
    Kind.ANY: _anything,
}


class RowReader:
    """Rows as mappings → the cells of the features, in the schema's order.

    Raises:
        Unusual: the schema has columns that need more than their own cell.
    """

    def __init__(self, schema: Schema) -> None:
        if schema.index is not None or not schema.features:
            raise Unusual
        self._columns = [(column.name, _reader(column)) for column in schema.features]
        # Whether such a column holds numbers or text is decided by all of its cells.
        self._alone = any(column.kind is Kind.ANY for column in schema.features)

    def read(self, rows: Sequence[Mapping[str, Any]]) -> list[list[Cell]]:
        """The cells of each row.

        Raises:
            Unusual: a column is missing, or a cell is not plainly what its column holds.
        """
        if self._alone and len(rows) > 1:
            raise Unusual
        try:
            return [[read(row[name]) for name, read in self._columns] for row in rows]
        except KeyError:
            raise Unusual from None


def _reader(column: Column) -> Callable[[Any], Cell]:
    try:
        return READERS[column.kind]
    except KeyError:
        raise Unusual from None
