"""Parquet, measured before it is unpacked."""

import pyarrow as pa
import pyarrow.parquet
import pyarrow.types as pat

from server.config import Limits
from server.errors import BadRequest, TooLarge, too_large_unpacked
from server.tables.confined import read_confined
from server.tables.confined_reader import Grows, decoded


def read_parquet(content: bytes, limits: Limits, what: str) -> pa.Table:
    """The table in a Parquet file.

    Text is read as a dictionary, as it lies in the file: a few values in millions of rows are measured
    before they are written out. Nested columns cannot be read so; they are left to a confined process.

    Raises:
        BadRequest: the file is damaged.
        TooLarge: it has more rows than allowed, or grows too much.
    """
    most = int(limits.unpacked_mb * 2**20)
    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(content))
        _check_metadata(file.metadata, limits, what)
        schema = file.schema_arrow
        if any(pat.is_nested(field.type) for field in schema):
            return read_confined(content, "parquet", limits, what)
        texts = [field.name for field in schema if pat.is_string(field.type) or pat.is_binary(field.type)]
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
        table = file.read(use_threads=False)
        table.validate()
        return decoded(table, most)
    except Grows as error:
        raise too_large_unpacked(what, limits.unpacked_mb) from error
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        raise BadRequest(f"{what} is damaged or not what it says: {error}") from error


def _check_metadata(metadata: pyarrow.parquet.FileMetaData, limits: Limits, what: str) -> None:
    if metadata.num_rows > limits.rows:
        raise TooLarge(f"{what} has {metadata.num_rows} rows; {limits.rows} are allowed (server.limits.rows)")
    if metadata.num_columns > limits.columns:
        raise TooLarge(
            f"{what} has {metadata.num_columns} columns; {limits.columns} are allowed (server.limits.columns)"
        )
    unpacked = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
    if max(unpacked, metadata.num_rows * metadata.num_columns * 8) > limits.unpacked_mb * 2**20:
        raise too_large_unpacked(what, limits.unpacked_mb)
