"""The data source of the configuration: where an endpoint's first training rows come from."""

import hashlib
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pandas as pd

from server.config import DataSource, Limits, database_file, without_secrets
from server.errors import InvalidRows, NotReady, ServerError
from server.service.recipe import Recipe
from server.service.text_rows import storable
from server.storage.endpoint_store import EndpointStore, read_gramex_data
from server.tables.reading import read_file

logger = logging.getLogger(__name__)
# Marks a version of the training data that holds the source's rows and nothing else.
SOURCE_RUN = "source"


def is_missing(source: DataSource | None) -> bool:
    """Whether the configuration names a file that is not there; an SQLite database is one, too."""
    if source is None or not source.url:
        return False
    file = database_file(source.url) if source.is_database else Path(source.url)
    return file is not None and not file.is_file()


def read_source(source: DataSource, limits: Limits, text_columns: Collection[str] = ()) -> pd.DataFrame:
    """The rows of the data source; in columns known to hold text, '007' stays '007'.

    Raises:
        NotReady: the source cannot be read; the sentence says why.
    """
    if source.is_database:
        # SQLAlchemy costs 13 MB that a worker without databases never needs.
        from server.storage.database import read_database

        return read_database(source.url or "", source.table, source.query)
    path = Path(source.url or "")
    try:
        rows = read_file(path, limits, text_columns)
    except OSError as error:
        raise NotReady(f"data.url {path.name} cannot be read: {error.strerror or error}") from error
    except ServerError as error:
        raise NotReady(f"data.url cannot be read: {error.detail}") from error
    if rows.columns.empty:
        raise NotReady(f"data.url {path.name} holds no table")
    return rows


def fill_once(store: EndpointStore, source: DataSource | None, limits: Limits, recipe: Callable[[], Recipe]) -> None:
    """Store the first training rows, if none were ever stored: those Gramex kept, else the source's.

    Args:
        store: the endpoint's state.
        source: the configuration's data source, if any.
        limits: what the source may bring.
        recipe: tells what the rows are for, if that is needed.

    Raises:
        NotReady: there is a source and it cannot be read.
    """
    if store.data.exists():
        return
    with store.changing():
        if store.data.exists():
            return
        rows = _taken_over(store)
        if rows is None and source is not None and source.url:
            rows = _storable(source, limits, recipe())
        if rows is not None and not rows.columns.empty:
            store.data.replace(rows, SOURCE_RUN)


def _taken_over(store: EndpointStore) -> pd.DataFrame | None:
    try:
        rows = read_gramex_data(store.folder)
    except Exception as error:  # noqa: BLE001 - the HDF5 library fails in many ways of its own
        raise NotReady(f"data.h5 in {store.folder.name} cannot be taken over: {error}") from error
    if rows is not None:
        logger.info("%s: took over %d rows of data.h5", store.folder.name, len(rows))
    return rows


def _storable(source: DataSource, limits: Limits, recipe: Recipe) -> pd.DataFrame:
    try:
        return storable(read_source(source, limits, recipe.text_columns), recipe)
    except InvalidRows as error:
        raise NotReady(f"data.url cannot be read: {error.detail}") from error


def refill(store: EndpointStore, source: DataSource, limits: Limits, recipe: Recipe) -> bool:
    """Let the source's present rows replace the stored ones, if those are the source's, too.

    Rows that were appended or posted since outlive a change of the source.
    """
    with store.changing():
        if store.data.exists() and store.data.last_run() != SOURCE_RUN:
            return False
        store.data.replace(_storable(source, limits, recipe), SOURCE_RUN)
    return True


def fingerprint(source: DataSource | None, before: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """What tells one state of the source from another.

    A file's contents are hashed only if size or time differ from `before`. A database is told by its URL
    without the password, table and query; whether its rows have changed cannot be seen cheaply.
    """
    if source is None or not source.url:
        return None
    if source.is_database:
        return {"url": without_secrets(source.url), "table": source.table, "query": source.query}
    path = Path(source.url)
    try:
        status = path.stat()
    except OSError:
        return {"url": source.url}
    quick = {"url": source.url, "size": status.st_size, "modified": status.st_mtime_ns}
    if before and all(before.get(key) == value for key, value in quick.items()):
        return before
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return quick | {"sha256": digest}


def has_changed(before: dict[str, Any] | None, now: dict[str, Any] | None) -> bool:
    """Whether the source is another one, or its contents differ; a file that is gone has not changed."""
    if before is None or now is None:
        return before is not now
    if any(before.get(key) != now.get(key) for key in ("url", "table", "query")):
        return True
    return "sha256" in now and before.get("sha256") != now["sha256"]
