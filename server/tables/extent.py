"""How large a table may be, and that each of its columns has a name of its own."""

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from server.config import Limits
from server.errors import BadRequest, Problem, TooLarge
from server.schema import pointer


def check_extent(rows: int, names: Sequence[str], what: str, limits: Limits) -> None:
    """Accept a table of so many rows with these columns.

    Raises:
        TooLarge: more rows or columns than allowed.
        BadRequest: two columns of one name.
    """
    if rows > limits.rows:
        raise TooLarge(f"{what} has {rows} rows; {limits.rows} are allowed (server.limits.rows)")
    if len(names) > limits.columns:
        raise too_many_columns(len(names), what, limits)
    twice = sorted(name for name, count in Counter(names).items() if count > 1) if len(set(names)) < len(names) else []
    if twice:
        raise BadRequest(
            f"{what} has the column {twice[0]!r} more than once; give each column its own name",
            [Problem(pointer(name), "the name stands more than once") for name in twice],
        )


def check_texts(table: pa.Table, what: str, limits: Limits) -> None:
    """Accept the texts in the table's cells; those within lists and objects are not looked at.

    Raises:
        TooLarge: a text is longer than allowed.
    """
    for name, column in zip(table.column_names, table.columns, strict=True):
        # A cell takes no more bytes than its column, and has no more characters than bytes.
        if not (pat.is_string(column.type) or pat.is_large_string(column.type)) or column.nbytes <= limits.text_chars:
            continue
        if (pc.max(pc.binary_length(column)).as_py() or 0) > limits.text_chars:
            longest = pc.max(pc.utf8_length(column)).as_py()
            if longest > limits.text_chars:
                raise text_too_long(longest, f"{what}, column {name!r}", limits)


def check_fields(fields: dict[str, list[str]], limits: Limits) -> None:
    """Accept rows that came as names, each with its values.

    Raises:
        TooLarge: more rows or columns than allowed, or a longer text.
    """
    check_extent(max(map(len, fields.values())), list(fields), "the request", limits)
    for name, values in fields.items():
        longest = max(map(len, values))
        if longest > limits.text_chars:
            raise text_too_long(longest, f"the field {name!r}", limits)


def text_too_long(length: int, what: str, limits: Limits) -> TooLarge:
    """The error for a text that is longer than allowed."""
    return TooLarge(
        f"{what} holds a text of {length} characters; {limits.text_chars} are allowed (server.limits.text_chars)"
    )


def too_many_columns(count: int | str, what: str, limits: Limits) -> TooLarge:
    """The error for a table with so many columns."""
    return TooLarge(f"{what} has {count} columns; {limits.columns} are allowed (server.limits.columns)")
