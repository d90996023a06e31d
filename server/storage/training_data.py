"""An endpoint's training data: a Delta table, so that an append is a transaction and old versions stay readable."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from server.errors import BadRequest, Problem, SchemaConflict
from server.schema import Column, pointer
from server.schema.arrow import columns_of, to_frame, to_table
from server.schema.columns import conform
from server.storage.files import Lock, room_on_disk
from server.storage.summary import ColumnSummary, summarise

logger = logging.getLogger(__name__)

# A table of more files than this is written anew as one, once that costs little per append …
FILES = 100
BYTES_PER_FILE = 64 * 2**10
# … and at this number of files in any case: reading them costs half a millisecond each.
MOST_FILES = 1000
SUMMARISED = 2_000_000
TABLE = {"delta.checkpointInterval": "20", "delta.logRetentionDuration": "interval 36500 days"}


class TrainingData:
    """The rows in `folder`; every change holds `lock`, reading needs none."""

    def __init__(self, folder: Path, lock: Lock) -> None:
        self.folder = folder
        self._lock = lock

    def exists(self) -> bool:
        """Whether rows were ever stored, also if none are left."""
        log = self.folder / "_delta_log"
        return log.is_dir() and any(log.glob("*.json"))

    def version(self) -> int | None:
        """The number of the latest version, counted from 0; None before the first rows."""
        return self._table().version() if self.exists() else None

    def count(self, version: int | None = None) -> int:
        """The number of rows."""
        return DeltaTable(self.folder, version=version).count() if self.exists() else 0

    def columns(self) -> list[Column]:
        """The stored columns and their kinds; none while there are no rows."""
        table = self._table() if self.exists() else None
        return columns_of(_schema(table)) if table is not None and table.count() else []

    def read(self, version: int | None = None) -> pd.DataFrame:
        """All rows, in the order in which they came, of the latest or of an older version."""
        if not self.exists():
            return pd.DataFrame()
        rows = _in_order(DeltaTable(self.folder, version=version))
        return to_frame(rows) if rows.num_rows else pd.DataFrame()

    def head(self, count: int, version: int | None = None) -> pd.DataFrame:
        """The first rows, without reading the others."""
        if not self.exists():
            return pd.DataFrame()
        rows = _dataset(DeltaTable(self.folder, version=version)).head(count)
        return to_frame(rows) if rows.num_rows else pd.DataFrame()

    def summary(self, version: int | None = None) -> list[ColumnSummary]:
        """What each column holds; at most SUMMARISED cells, and one column, are in memory at a time."""
        if not self.exists():
            return []
        table = DeltaTable(self.folder, version=version)
        dataset, count = _dataset(table), table.count()
        columns = columns_of(_schema(table)) if count else []
        at_once = max(1, SUMMARISED // max(1, count))
        found = []
        for start in range(0, len(columns), at_once):
            part = columns[start : start + at_once]
            cells = dataset.to_table(columns=[column.name for column in part])
            found += [summarise(column.name, column.kind, cells.column(column.name)) for column in part]
        return found

    def history(self) -> list[dict[str, Any]]:
        """What changed the rows, newest first: version, timestamp (epoch milliseconds), operation, run."""
        return self._table().history() if self.exists() else []

    def version_of(self, run: str) -> int | None:
        """The version that this run or action wrote, if it wrote one."""
        return next((commit["version"] for commit in self.history() if commit.get("run") == run), None)

    def last_run(self) -> str | None:
        """The id of the run or action that wrote the latest version."""
        latest = self._table().history(1) if self.exists() else []
        return latest[0].get("run") if latest else None

    def append(self, rows: pd.DataFrame) -> int:
        """Add all rows, or none; the number of rows in all.

        Raises:
            SchemaConflict: the rows do not fit; column and row are named.
            StorageFull: the disk is full.
        """
        with self._changing():
            table = self._table() if self.exists() else None
            stored = table.count() if table else 0
            if table is None or not stored:
                self._write(rows, None)
                return len(rows)
            schema = _schema(table)
            added = _cast(conform(rows, columns_of(schema)), schema)
            write_deltalake(table, _one_chunk(added), mode="append")
            self._compact_now_and_then(table)
            return stored + len(rows)

    def replace(self, rows: pd.DataFrame, run: str | None = None) -> None:
        """Let the rows take the place of those before, which stay in the history.

        Raises:
            BadRequest: columns that a table cannot have.
            StorageFull: the disk is full.
        """
        with self._changing():
            self._write(rows, run)

    def clear(self) -> None:
        """Empty the table; its history stays."""
        with self._changing():
            if self.count():
                self._table().delete()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with room_on_disk(self.folder), self._lock.held():
            yield

    def _table(self) -> DeltaTable:
        return DeltaTable(self.folder)

    def _write(self, rows: pd.DataFrame, run: str | None) -> None:
        _check_names(rows)
        properties = CommitProperties(custom_metadata={"run": run}) if run else None
        try:
            write_deltalake(
                self.folder,
                _one_chunk(to_table(rows)),
                mode="overwrite",
                schema_mode="overwrite",
                configuration=None if self.exists() else TABLE,
                commit_properties=properties,
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise BadRequest(f"these rows cannot be stored: {error}") from error

    def _compact_now_and_then(self, table: DeltaTable) -> None:
        """Write the rows anew as one file. Delta's own compaction would not keep their order."""
        if table.version() % FILES:
            return
        sizes = pa.table(table.get_add_actions(flatten=True)).column("size_bytes").to_pylist()
        if len(sizes) < FILES or (len(sizes) < MOST_FILES and sum(sizes) > len(sizes) * BYTES_PER_FILE):
            return
        try:
            write_deltalake(table, _one_chunk(_in_order(table)), mode="overwrite", target_file_size=2**30)
        except (DeltaError, OSError) as error:
            # The rows are stored already; small files only read more slowly.
            logger.warning("compaction of %s failed: %s", self.folder, error)


def _in_order(table: DeltaTable) -> pa.Table:
    return _dataset(table).to_table(use_threads=False)


def _dataset(table: DeltaTable) -> Any:
    """The rows in the order in which they came; Delta itself gives the newest files first."""
    # 7 MB that a worker which only predicts never needs.
    from pyarrow.dataset import FileSystemDataset, InMemoryDataset

    live = pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist()
    added = _versions(_folder(table), table.version(), set(live))
    dataset = table.to_pyarrow_dataset()
    fragments = sorted(dataset.get_fragments(), key=lambda part: (added[Path(part.path).name], part.path))
    if not fragments:
        return InMemoryDataset(_schema(table).empty_table())
    return FileSystemDataset(fragments, dataset.schema, dataset.format, fragments[0].filesystem)


def _folder(table: DeltaTable) -> Path:
    """A URI has its spaces and brackets encoded."""
    return Path(unquote(table.table_uri.removeprefix("file://")))


def _versions(folder: Path, latest: int, files: set[str]) -> dict[str, int]:
    """The version that added each file, from the table's log; a file's time would trust the clock."""
    added: dict[str, int] = {}
    for version in range(latest, -1, -1):
        if len(added) == len(files):
            break
        for line in (folder / "_delta_log" / f"{version:020}.json").read_text().splitlines():
            path = json.loads(line).get("add", {}).get("path")
            if path in files:
                added.setdefault(path, version)
    return added


def _cast(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """The rows in the types of the table; lists and objects must have the same parts."""
    table = to_table(frame)
    try:
        return table.cast(schema)
    except (pa.ArrowException, ValueError):
        for field in schema:
            try:
                table.column(field.name).cast(field.type)
            except (pa.ArrowException, ValueError) as error:
                detail = f"{field.name} holds {field.type} in the stored data, and these rows do not fit: {error}"
                raise SchemaConflict(detail, [Problem(pointer(field.name), "another type")]) from error
        raise


def _one_chunk(table: pa.Table) -> pa.Table:
    """The table in one batch: Delta's writer takes several in any order."""
    return table.combine_chunks()


def _schema(table: DeltaTable) -> pa.Schema:
    return pa.schema(table.schema().to_arrow())


def _check_names(rows: pd.DataFrame) -> None:
    if rows.columns.empty:
        raise BadRequest("the rows have no columns")
    seen: dict[str, str] = {}
    for name in rows.columns:
        if name.lower() in seen:
            other = seen[name.lower()]
            raise BadRequest(
                f"the columns {other!r} and {name!r} differ only in case; rename one of them",
                [Problem(pointer(name), f"differs from {other!r} only in case")],
            )
        seen[name.lower()] = name
