"""Uploads and files → one DataFrame."""

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from server.config import Limits
from server.errors import BadRequest, TooLarge
from server.schema.arrow import to_frame
from server.tables.binary_formats import ParquetSource, read_parquet
from server.tables.confined import read_confined
from server.tables.extent import check_extent, check_texts
from server.tables.formats import Upload, format_of, is_read_whole, refuse_unsafe
from server.tables.parts import USUAL, NotParted, PartedTable, PartSizes, Source, TypesChanged
from server.tables.spooling import SPOOLED, held_chunks, size_of, spooled
from server.tables.text_formats import column, read_csv, read_json, read_json_lines, table_from
from server.tables.text_parts import CsvSource, JsonLinesSource
from server.tables.unpacking import gunzipped


def read_upload(upload: Upload, limits: Limits, text_columns: Collection[str] = ()) -> pd.DataFrame:
    """The table in an upload, with integers, booleans and text kept apart.

    Args:
        upload: the bytes, a file name, a content type.
        limits: what it may hold, and how far it may grow.
        text_columns: columns known to hold text, in which '007' stays '007'.

    Raises:
        BadRequest: no regular table, or two columns of one name.
        TooLarge: more rows, columns or unpacked bytes than allowed, or a longer text.
        UnsupportedFormat: a format that is not read.
    """
    with _unpacked(upload, limits) as upload:
        name = format_of(upload)
        is_checked = upload.is_large and _check_in_parts(upload, name, limits, text_columns)
        content = upload.content if is_checked else upload.held(limits)
        table = _read(content, upload.label, name, limits, text_columns)
    return _framed(table, upload.label, limits)


@contextmanager
def _unpacked(upload: Upload, limits: Limits) -> Iterator[Upload]:
    """The upload without its gzip; what comes out of one and is large lies in a file."""
    refuse_unsafe(upload)
    if not _is_packed(upload):
        yield upload
        return
    name, chunks = _name_within(upload), gunzipped(upload.opened(), limits, upload.label)
    if is_read_whole(name, None):
        chunks = held_chunks(chunks, limits, upload.label)
    with spooled(chunks) as file:
        body = file if size_of(file) > SPOOLED else file.read()
        upload = Upload(body, name)
        refuse_unsafe(upload)
        yield upload


def _check_in_parts(upload: Upload, name: str, limits: Limits, text_columns: Collection[str]) -> bool:
    """Refuse what would be refused as a whole before the whole is in memory; whether it could be read in parts.

    Raises:
        BadRequest, TooLarge: as reading the whole.
    """
    if name == "json" and upload.head.strip() and upload.head.lstrip()[:1] not in (b"{", b"["):
        raise BadRequest(f"{upload.label} is not valid JSON: it begins with neither a list nor an object")
    try:
        table = PartedTable(_source(upload, name, limits, text_columns, USUAL), upload.label, limits, USUAL)
        try:
            table.check()
        except TypesChanged as changed:
            table.check(changed.types)
    except NotParted:
        return False
    return True


def _is_packed(upload: Upload) -> bool:
    return upload.extension == "gz" or (upload.head.startswith(b"\x1f\x8b") and not upload.extension)


def _name_within(upload: Upload) -> str | None:
    return (upload.filename or "").removesuffix(".gz").removesuffix(".GZ") or None


@contextmanager
def parted(
    upload: Upload, limits: Limits, text_columns: Collection[str] = (), sizes: PartSizes = USUAL
) -> Iterator[PartedTable]:
    """The table in an upload, to be read part by part: the same rows, in the same types, as of `read_upload`.

    Raises:
        NotParted: it must be read as a whole, as far as its format tells.
        BadRequest, TooLarge, UnsupportedFormat: as `read_upload`.
    """
    with _unpacked(upload, limits) as upload:
        source = _source(upload, format_of(upload), limits, text_columns, sizes)
        yield PartedTable(source, upload.label, limits, sizes)


def _source(upload: Upload, name: str, limits: Limits, text_columns: Collection[str], sizes: PartSizes) -> Source:
    file, what = upload.opened(), upload.label
    sources: dict[str, Callable[[], Source]] = {
        "csv": lambda: CsvSource(file, what, text_columns, None, limits, sizes.piece),
        "tsv": lambda: CsvSource(file, what, text_columns, "\t", limits, sizes.piece),
        "jsonl": lambda: JsonLinesSource(file, what, limits, sizes.piece),
        "parquet": lambda: ParquetSource(file, limits, what, sizes.most_rows),
    }
    if name not in sources:
        raise NotParted
    return sources[name]()


def _read(content: bytes, what: str, name: str, limits: Limits, text_columns: Collection[str]) -> pa.Table:
    readers = {
        "csv": lambda: read_csv(content, what, text_columns, None, limits),
        "tsv": lambda: read_csv(content, what, text_columns, "\t", limits),
        "json": lambda: read_json(content, what, limits),
        "jsonl": lambda: read_json_lines(content, what, limits),
        "xlsx": lambda: read_confined(content, "workbook", limits, what),
        "xls": lambda: read_confined(content, "workbook", limits, what),
        "ods": lambda: read_confined(content, "workbook", limits, what),
        "parquet": lambda: read_parquet(content, limits, what),
        "feather": lambda: read_confined(content, "feather", limits, what),
    }
    return readers[name]()


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
        TooLarge: more columns than allowed, or a longer text.
    """
    row = read_values([dict(values)], "the instance", limits)
    return row if len(row.columns) else pd.DataFrame(index=range(1))


def read_values(value: Any, what: str, limits: Limits) -> pd.DataFrame:
    """The rows of parsed JSON, read as the same JSON in a body would be.

    Raises:
        BadRequest: no regular table, or a value that no cell can hold.
        TooLarge: more rows or columns than allowed.
    """
    return _framed(table_from(value, what, limits), what, limits)


def read_columns(columns: Mapping[str, list[Any] | np.ndarray], what: str, limits: Limits) -> pd.DataFrame:
    """The rows of columns of equal length: lists as in a JSON object of columns, or arrays, in which NaN is missing.

    Raises:
        BadRequest: a value that no cell can hold.
        TooLarge: more rows or columns than allowed.
    """
    arrays = {
        name: pa.array(cells, from_pandas=True) if isinstance(cells, np.ndarray) else column(name, cells, what)
        for name, cells in columns.items()
    }
    return _framed(pa.table(arrays), what, limits)


def _framed(table: pa.Table, what: str, limits: Limits) -> pd.DataFrame:
    check_extent(table.num_rows, table.column_names, what, limits)
    check_texts(table, what, limits)
    try:
        return to_frame(table)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        raise BadRequest(f"{what} holds a value that cannot be read: {error}") from error


def read_file(path: Path, limits: Limits, text_columns: Collection[str] = ()) -> pd.DataFrame:
    """The table in a file that the configuration names: its size is the owner's business.

    Raises:
        OSError: the file cannot be read.
    """
    without = {"body_mb": 2**40, "rows": 2**40, "columns": 2**31, "unpacked_mb": 2**40, "text_chars": 2**40}
    unlimited = limits.model_copy(update=without)
    return read_upload(Upload(path.read_bytes(), path.name), unlimited, text_columns)


def type_cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of text with each column typed as it would be in a CSV file."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(rows.columns)
    writer.writerows(rows.itertuples(index=False))
    return to_frame(read_csv(text.getvalue().encode(), "the fields", (), ","))
