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

TEXTS = (
    pat.is_string, pat.is_large_string, pat.is_string_view, pat.is_binary, pat.is_large_binary, pat.is_binary_view,
)  # fmt: skip
# In other encodings a text can be told by those before it: a small page then holds gigabytes, and the reader makes no
# dictionary of it.
DICTIONARY_READS = {"PLAIN", "PLAIN_DICTIONARY", "RLE", "RLE_DICTIONARY", "BIT_PACKED"}


def read_parquet(content: bytes, limits: Limits, what: str) -> pa.Table:
    """The table in a Parquet file.

    Text is read as a dictionary, as it lies in the file: a few values in millions of rows are measured
    before they are written out. Numbers, times and bytes of one length are measured by their rows. Others, such as
    nested columns, can be measured in neither way; they are left to a confined process.

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
        """See `parts.Source`; the file itself tells its types. What `read_parquet` confines is for the whole."""
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
    """The file, once its metadata keep the limits; None if it has columns that cannot be measured.

    `buffered` bytes of a column are read at once; 0 stands for the whole column of a row group.
    """
    file = pyarrow.parquet.ParquetFile(source)
    schema = file.schema_arrow
    _check_metadata(file.metadata, schema, limits, what)
    texts = [field.name for field in schema if _is_text(field.type)]
    if not all(_is_text(field.type) or _is_flat(field.type) for field in schema):
        return None
    if not _encodings_of_texts(file.metadata) <= DICTIONARY_READS:
        return None
    return pyarrow.parquet.ParquetFile(source, read_dictionary=texts, buffer_size=buffered)


def _is_text(kind: pa.DataType) -> bool:
    """Whether the reader can make a dictionary of such a column."""
    kind = kind.value_type if pat.is_dictionary(kind) else kind
    return any(is_text(kind) for is_text in TEXTS)


def _is_wide(kind: pa.DataType) -> bool:
    return pat.is_fixed_size_binary(kind) or pat.is_decimal(kind)


def _is_flat(kind: pa.DataType) -> bool:
    """Whether each cell takes the same number of bytes."""
    return pat.is_primitive(kind) or pat.is_null(kind) or _is_wide(kind)


def _encodings_of_texts(metadata: pyarrow.parquet.FileMetaData) -> set[str]:
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    columns = (group.column(index) for group in groups for index in range(group.num_columns))
    return {name for column in columns if column.physical_type == "BYTE_ARRAY" for name in column.encodings}


def _check_metadata(metadata: pyarrow.parquet.FileMetaData, schema: pa.Schema, limits: Limits, what: str) -> None:
    if metadata.num_rows > limits.rows:
        raise TooLarge(f"{what} has {metadata.num_rows} rows; {limits.rows} are allowed (server.limits.rows)")
    if metadata.num_columns > limits.columns:
        raise too_many_columns(metadata.num_columns, what, limits)
    unpacked = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
    wide = sum(max(0, field.type.byte_width - 8) for field in schema if _is_wide(field.type))
    if max(unpacked, metadata.num_rows * (metadata.num_columns * 8 + wide)) > limits.unpacked_mb * 2**20:
        raise too_large_unpacked(what, limits.unpacked_mb)
