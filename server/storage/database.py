"""Rows of a database, through SQLAlchemy. Nothing is ever written there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from server.errors import NotReady, did_you_mean
from server.schema.arrow import to_frame

# Rows that are held as Python objects at a time.
CHUNK = 10_000
# Without it, psycopg waits 130 s for a server that does not answer; seconds.
CONNECT = {"psycopg": {"connect_timeout": 10}, "psycopg2": {"connect_timeout": 10}}


def read_database(url: str, table_name: str | None, query: str | None) -> pd.DataFrame:
    """All rows of a table or view (`name` or `schema.name`), or of a query, in the order in which they come.

    Types are those that a file of the same rows would give: integers stay integers where cells are missing,
    NUMERIC becomes float64, DATE a time, a time with a zone UTC, UUID text, INTERVAL seconds; JSON and arrays
    stay nested.

    Raises:
        NotReady: the rows cannot be had; the sentence says why, without the password.
    """
    parsed = sa.make_url(url)
    engine = _engine(parsed)
    what = "data.query" if table_name is None else f"data.table {table_name!r}"
    try:
        with _told("the database of data.url cannot be reached", parsed):
            connection = engine.connect()
        with connection, _told(f"{what} cannot be read", parsed):
            connection.execution_options(postgresql_readonly=True)
            with closing(_table(connection, table_name) if table_name else _query(connection, query or "")) as result:
                rows = _rows(result, what)
    finally:
        engine.dispose()
    if rows.empty:
        raise NotReady(f"{what} has no rows yet")
    return rows


@contextmanager
def _told(what: str, url: sa.URL) -> Iterator[None]:
    """What the database refuses within, told by the first line of its own message."""
    try:
        yield
    except (SQLAlchemyError, ValueError) as error:
        # The cause is left out: it would carry the URL into the log.
        raise NotReady(f"{what}: {reason_of(error, url)}") from None


def reason_of(error: Exception, url: sa.URL) -> str:
    """The first line of what the database says, without the password of its URL."""
    reason = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    line = reason.splitlines()[0] if reason else type(error).__name__
    secret = str(url.password or "")
    return line.replace(secret, "***") if secret else line


def _engine(url: sa.URL) -> sa.Engine:
    is_file = url.get_backend_name() == "sqlite"
    if is_file:
        # mode=rw creates no file; mode=ro could not finish what the death of a writer left behind.
        url = url.set(database=f"file:{quote(url.database or '')}").update_query_dict({"mode": "rw", "uri": "true"})
    arguments = {key: value for key, value in CONNECT.get(url.get_driver_name(), {}).items() if key not in url.query}
    try:
        engine = sa.create_engine(url, poolclass=NullPool, connect_args=arguments)
    except ImportError as error:
        raise NotReady(
            f"the driver {error.name or url.get_driver_name()!r} of data.url is not installed; add it to the packages "
            "of requirements-core.txt, which brings psycopg for PostgreSQL"
        ) from error
    if is_file:
        sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))
    return engine


def _table(connection: sa.Connection, name: str) -> sa.CursorResult[Any]:
    inspector = sa.inspect(connection)
    schema, _, rest = name.partition(".")
    for place, own in ((None, name), (schema, rest)):
        if own and inspector.has_table(own, schema=place):
            columns = [
                sa.column(found["name"], _plain_type(found["type"])) for found in inspector.get_columns(own, place)
            ]
            statement = sa.select(*columns).select_from(sa.table(own, *columns, schema=place))
            return connection.execute(statement, execution_options={"yield_per": CHUNK})
    raise NotReady(f"the database of data.url has no table {name!r}{did_you_mean(name, _tables(inspector))}")


def _plain_type(kind: Any) -> Any:
    if isinstance(kind, sa.Numeric):
        # SQLite has no decimals, and SQLAlchemy warns of them.
        kind.asdecimal = False
    return kind


def _tables(inspector: sa.Inspector) -> list[str]:
    """The names of tables and views; of those in other schemas with their schema."""
    names = []
    for schema in inspector.get_schema_names():
        prefix = "" if schema == inspector.default_schema_name else f"{schema}."
        found = inspector.get_table_names(schema) + inspector.get_view_names(schema)
        names += [f"{prefix}{name}" for name in found]
    return names


def _query(connection: sa.Connection, query: str) -> sa.CursorResult[Any]:
    # As it is written: neither % nor : marks a parameter.
    result = connection.exec_driver_sql(query, execution_options={"yield_per": CHUNK, "no_parameters": True})
    if not result.returns_rows:
        raise NotReady("data.query answers with no rows; write a SELECT")
    return result


def _rows(result: sa.CursorResult[Any], what: str) -> pd.DataFrame:
    names = list(result.keys())
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise NotReady(f"{what} has the column {twice[0]!r} more than once; give each its own name with AS")
    chunks = [pa.table([pa.nulls(0)] * len(names), names)]
    for rows in result.partitions(CHUNK):
        cells = zip(*rows, strict=True)
        chunks.append(pa.table([_array(column, what, name) for name, column in zip(names, cells, strict=True)], names))
    try:
        return to_frame(pa.concat_tables(chunks, promote_options="permissive"))
    except (pa.ArrowException, OverflowError) as error:
        raise NotReady(f"{what} cannot be read: {error}; cast the column in data.query") from error


def _array(cells: Sequence[Any], what: str, name: str) -> pa.Array:
    """A column's cells of one chunk.

    Raises:
        NotReady: cells that no file could hold; the column is named.
    """
    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds & {bytes, memoryview}:
        raise NotReady(f"the column {name!r} of {what} holds bytes, not values; leave it out with data.query")
    if kinds & CONVERTED.keys():
        cells = [CONVERTED[type(cell)](cell) if type(cell) in CONVERTED else cell for cell in cells]
    try:
        return pa.array(cells)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        held = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise NotReady(
            f"the column {name!r} of {what} holds {held}, which no column can; cast it in data.query"
        ) from error


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _nested(value: Any) -> Any:
    """Arrays and JSON with nothing in them that JSON does not have."""
    if isinstance(value, dict):
        return {key: _nested(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_nested(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


CONVERTED: dict[type, Callable[[Any], Any]] = {
    Decimal: float,
    UUID: str,
    timedelta: timedelta.total_seconds,
    datetime: _utc,
    list: _nested,
    dict: _nested,
}
