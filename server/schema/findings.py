"""Wrong cells of a table that is read part by part, told as if it had been read at once."""

from collections.abc import Sequence

import numpy as np

from server.errors import Problem, ServerError, and_more
from server.schema.conversion import MOST_WRONG, WrongCells


class Findings:
    """The first wrong cells of each of these columns; parts are added in the order of their rows."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._wrong: dict[str, WrongCells] = {}

    def __bool__(self) -> bool:
        return bool(self._wrong)

    def add(self, column: str, wrong: WrongCells, before: int = 0) -> None:
        """Keep the wrong cells of a part that so many rows come before.

        A column is told of by the first check that any of its cells failed, as it is when all are checked at once.
        """
        moved = WrongCells(wrong.rows + before, wrong.values, wrong.expected, wrong.check)
        known = self._wrong.get(column)
        if known is None or moved.check < known.check:
            self._wrong[column] = moved
        elif moved.check == known.check:
            rows = np.concatenate([known.rows, moved.rows])[:MOST_WRONG]
            values = [*known.values, *moved.values][:MOST_WRONG]
            self._wrong[column] = WrongCells(rows, values, known.expected, known.check)

    def problems(self) -> list[Problem]:
        """What is wrong, column after column."""
        found = [name for name in self._columns if name in self._wrong]
        return [problem for name in found for problem in problems_of(name, self._wrong[name])]


def problems_of(column: str, wrong: WrongCells) -> list[Problem]:
    """One problem for each wrong cell."""
    return [
        Problem(pointer(row, column), f"{column}: {_shown(value)} is not {wrong.expected}")
        for row, value in zip(wrong.rows, wrong.values, strict=True)
    ]


def pointer(*tokens: object) -> str:
    """The JSON pointer (RFC 6901) to a cell by row and column, or to a column."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and np.isnan(value):
        # A table may keep a missing cell as one or the other; a client sends null.
        value = None
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 60 else text[:57] + "…"


def refuse(error: type[ServerError], problems: Sequence[Problem]) -> None:
    """Raise the error if there are problems; its sentence is the first one's."""
    if problems:
        first = problems[0]
        where = first.pointer.split("/")
        row = f"row {int(where[1]) + 1}, " if len(where) == 3 else ""
        raise error(f"{row}{first.detail}{and_more(problems)}", problems[:20])
