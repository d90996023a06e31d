"""The child of `confined`: reads one file from standard input. It imports little, as it starts for every file."""

import os
import resource
import sys
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc

UNREADABLE, GROWS = 3, 4
# A reader holds the cells twice: its own, and those it hands over.
COPIES, SPARE = 2, 128 * 2**20
# Bytes of memory for each byte written: a cell takes some of both. What needs more has far cells, or says one often.
PER_BYTE = {"workbook": 16, "feather": 64, "parquet": 64}
SECONDS = 300

LISTS = ((pa.types.is_list, pa.list_), (pa.types.is_large_list, pa.large_list))


class Grows(Exception):
    """The table would take more memory than allowed."""


def main() -> None:
    """The child: arguments are the kind of file and the bytes that its table may take."""
    name, most = sys.argv[1], int(sys.argv[2])
    content = sys.stdin.buffer.read()
    read = READERS[name]()
    _confine(SPARE + min(COPIES * most, PER_BYTE[name] * _written(content)))
    try:
        table = dense(read(content, most))
        if sum(_written_out(chunk) for column in table.columns for chunk in column.chunks) > most:
            raise Grows
        with pyarrow.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
            stream.write_table(table)
        sys.stdout.flush()
        code = 0
    except (Grows, MemoryError):
        code = GROWS
    except BaseException as error:  # noqa: BLE001 - whatever a damaged file brings about; Rust's panics are BaseExceptions
        print(f"{type(error).__name__}: {error}".replace("\n", " "), file=sys.stderr)
        # So the spreadsheet reader says that Python had no memory for a cell.
        code = GROWS if "PyObject pointer is null" in str(error) else UNREADABLE
    sys.stderr.flush()
    os._exit(code)


def _written(content: bytes) -> int:
    """Bytes of the file, or of the parts within it."""
    if not content.startswith(b"PK"):
        return len(content)
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError):
        # Its reader says what is wrong with it.
        return len(content)


def _confine(more: int) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    allowed = used + more
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    # At a hard limit the kernel kills as it does for memory; at the soft one SIGXCPU says why.
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _workbook_reader() -> Callable[[bytes, int], pa.Table]:
    from python_calamine import CalamineWorkbook

    def read(content: bytes, most: int) -> pa.Table:
        if content.startswith(b"PK"):
            with zipfile.ZipFile(BytesIO(content)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > most:
                    raise Grows
        workbook = CalamineWorkbook.from_object(BytesIO(content))
        rows = workbook.get_sheet_by_index(0).to_python(skip_empty_area=False)
        if not rows:
            return pa.table({})
        if len(rows) * len(rows[0]) * 8 > most:
            raise Grows
        if not any(cell != "" for cell in rows[0]):
            raise ValueError("the first row of the first sheet must hold the column names")
        columns = [_column([row[index] for row in rows[1:]]) for index in range(len(rows[0]))]
        return pa.Table.from_arrays(columns, names=[_text(cell) for cell in rows[0]])

    return read


def _column(cells: list[Any]) -> pa.Array:
    """Cells as one type: a spreadsheet knows only floats, so whole ones are integers."""
    cells = [None if cell == "" else cell for cell in cells]
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {float} and all(cell is None or (cell.is_integer() and abs(cell) < 2**53) for cell in cells):
        return pa.array([None if cell is None else int(cell) for cell in cells], pa.int64())
    if kinds and kinds <= {float, int}:
        return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    if kinds and kinds <= {date, datetime}:
        return pa.array([None if cell is None else _moment(cell) for cell in cells], pa.timestamp("us"))
    return pa.array([None if cell is None else _text(cell) for cell in cells], pa.string())


def _text(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _moment(cell: date) -> datetime:
    return cell if isinstance(cell, datetime) else datetime(cell.year, cell.month, cell.day)


def _feather_reader() -> Callable[[bytes, int], pa.Table]:
    def read(content: bytes, most: int) -> pa.Table:
        table = pyarrow.ipc.open_file(pa.BufferReader(content)).read_all()
        # Offsets in the file may point anywhere; nothing is looked at before they are checked.
        table.validate(full=True)
        return decoded(table, most)

    return read


def _parquet_reader() -> Callable[[bytes, int], pa.Table]:
    import pyarrow.parquet

    def read(content: bytes, most: int) -> pa.Table:
        return decoded(pyarrow.parquet.read_table(pa.BufferReader(content), use_threads=False), most)

    return read


def decoded(table: pa.Table, most: int) -> pa.Table:
    """The table with dictionaries written out, measured before that is done.

    Raises:
        Grows: it would take more than `most` bytes.
    """
    if unpacked_size(table) > most:
        raise Grows
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            plain = field.type.value_type
            table = table.set_column(index, pa.field(field.name, plain), table.column(index).cast(plain))
    return table


def unpacked_size(table: pa.Table) -> int:
    """Bytes of the table with its dictionaries written out."""
    return sum(_size(column) for column in table.columns)


def _size(column: pa.ChunkedArray) -> int:
    """Bytes of a column with its dictionary written out, eight a cell at least."""
    size = 8 * len(column)
    if not pa.types.is_dictionary(column.type):
        return max(size, column.nbytes)
    import pyarrow.compute as pc

    for chunk in column.chunks:
        values = chunk.dictionary
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type) or pa.types.is_binary(values.type):
            size += pc.sum(pc.take(pc.binary_length(values), chunk.indices)).as_py() or 0
        else:
            size += len(chunk) * (values.nbytes // max(1, len(values)))
    return size


def dense(table: pa.Table) -> pa.Table:
    """The table with each cell written out, also within lists and objects, where it says one place often.

    Raises:
        pyarrow.ArrowException: it cannot be.
    """
    for index, field in enumerate(table.schema):
        plain = _dense_type(field.type)
        if plain != field.type:
            column = table.column(index)
            if pa.types.is_run_end_encoded(column.type):
                import pyarrow.compute as pc

                column = pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], column.type.value_type)
            table = table.set_column(index, pa.field(field.name, plain), column.cast(plain))
    return table


def _dense_type(kind: pa.DataType) -> pa.DataType:
    """The type of the same cells without dictionaries, runs and views."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        plain = _dense_type(kind.storage_type)
        return kind if plain == kind.storage_type else plain
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _dense_type(kind.value_type)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return pa.string() if types.is_string_view(kind) else pa.binary()
    if types.is_struct(kind):
        return pa.struct([field.with_type(_dense_type(field.type)) for field in kind])
    if types.is_map(kind):
        return pa.map_(_dense_type(kind.key_type), _dense_type(kind.item_type))
    if types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_dense_type(kind.value_type)), kind.list_size)
    # Lists that are views stay so: Arrow's cast to plain ones makes offsets that are wrong.
    for is_list, make in LISTS:
        if is_list(kind):
            return make(kind.value_field.with_type(_dense_type(kind.value_type)))
    return kind


def _written_out(array: pa.Array) -> int:
    """Bytes of the cells, and of those within lists and objects; eight for each at least, also where it is null."""
    size = 8 * len(array)
    if isinstance(array, pa.ExtensionArray):
        return _written_out(array.storage)
    if pa.types.is_struct(array.type):
        return size + sum(_written_out(array.field(index)) for index in range(array.type.num_fields))
    if pa.types.is_list_view(array.type) or pa.types.is_large_list_view(array.type):
        return size + _written_out(array.flatten())
    if pa.types.is_nested(array.type) and hasattr(array, "values"):
        return size + _written_out(array.values)
    return max(size, array.nbytes)


READERS: dict[str, Callable[[], Callable[[bytes, int], pa.Table]]] = {
    "workbook": _workbook_reader,
    "feather": _feather_reader,
    "parquet": _parquet_reader,
}
