"""How large a table may be, and that each of its columns has a name of its own."""

from collections.abc import Sequence

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
        raise TooLarge(f"{what} has {len(names)} columns; {limits.columns} are allowed (server.limits.columns)")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise BadRequest(
            f"{what} has the column {twice[0]!r} more than once; give each column its own name",
            [Problem(pointer(name), "the name stands more than once") for name in twice],
        )
