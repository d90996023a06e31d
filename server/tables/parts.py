"""Large tables in parts, of which one after another is in memory.

A part has the types that its columns have in the whole table, so that it means the same as in there. For text
they are guessed from what came before; where a later row does not fit, TypesChanged tells the right ones, and
who reads begins anew. What cannot be told part by part raises NotParted, and is to be read as a whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import pandas as pd
import pyarrow as pa

from server.config import Limits
from server.errors import BadRequest
from server.schema.arrow import to_frame
from server.tables.extent import check_extent, check_texts

Types = Mapping[str, pa.DataType]


@dataclass(frozen=True)
class PartSizes:
    """How much is in memory at once, beside what a model makes of it.

    `piece` bytes of text are parsed, or `most_rows` of a file that knows its rows, and put together to parts of
    about `part` bytes. Their rows are a multiple of `group`: BLAS goes through rows in groups, and may round the
    last of them otherwise.
    """

    piece: int = 8 << 20
    part: int = 16 << 20
    most_rows: int = 1 << 17
    group: int = 1 << 10

    def rows(self, table: pa.Table) -> int:
        """The rows of a part, judged by some of the table; 0 if there are none to judge by."""
        if not table.num_rows:
            return 0
        fitting = self.part * table.num_rows // max(1, table.nbytes)
        return min(self.most_rows, max(1, fitting // self.group) * self.group)


USUAL = PartSizes()


class NotParted(Exception):
    """The table must be read as a whole."""


class TypesChanged(Exception):
    """Rows that were read already have other types in the whole table than they were given."""

    def __init__(self, types: Types) -> None:
        super().__init__("the types of columns changed")
        self.types = types


class Source(Protocol):
    """A file that holds a table."""

    def tables(self, types: Types | None) -> Iterator[pa.Table]:
        """The rows in pieces of any length, in the types given or guessed.

        Raises:
            BadRequest, TooLarge: as the whole file would.
            TypesChanged: at the end, when all is read.
            NotParted: at any time.
        """


class PartedTable:
    """A table in a file, which can be read more than once."""

    def __init__(self, source: Source, what: str, limits: Limits, sizes: PartSizes) -> None:
        self._source = source
        self._what = what
        self._limits = limits
        self._sizes = sizes

    def frames(self, types: Types | None = None) -> Iterator[pd.DataFrame]:
        """The rows in parts; one without rows if there are none.

        Raises:
            BadRequest, TooLarge: as `read_upload`; what concerns the whole file is told when all of it was read.
            TypesChanged, NotParted: what was read so far is of no use.
        """
        for table in _regrouped(self._checked(types), self._sizes):
            try:
                frame = to_frame(table)
            except (pa.ArrowException, OverflowError, UnicodeError) as error:
                raise BadRequest(f"{self._what} holds a value that cannot be read: {error}") from error
            yield frame

    def check(self, types: Types | None = None) -> None:
        """Read all of it, and keep nothing.

        Raises:
            BadRequest, TooLarge: as `read_upload`.
            TypesChanged, NotParted: nothing was found out.
        """
        for _ in self._checked(types):
            pass

    def _checked(self, types: Types | None) -> Iterator[pa.Table]:
        """The tables, as long as they keep the limits; who exceeds one is told when all is read."""
        rows, names = 0, []
        for table in self._source.tables(types):
            rows, names = rows + table.num_rows, table.column_names
            if rows <= self._limits.rows and len(set(names)) == len(names) <= self._limits.columns:
                check_texts(table, self._what, self._limits)
                yield table
        check_extent(rows, names, self._what, self._limits)


def _regrouped(tables: Iterable[pa.Table], sizes: PartSizes) -> Iterator[pa.Table]:
    """The same rows in tables of equal length, but for the last."""
    waiting: pa.Table | None = None
    length = 0
    for table in tables:
        waiting = table if waiting is None else pa.concat_tables([waiting, table])
        length = length or sizes.rows(waiting)
        while length and waiting.num_rows > length:
            yield waiting.slice(0, length)
            waiting = waiting.slice(length)
    if waiting is not None:
        yield waiting
