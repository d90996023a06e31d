"""Rows that come in batches → the bytes of one file, part by part, in memory for one batch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet

from server.schema.arrow import to_table
from server.tables.writing import csv_lines, json_lines, to_json

Batches = Iterable[list[dict[str, Any]]]
TYPES = {"int": pa.int64(), "text": pa.string()}


def streamed(batches: Batches, columns: Mapping[str, str], format_: str) -> Iterator[bytes]:
    """The file in one of FORMATS; columns are "int" or "text", and may be nested in json and jsonl."""
    return WRITERS[format_](batches, pa.schema([(name, TYPES[kind]) for name, kind in columns.items()]))


def _json(batches: Batches, schema: pa.Schema) -> Iterator[bytes]:
    before = b"["
    for batch in batches:
        for row in batch:
            yield before + to_json(row)
            before = b","
    yield b"[]" if before == b"[" else b"]"


def _json_lines(batches: Batches, schema: pa.Schema) -> Iterator[bytes]:
    for batch in batches:
        yield b"".join(to_json(row) + b"\n" for row in batch)


def _csv(batches: Batches, schema: pa.Schema) -> Iterator[bytes]:
    yield _csv_part(pa.Table.from_pylist([], schema), header=True)
    for batch in batches:
        yield _csv_part(pa.Table.from_pylist(batch, schema), header=False)


def _csv_part(table: pa.Table, header: bool) -> bytes:
    sink = BytesIO()
    arrow_csv.write_csv(table, sink, arrow_csv.WriteOptions(include_header=header))
    return sink.getvalue()


def _parquet(batches: Batches, schema: pa.Schema) -> Iterator[bytes]:
    sink = _Taken()
    with pyarrow.parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), schema) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_pylist(batch, schema))
            yield sink.take()
    yield sink.take()


class _Taken:
    """A file whose bytes are taken out as they are written; `tell` still counts them all."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def write(self, data: Any) -> int:
        """Keep the bytes until they are taken."""
        self._parts.append(bytes(data))
        self._written += len(self._parts[-1])
        return len(self._parts[-1])

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self._parts = b"".join(self._parts), []
        return taken

    def tell(self) -> int:
        """How much was written in all."""
        return self._written

    def flush(self) -> None:
        """Nothing waits anywhere."""

    def close(self) -> None:
        """Nothing is open."""


def joined_json(parts: Iterable[Sequence[Any] | np.ndarray]) -> Iterator[bytes]:
    """One JSON list of the values of all parts."""
    before = b"["
    for part in parts:
        values = to_json(part)[1:-1]
        if values:
            yield before + values
            before = b","
    yield b"[]" if before == b"[" else b"]"


def joined_table(frames: Iterable[pd.DataFrame], format_: str) -> Iterator[bytes]:
    """One file in one of FORMATS but JSON, of the rows of all frames, which have the same columns and types."""
    return JOINED[format_](frames)


def _joined_csv(frames: Iterable[pd.DataFrame]) -> Iterator[bytes]:
    for number, frame in enumerate(frames):
        yield csv_lines(frame, header=number == 0)


def _joined_parquet(frames: Iterable[pd.DataFrame]) -> Iterator[bytes]:
    tables = map(to_table, frames)
    first = next(tables)
    sink = _Taken()
    with pyarrow.parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table)
            yield sink.take()
    yield sink.take()


JOINED: dict[str, Callable[[Iterable[pd.DataFrame]], Iterator[bytes]]] = {
    "jsonl": lambda frames: map(json_lines, frames),
    "csv": _joined_csv,
    "parquet": _joined_parquet,
}
WRITERS: dict[str, Callable[[Batches, pa.Schema], Iterator[bytes]]] = {
    "json": _json,
    "jsonl": _json_lines,
    "csv": _csv,
    "parquet": _parquet,
}
FORMATS = tuple(WRITERS)
