"""CSV, TSV and JSON lines, piece by piece."""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import IO, Any

import pyarrow as pa
import pyarrow.types as pat

from server.config import Limits
from server.tables.header import checked_delimiter
from server.tables.parts import NotParted, Types, TypesChanged
from server.tables.records import csv_record_end, line_end, pieces
from server.tables.spooling import chunks_of, is_blank, size_of
from server.tables.text_formats import (
    BLOCKS,
    Layout,
    cell_text,
    irregular_csv,
    longest_record,
    moments_of,
    parse_csv,
    parse_lines,
)
from server.tables.utf8 import check_text

ROW_NUMBER = re.compile(r"(?<=Row #)\d+")
LINE_BREAKS = b"\r\n"
# The longest line of JSON that is taken apart from the others.
MOST_LINE = 64 << 20
MOST_INTEGER = 2**63


class CsvSource:
    """Delimited text in a file; without a delimiter given, the one of the header line.

    Raises:
        BadRequest: it is no UTF-8, or holds a NUL.
        TooLarge: its header names more columns than allowed.
        NotParted: there is nothing in it.
    """

    def __init__(
        self,
        file: IO[bytes],
        what: str,
        text_columns: Collection[str],
        delimiter: str | None,
        limits: Limits,
        piece: int,
    ) -> None:
        self._file = file
        self._what = what
        self._texts = dict.fromkeys(text_columns, pa.string())
        self._piece = piece
        begin = check_text(file, what)
        if is_blank(file, begin):
            raise NotParted
        self._begin = _behind_empty_lines(file, begin)
        block = longest_record(size_of(file))
        file.seek(self._begin)
        self._layout = Layout(checked_delimiter(file.read(BLOCKS * block), delimiter, what, limits), block)

    def tables(self, types: Types | None) -> Iterator[pa.Table]:
        """See `parts.Source`. A single column is for the whole: an empty line is a row in it."""
        known, rows, changed = dict(types or {}), 0, False
        layout, table = self._layout, pa.table({})
        self._file.seek(self._begin)
        end = csv_record_end(layout.delimiter)
        for piece in pieces(self._file, end, self._piece, BLOCKS * layout.block):
            if not piece.strip(LINE_BREAKS):
                continue
            table = self._parsed(piece, layout, known, rows)
            names = table.column_names
            if len(names) == 1:
                raise NotParted
            layout = replace(layout, names=names)
            if len(set(names)) == len(names):
                joined = _joined(known, table)
                changed |= bool(rows) and joined != known
                known = joined
            rows += table.num_rows
            if table.num_rows and not changed:
                yield table
        if changed:
            raise TypesChanged(known)
        if not rows:
            yield table

    def _parsed(self, piece: bytes, layout: Layout, known: Types, before: int) -> pa.Table:
        """The piece in the types known, or where it does not fit in those that it has itself."""
        # Arrow takes a lone header without a line's end for an empty file.
        piece = piece if piece.endswith((b"\n", b"\r")) else piece + b"\n"
        try:
            if known:
                return parse_csv(piece, layout, known)
        except pa.ArrowInvalid:
            # The types tell no more than that something is wrong; without them it is clear what.
            pass
        try:
            table = parse_csv(piece, layout, self._texts)
            moments = moments_of(table)
            return parse_csv(piece, layout, self._texts | dict.fromkeys(moments, pa.string())) if moments else table
        except pa.ArrowInvalid as error:
            # The header is row 1.
            past = before + 1 if layout.names else 0
            raise irregular_csv(
                self._what, ROW_NUMBER.sub(lambda found: str(int(found[0]) + past), str(error), count=1)
            ) from error


def _behind_empty_lines(file: IO[bytes], begin: int) -> int:
    """The first position from `begin` on that is no line break; the file is there afterwards."""
    file.seek(begin)
    for chunk in chunks_of(file):
        rest = len(chunk.lstrip(LINE_BREAKS))
        begin += len(chunk) - rest
        if rest:
            break
    file.seek(begin)
    return begin


def _joined(known: Types, table: pa.Table) -> dict[str, pa.DataType]:
    """The types in which Arrow would read rows that were read in these types and those of the table."""
    return {field.name: _join(known.get(field.name, field.type), field.type) for field in table.schema}


def _join(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    # Arrow tries one type after the other, and takes the first that every cell of the column fits.
    if one == other or pat.is_null(other):
        return one
    if pat.is_null(one):
        return other
    return pa.float64() if {one, other} == {pa.int64(), pa.float64()} else pa.string()


class JsonLinesSource:
    """One JSON object a line.

    Raises:
        BadRequest: it is no UTF-8, or holds a NUL.
    """

    def __init__(self, file: IO[bytes], what: str, limits: Limits, piece: int) -> None:
        self._file = file
        self._what = what
        self._limits = limits
        self._piece = piece
        self._begin = check_text(file, what)

    def tables(self, types: Types | None) -> Iterator[pa.Table]:
        """See `parts.Source`. Lines that hold no object, and cells that are nested, are for the whole."""
        known, lines, rows, changed = dict(types or {}), 0, 0, False
        self._file.seek(self._begin)
        for piece in pieces(self._file, line_end, self._piece, MOST_LINE):
            parsed = piece.splitlines()
            values = parse_lines(parsed, self._what, lines)
            lines += len(parsed)
            if not values:
                continue
            cells = self._columns(values, known)
            joined = {name: _kind(column, known.get(name, pa.null())) for name, column in cells.items()}
            changed |= bool(rows) and list(joined.items()) != list(known.items())
            known, rows = joined, rows + len(values)
            if not changed:
                yield pa.table({name: _array(column, joined[name]) for name, column in cells.items()})
        if not known:
            raise NotParted
        if changed:
            raise TypesChanged(known)

    def _columns(self, rows: list[Any], known: Types) -> dict[str, list[Any]]:
        """The cells of each column: those known, then others in the order in which they come."""
        if any(type(row) is not dict for row in rows):
            raise NotParted
        names = dict.fromkeys([*known, *rows[0]])
        for row in rows:
            if not row.keys() <= names.keys():
                names |= dict.fromkeys(row)
        if len(names) > self._limits.columns:
            raise NotParted
        return {name: [row.get(name) for row in rows] for name in names}


def _kind(cells: list[Any], known: pa.DataType) -> pa.DataType:
    """The type that a column of these cells and of others, which have the known type, is read in."""
    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds & {list, dict}:
        raise NotParted
    if not kinds:
        return known
    if str in kinds or pat.is_string(known):
        return pa.string()
    if bool in kinds or pat.is_boolean(known):
        if kinds != {bool} or not (pat.is_boolean(known) or pat.is_null(known)):
            # What truth values and numbers become together depends on which of them comes first.
            raise NotParted
        return pa.bool_()
    whole = kinds == {int} and max(cell for cell in cells if cell is not None) < MOST_INTEGER
    return pa.int64() if whole and not pat.is_floating(known) else pa.float64()


def _array(cells: list[Any], kind: pa.DataType) -> pa.Array:
    """The cells in the type that `_kind` found."""
    if pat.is_floating(kind):
        return pa.array([None if cell is None else float(cell) for cell in cells], kind)
    if pat.is_string(kind):
        return pa.array([None if cell is None else cell_text(cell) for cell in cells], kind)
    return pa.array(cells, kind)
