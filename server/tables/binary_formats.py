"""XLSX, XLS, ODS, Parquet and Feather."""

from collections.abc import Callable
from datetime import date, datetime
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
from python_calamine import CalamineWorkbook

from server.config import Limits
from server.errors import BadRequest, TooLarge
from server.tables.unpacking import check_archive, too_large


def read_workbook(content: bytes, limits: Limits, what: str) -> pa.Table:
    """The first sheet of a workbook; its first row holds the column names.

    Raises:
        BadRequest: the file cannot be read.
        TooLarge: it grows too much.
    """
    if content.startswith(b"PK"):
        check_archive(content, limits, what)
    try:
        workbook = CalamineWorkbook.from_object(BytesIO(content))
        rows = workbook.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except BaseException as error:
        # The reader is written in Rust; its panics derive from BaseException.
        if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
            raise
        raise BadRequest(f"{what} is not a readable spreadsheet: {error}") from error
    if not rows:
        return pa.table({})
    header = [_name(cell) for cell in rows[0]]
    columns = [_column([row[index] for row in rows[1:]]) for index in range(len(header))]
    return pa.Table.from_arrays(columns, names=header)


def _name(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _column(cells: list[Any]) -> pa.Array:
    """Cells as one type: a spreadsheet knows only floats, so whole ones are integers."""
    cells = [None if cell == "" else cell for cell in cells]
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {float} and all(cell is None or (cell.is_integer() and abs(cell) < 2**53) for cell in cells):
        return pa.array([None if cell is None else int(cell) for cell in cells])
    if kinds and kinds <= {date, datetime}:
        return pa.array([None if cell is None else _moment(cell) for cell in cells])
    if len(kinds) > 1 and not kinds <= {int, float}:
        return pa.array([None if cell is None else _name(cell) for cell in cells])
    return pa.array(cells) if kinds <= {int, float, bool, str} else pa.array([c and str(c) for c in cells])


def _moment(cell: date) -> datetime:
    return cell if isinstance(cell, datetime) else datetime(cell.year, cell.month, cell.day)


def read_parquet(content: bytes, limits: Limits, what: str) -> pa.Table:
    """A Parquet file, measured by its metadata before its pages are unpacked.

    Raises:
        BadRequest: the file is damaged.
        TooLarge: it grows too much.
    """

    def read() -> pa.Table:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(content))
        metadata = file.metadata
        if metadata.num_rows > limits.rows:
            raise TooLarge(f"{what} has {metadata.num_rows} rows; {limits.rows} are allowed (server.limits.rows)")
        unpacked = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
        # Dictionary and run-length encodings hide how wide the rows are: eight bytes a cell at least.
        if max(unpacked, metadata.num_rows * metadata.num_columns * 8) > limits.unpacked_mb * 2**20:
            raise too_large(what, limits)
        return file.read(use_threads=False)

    return _arrow(read, what)


def read_feather(content: bytes, limits: Limits, what: str) -> pa.Table:
    """A Feather (Arrow IPC) file, batch by batch.

    Raises:
        BadRequest: the file is damaged.
        TooLarge: it grows too much.
    """

    def read() -> pa.Table:
        file = pyarrow.ipc.open_file(pa.BufferReader(content))
        batches, size = [], 0
        for index in range(file.num_record_batches):
            batch = file.get_batch(index)
            size += batch.nbytes
            if size > limits.unpacked_mb * 2**20:
                raise too_large(what, limits)
            batches.append(batch)
        return pa.Table.from_batches(batches, schema=file.schema)

    return _arrow(read, what)


def _arrow(read: Callable[[], pa.Table], what: str) -> pa.Table:
    try:
        return read()
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        raise BadRequest(f"{what} is damaged or not what it says: {error}") from error
