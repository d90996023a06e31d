"""The cells of single rows: what `parse_features` makes of them, without a table around it."""

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from server.schema.columns import Column, Schema
from server.schema.conversion import BOOLEAN_TEXT, EXACT, Kind

# What an encoder takes: a finite number, text, or None for a missing cell.
Cell = float | str | None
# Text that pandas reads as a number; of other digits than ASCII's it reads none.
NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)
# What pandas does not always round as Python does: exponents, and more digits than a float holds.
MOST_DIGITS = 15


class Unusual(Exception):
    """A row that is left to the tables and the pipeline, which answer it or say what is wrong with it."""


def _number(cell: object) -> float | None:
    if isinstance(cell, str):
        if NUMBER.fullmatch(cell):
            return _finite(float(cell), cell)
        if not cell.strip():
            return None
    elif type(cell) is float or (type(cell) is int and -EXACT <= cell <= EXACT):
        return _finite(float(cell), "")
    elif cell is None:
        return None
    raise Unusual


def _finite(value: float, text: str) -> float:
    # pandas reads "-0" as the integer, which has no sign.
    if not isfinite(value) or (value == 0 and "-" in text):
        raise Unusual
    if text and ("e" in text or "E" in text or len(text.strip()) > MOST_DIGITS):
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
