"""Parquet, measured before it is unpacked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet
import pyarrow.types as pat

from server.config import Limits
from server.errors import BadRequest, TooLarge, too_large_unpacked
from server.tables.confined import read_confined
from server.tables.confined_reader import Grows, decoded, unpacked_size
from server.tables.extent import too_many_columns
from server.tables.parts import NotParted, Types
from server.tables.spooling import CHUNK


def read_parquet(content: bytes, limits: Limits, what: str) -> pa.Table:
    """The table in a Parquet file.

    Text is read as a dictionary, as it lies in the file: a few values in millions of rows are measured
    before they are written out. Nested columns cannot be read so; they are left to a confined process.

    Raises:
        BadRequest: the file is damaged.
        TooLarge: it has more rows than allowed, or grows too much.
    """
    most = int(limits.unpacked_mb * 2**20)
    with _reading(limits, what):
        file = _opened(pa.BufferReader(content), limits, what)
        if file is None:
            return read_confined(content, "parquet", limits, what)
        table = file.read(use_threads=False)
        table.validate()
        return decoded(table, most)


class ParquetSource:
    """A Parquet file."""

    def __init__(self, file: IO[bytes], limits: Limits, what: str, rows: int) -> None:
        self._file = file
        self._limits = limits
        self._what = what
        self._rows = rows

    def tables(self, types: Types | None) -> Iterator[pa.Table]:
        """See `parts.Source`; the file itself tells its types. Nested columns are for the whole."""
        left = int(self._limits.unpacked_mb * 2**20)
        self._file.seek(0)
        with _reading(self._limits, self._what):
            file = _opened(self._file, self._limits, self._what, buffered=CHUNK)
            if file is None:
                raise NotParted
            for batch in file.iter_batches(self._rows, use_threads=False):
                table = pa.Table.from_batches([batch])
                table.validate()
                yield decoded(table, left)
                left -= unpacked_size(table)
            if not file.metadata.num_rows:
                yield decoded(file.read(), left)


@contextmanager
def _reading(limits: Limits, what: str) -> Iterator[None]:
    """Tell what is wrong with the file.

    Raises:
        BadRequest: it is damaged.
        TooLarge: it grows too much.
    """
    try:
        yield
    except Grows as error:
        raise too_large_unpacked(what, limits.unpacked_mb) from error
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        raise BadRequest(f"{what} is damaged or not what it says: {error}") from error


def _opened(source: Any, limits: Limits, what: str, buffered: int = 0) -> pyarrow.parquet.ParquetFile | None:
    """The file, once its metadata keep the limits; None if it has nested columns.

    `buffered` bytes of a column are read at once; 0 stands for the whole column of a row group.
    """
    file = pyarrow.parquet.ParquetFile(source)
    _check_metadata(file.metadata, limits, what)
    schema = file.schema_arrow
    if any(pat.is_nested(field.type) for field in schema):
        return None
    texts = [field.name for field in schema if pat.is_string(field.type) or pat.is_binary(field.type)]
    return pyarrow.parquet.ParquetFile(source, read_dictionary=texts, buffer_size=buffered)


def _check_metadata(metadata: pyarrow.parquet.FileMetaData, limits: Limits, what: str) -> None:
    if metadata.num_rows > limits.rows:
        raise TooLarge(f"{what} has {metadata.num_rows} rows; {limits.rows} are allowed (server.limits.rows)")
    if metadata.num_columns > limits.columns:
        raise too_many_columns(metadata.num_columns, what, limits)
    unpacked = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
    if max(unpacked, metadata.num_rows * metadata.num_columns * 8) > limits.unpacked_mb * 2**20:
        raise too_large_unpacked(what, limits.unpacked_mb)
