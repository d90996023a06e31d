"""CSV, TSV, JSON and JSON lines."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.types as pat

from server.config import Limits
from server.errors import BadRequest, Problem, TooLarge, and_more
from server.schema import pointer
from server.schema.arrow import DEEPEST, has_fields
from server.tables.extent import too_many_columns
from server.tables.header import checked_delimiter
from server.tables.nested import cell_text, is_shallow
from server.tables.utf8 import decode_text

MISSING = ["", "#N/A", "#NA", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "<NA>", "-nan", "-NaN"]

# Arrow refuses a record that lies in more than two of its blocks.
BLOCKS = 3


def read_csv(
    content: bytes, what: str, text_columns: Collection[str], delimiter: str | None, limits: Limits | None = None
) -> pa.Table:
    """A table from delimited text; without a delimiter given, the one of the header line.

    Raises:
        BadRequest: rows of unequal length, or no header.
        TooLarge: its header names more columns than the limits allow, if any are given.
    """
    content = decode_text(content, what)
    if not content.strip():
        return pa.table({})
    if not content.endswith((b"\n", b"\r")):
        # Arrow takes a lone header without a line's end for an empty file.
        content += b"\n"
    block = longest_record(len(content))
    layout = Layout(checked_delimiter(content[: BLOCKS * block], delimiter, what, limits), block)
    types = dict.fromkeys(text_columns, pa.string())
    try:
        table = parse_csv(content, layout, types)
        if table.num_columns == 1:
            # Where there is one column, an empty line is a row with an empty cell.
            content, layout = content.rstrip(b"\r\n") + b"\n", replace(layout, empty_lines=True)
            table = parse_csv(content, layout, types)
        moments = moments_of(table)
        if moments:
            table = parse_csv(content, layout, types | dict.fromkeys(moments, pa.string()))
    except pa.ArrowInvalid as error:
        raise irregular_csv(what, error) from error
    return table


@dataclass(frozen=True)
class Layout:
    """How delimited text is to be parsed: the bytes that a record may have at least, and the names without a header."""

    delimiter: str
    block: int
    empty_lines: bool = False
    names: Sequence[str] | None = None


def longest_record(size: int) -> int:
    """The bytes that a record may have at least in a text of so many."""
    return max(1 << 20, size // 64)


def parse_csv(content: bytes, layout: Layout, types: Mapping[str, pa.DataType]) -> pa.Table:
    """The records as Arrow reads them; types of columns that are not given are found out.

    Raises:
        pyarrow.ArrowInvalid: rows of unequal length, or a cell that its column's type cannot hold.
    """
    return arrow_csv.read_csv(
        pa.BufferReader(content),
        # One thread, so that an error can name its row.
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=layout.block, column_names=layout.names),
        parse_options=arrow_csv.ParseOptions(
            delimiter=layout.delimiter, newlines_in_values=True, ignore_empty_lines=not layout.empty_lines
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=types, strings_can_be_null=True, null_values=MISSING, true_values=["true", "True", "TRUE"],
            false_values=["false", "False", "FALSE"],
        ),
    )  # fmt: skip


def moments_of(table: pa.Table) -> list[str]:
    """Columns that were taken for dates or times; they stay the text they were, as in JSON, which has no dates."""
    return [field.name for field in table.schema if pat.is_temporal(field.type)]


def irregular_csv(what: str, reason: object) -> BadRequest:
    """The error for text that the parser refuses."""
    return BadRequest(f"{what} is not a regular CSV table: {reason}")


def read_json(content: bytes, what: str, limits: Limits) -> pa.Table:
    """A table from a list of objects, an object of columns, a list of lists, or one object.

    JSON lines are understood, too, also when their line breaks were lost on the way.

    Raises:
        BadRequest: this is no JSON, or no table.
    """
    content = decode_text(content, what)
    if not content.strip():
        return pa.table({})
    try:
        return table_from(orjson.loads(content), what, limits)
    except orjson.JSONDecodeError as error:
        if content.lstrip().startswith(b"{"):
            rows = _json_sequence(content)
            if rows is not None:
                return table_from(rows, what, limits)
        raise not_json(what, content, error) from error


def read_json_lines(content: bytes, what: str, limits: Limits) -> pa.Table:
    """A table from one JSON object a line.

    Raises:
        BadRequest: a line is no JSON; it is named.
    """
    return table_from(parse_lines(decode_text(content, what).splitlines(), what), what, limits)


def parse_lines(lines: Iterable[bytes], what: str, before: int = 0) -> list[Any]:
    """The values of lines of JSON, of which so many come before; blank ones have none.

    Raises:
        BadRequest: a line is no JSON; it is named.
    """
    rows = []
    for number, line in enumerate(lines, start=before + 1):
        if line.strip():
            try:
                rows.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise not_json(f"{what}, line {number},", line, error) from error
    return rows


def not_json(what: str, content: bytes, error: orjson.JSONDecodeError) -> BadRequest:
    """The error for text that the parser refuses."""
    around = content[error.pos : error.pos + 12].lstrip(b" -")
    is_constant = around.startswith((b"NaN", b"nan", b"Infinity", b"inf"))
    why = f"NaN and Infinity are no JSON; write null for a missing cell ({error})" if is_constant else error
    return BadRequest(f"{what} is not valid JSON: {why}")


def _json_sequence(content: bytes) -> list[Any] | None:
    """The values of JSON texts one after another (RFC 7464 without its separators), or None."""
    text = content.decode("utf-8").strip()
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    rows, position = [], 0
    try:
        while position < len(text):
            row, position = decoder.raw_decode(text, position)
            rows.append(row)
            while position < len(text) and text[position].isspace():
                position += 1
        orjson.dumps(rows)  # refuses half of a surrogate pair, which Python's parser lets pass
    except (ValueError, TypeError, RecursionError):
        return None
    return rows if len(rows) > 1 else None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def table_from(value: Any, what: str, limits: Limits) -> pa.Table:
    """A table from parsed JSON.

    Raises:
        BadRequest: the value has no rows and columns.
    """
    if isinstance(value, dict):
        return _from_object(value, what, limits)
    if not isinstance(value, list):
        raise BadRequest(f"{what} is a JSON {type(value).__name__}; send a list of objects, one per row")
    if not value:
        return pa.table({})
    if all(type(row) is dict for row in value):
        return _from_records(value, what, limits)
    if all(type(row) is list for row in value):
        return _from_lists(value, what, limits)
    odd = next(index for index, row in enumerate(value) if type(row) is not type(value[0]) or type(row) is not dict)
    raise BadRequest(f"{what}: row {odd + 1} is not an object; send a list of objects, one per row")


def _from_object(value: dict[str, Any], what: str, limits: Limits) -> pa.Table:
    _check_width(len(value), what, limits)
    cells = list(value.values())
    if cells and all(isinstance(cell, list) for cell in cells):
        _refuse_unequal(value, what)
        return pa.table({name: column(name, cell, what) for name, cell in value.items()})
    if cells and all(isinstance(cell, dict) for cell in cells):
        keys = list(dict.fromkeys(key for cell in cells for key in cell))
        return pa.table({name: _array([cell.get(key) for key in keys]) for name, cell in value.items()})
    return _from_records([value], what, limits) if value else pa.table({})


def _refuse_unequal(columns: dict[str, list[Any]], what: str) -> None:
    lengths = {name: len(cells) for name, cells in columns.items()}
    # Most columns are right.
    usual = Counter(lengths.values()).most_common(1)[0][0]
    odd = [name for name, length in lengths.items() if length != usual]
    if odd:
        like = next(name for name, length in lengths.items() if length == usual)
        problems = [Problem(pointer(name), f"{lengths[name]} values instead of {usual}") for name in odd]
        raise BadRequest(
            f"{what}: the columns have unequal lengths: {odd[0]!r} has {lengths[odd[0]]} values, {like!r} has {usual}"
            f"{and_more(problems)}; give every column one value for each row",
            problems[:20],
        )


def column(name: str, cells: list[Any], what: str) -> pa.Array:
    """The cells of one column.

    Raises:
        BadRequest: some are lists or objects, and others are not.
    """
    array = _array(cells)
    kinds = set(map(type, cells)) - {type(None)} if pat.is_string(array.type) else set()
    if kinds & {list, dict} and kinds - {list, dict}:
        row = next(index for index, cell in enumerate(cells) if isinstance(cell, (list, dict)))
        detail = f"the value is a {'list' if isinstance(cells[row], list) else 'object'}, and others are none"
        raise BadRequest(f"{what}: row {row + 1}, {name}: {detail}", [Problem(pointer(row, name), detail)])
    return array


def _from_records(rows: Sequence[dict[str, Any]], what: str, limits: Limits) -> pa.Table:
    first = list(rows[0])
    _check_width(len(first), what, limits)
    if first and all(len(row) == len(first) for row in rows):
        try:
            return pa.table({name: _array([row[name] for row in rows]) for name in first})
        except KeyError:
            pass
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
        if len(names) > limits.columns:
            raise TooLarge(f"{what} has more than {limits.columns} columns (server.limits.columns)")
    if not names:
        raise BadRequest(f"{what}: the rows have no columns")
    return pa.table({name: _array([row.get(name) for row in rows]) for name in names})


def _check_width(columns: int, what: str, limits: Limits) -> None:
    """Refuse too many columns before an array is made of each."""
    if columns > limits.columns:
        raise too_many_columns(columns, what, limits)


def _from_lists(rows: Sequence[list[Any]], what: str, limits: Limits) -> pa.Table:
    width = len(rows[0])
    _check_width(width, what, limits)
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise BadRequest(f"{what}: row {number} has {len(row)} cells, row 1 has {width}")
    return pa.table({str(index): _array([row[index] for row in rows]) for index in range(width)})


def _array(cells: Iterable[Any]) -> pa.Array:
    cells = list(cells)
    if not {list, dict}.isdisjoint(map(type, cells)) and not all(map(is_shallow, cells)):
        raise BadRequest(f"a cell holds lists or objects within one another, {DEEPEST} deep or more")
    try:
        array = pa.array(cells)
    except (pa.ArrowException, OverflowError, TypeError, UnicodeError):
        kinds = {type(cell) for cell in cells if cell is not None}
        if kinds <= {int, float}:
            return pa.array([None if cell is None else float(cell) for cell in cells])
        return pa.array([None if cell is None else cell_text(cell) for cell in cells])
    # Objects that are all empty have no fields to store; their text is kept instead.
    if not has_fields(array.type):
        return pa.array([None if cell is None else cell_text(cell) for cell in cells])
    return array
