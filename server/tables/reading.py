"""Uploads and files → one DataFrame."""

import csv
from collections.abc import Collection, Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from server.config import Limits
from server.errors import BadRequest, Problem, TooLarge
from server.schema import pointer
from server.schema.arrow import to_frame
from server.tables.binary_formats import read_parquet
from server.tables.confined import read_confined
from server.tables.formats import Upload, format_of, refuse_unsafe
from server.tables.text_formats import read_csv, read_json, read_json_lines, table_from
from server.tables.unpacking import gunzip


def read_upload(upload: Upload, limits: Limits, text_columns: Collection[str] = ()) -> pd.DataFrame:
    """The table in an upload, with integers, booleans and text kept apart.

    Args:
        upload: the bytes, a file name, a content type.
        limits: what it may hold, and how far it may grow.
        text_columns: columns known to hold text, in which '007' stays '007'.

    Raises:
        BadRequest: no regular table, or two columns of one name.
        TooLarge: more rows, columns or unpacked bytes than allowed.
        UnsupportedFormat: a format that is not read.
    """
    refuse_unsafe(upload)
    packed = upload.content.startswith(b"\x1f\x8b")
    if upload.extension == "gz" or (packed and not upload.extension):
        inner = (upload.filename or "").removesuffix(".gz").removesuffix(".GZ") or None
        upload = Upload(gunzip(upload.content, limits, upload.label), inner)
    table = _read(upload, format_of(upload), limits, text_columns)
    _check_size(table, upload.label, limits)
    try:
        return to_frame(table)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        raise BadRequest(f"{upload.label} holds a value that cannot be read: {error}") from error


def _read(upload: Upload, name: str, limits: Limits, text_columns: Collection[str]) -> pa.Table:
    content, what = upload.content, upload.label
    readers = {
        "csv": lambda: read_csv(content, what, text_columns, None),
        "tsv": lambda: read_csv(content, what, text_columns, "\t"),
        "json": lambda: read_json(content, what, limits),
        "jsonl": lambda: read_json_lines(content, what, limits),
        "xlsx": lambda: read_confined(content, "workbook", limits, what),
        "xls": lambda: read_confined(content, "workbook", limits, what),
        "ods": lambda: read_confined(content, "workbook", limits, what),
        "parquet": lambda: read_parquet(content, limits, what),
        "feather": lambda: read_confined(content, "feather", limits, what),
    }
    return readers[name]()


def _check_size(table: pa.Table, what: str, limits: Limits) -> None:
    if table.num_rows > limits.rows:
        raise TooLarge(f"{what} has {table.num_rows} rows; {limits.rows} are allowed (server.limits.rows)")
    if table.num_columns > limits.columns:
        raise TooLarge(f"{what} has {table.num_columns} columns; {limits.columns} are allowed (server.limits.columns)")
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise BadRequest(
            f"{what} has the column {twice[0]!r} more than once; give each column its own name",
            [Problem(pointer(name), "the name stands more than once") for name in twice],
        )


def read_uploads(uploads: Iterable[Upload], limits: Limits, text_columns: Collection[str] = ()) -> pd.DataFrame:
    """The rows of several uploads, one below the other; all must have the same columns.

    Raises:
        BadRequest: the columns differ.
    """
    frames: list[pd.DataFrame] = []
    for upload in uploads:
        frame = read_upload(upload, limits, text_columns)
        if frame.columns.empty:
            continue
        if frames and set(frame.columns) != set(frames[0].columns):
            odd = sorted(set(frame.columns) ^ set(frames[0].columns))
            raise BadRequest(f"{upload.label} has other columns than the first file: {', '.join(map(repr, odd))}")
        frames.append(frame)
    if not frames:
        return pd.DataFrame()
    rows = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    if len(rows) > limits.rows:
        raise TooLarge(f"{len(rows)} rows in all; {limits.rows} are allowed (server.limits.rows)")
    return rows


def read_instance(values: Mapping[str, Any], limits: Limits) -> pd.DataFrame:
    """The one row of a JSON object, read as the same object in a list would be.

    Raises:
        BadRequest: a value that no cell can hold.
        TooLarge: more columns than allowed.
    """
    what = "the instance"
    table = table_from([dict(values)], what, limits)
    _check_size(table, what, limits)
    if not table.num_columns:
        return pd.DataFrame(index=range(1))
    try:
        return to_frame(table)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        raise BadRequest(f"{what} holds a value that cannot be read: {error}") from error


def read_file(path: Path, limits: Limits, text_columns: Collection[str] = ()) -> pd.DataFrame:
    """The table in a file that the configuration names: its size is the owner's business.

    Raises:
        OSError: the file cannot be read.
    """
    unlimited = limits.model_copy(update={"rows": 2**40, "columns": 2**31, "unpacked_mb": 2**40})
    return read_upload(Upload(path.read_bytes(), path.name), unlimited, text_columns)


def type_cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of text with each column typed as it would be in a CSV file."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(rows.columns)
    writer.writerows(rows.itertuples(index=False))
    return to_frame(read_csv(text.getvalue().encode(), "the fields", (), ","))
