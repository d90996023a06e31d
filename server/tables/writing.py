"""DataFrame → bytes in the format a client asked for."""

import re
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet
import pyarrow.types as pat

from server.errors import TooLarge
from server.schema.arrow import to_table
from server.schema.conversion import texts

EXCEL_ROWS = 1_048_576
EXCEL_CHARACTERS = 32_767
CONTENT_TYPES = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "h5": "application/x-hdf5",
}


def write_table(frame: pd.DataFrame, name: str) -> bytes:
    """The rows as bytes in one of the formats of CONTENT_TYPES.

    Raises:
        TooLarge: more rows than the format can hold.
    """
    return WRITERS[name](frame)


def _default(value: Any) -> Any:
    if value is pd.NA or value is pd.NaT or (isinstance(value, np.datetime64) and np.isnat(value)):
        return None
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        return pd.Timestamp(value).isoformat()
    if isinstance(value, np.ndarray):
        return list(value) if value.dtype.kind == "M" else value.tolist()
    return value.item() if isinstance(value, np.generic) else str(value)


def to_json(value: Any) -> bytes:
    """JSON (RFC 8259) of plain and numpy values; NaN, infinities and missing values become null."""
    options = orjson.OPT_NON_STR_KEYS
    # The fast way takes NaT for a moment of the year 1677, or fails on it.
    if not (isinstance(value, np.ndarray) and value.dtype.kind == "M"):
        try:
            return orjson.dumps(value, default=_default, option=options | orjson.OPT_SERIALIZE_NUMPY)
        except TypeError:
            pass
    return orjson.dumps(value, default=_default, option=options)


def plain_json(value: Any) -> str:
    """The value as a JSON text."""
    return to_json(value).decode()


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """One dict of plain values per row."""
    columns = [_plain_list(frame[name]) for name in frame.columns]
    return [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain_list(cells: pd.Series) -> list[Any]:
    if pd.api.types.is_extension_array_dtype(cells.dtype) or pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return cells.astype(object).where(cells.notna(), None).tolist()
    return cells.tolist()


def json_lines(frame: pd.DataFrame) -> bytes:
    """One JSON object a row."""
    return b"".join(to_json(row) + b"\n" for row in records(frame))


def _flat(frame: pd.DataFrame) -> pa.Table:
    """Lists and objects as their JSON text, for formats that know only plain cells."""
    table = to_table(frame)
    for index, field in enumerate(table.schema):
        if pat.is_nested(field.type):
            cells = [None if cell is None else to_json(cell).decode() for cell in table.column(index).to_pylist()]
            table = table.set_column(index, field.name, pa.array(cells, pa.string()))
    return table


def csv_lines(frame: pd.DataFrame, header: bool = True) -> bytes:
    """The rows as CSV (RFC 4180), below the names of their columns or without those."""
    moments = [name for name in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[name].dtype)]
    table = _flat(frame.assign(**{name: texts(frame[name]) for name in moments}))
    sink = BytesIO()
    arrow_csv.write_csv(table, sink, arrow_csv.WriteOptions(include_header=header))
    content = sink.getvalue()
    # An empty line is no row to most readers; quotes make it one.
    return re.sub(rb"(?m)^$(?=\n)", b'""', content) if table.num_columns == 1 else content


def _parquet(frame: pd.DataFrame) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(to_table(frame), sink)
    return sink.getvalue().to_pybytes()


def _xlsx(frame: pd.DataFrame) -> bytes:
    if len(frame) >= EXCEL_ROWS:
        raise TooLarge(f"an XLSX sheet ends at {EXCEL_ROWS - 1} rows, this has {len(frame)}; ask for _format=csv")
    # 6 MB that only those who ask for workbooks need.
    from openpyxl import Workbook

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("data")
    table = _flat(frame)
    sheet.append([_cell(sheet, name) for name in table.column_names])
    columns = [column.to_pylist() for column in table.columns]
    for row in zip(*columns, strict=True):
        sheet.append([_cell(sheet, value) if isinstance(value, (str, float)) else value for value in row])
    sink = BytesIO()
    workbook.save(sink)
    return sink.getvalue()


def _cell(sheet: Any, value: str | float) -> Any:
    """A text cell, which never becomes a formula that runs where the sheet is opened; a number with all digits."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if isinstance(value, float):
        if not np.isfinite(value):
            return None
        short = f"{value:.16g}"
        if float(short) == value:
            return value
        cell = WriteOnlyCell(sheet, value=repr(value))
        cell.data_type = "n"
        return cell
    if len(value) > EXCEL_CHARACTERS:
        raise TooLarge(
            f"an XLSX cell holds {EXCEL_CHARACTERS} characters, one here has {len(value)}; ask for _format=csv"
        )
    cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", value))
    cell.data_type = "s"
    return cell


def _h5(frame: pd.DataFrame) -> bytes:
    plain = _flat(frame).to_pandas()
    for name in plain.columns:
        if isinstance(plain[name].dtype, pd.StringDtype):
            plain[name] = plain[name].astype(object).where(plain[name].notna(), None)
        elif plain[name].dtype == object:
            # HDF5 has no truth value for "missing"; numbers have.
            plain[name] = plain[name].astype("float64")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.h5"
        # The format that can be appended to cannot be empty.
        plain.to_hdf(path, key="data", format="table" if len(plain) else "fixed", index=False)
        return path.read_bytes()


WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    "json": lambda frame: to_json(records(frame)),
    "jsonl": json_lines,
    "csv": csv_lines,
    "xlsx": _xlsx,
    "parquet": _parquet,
    "h5": _h5,
}
