"""The registry's database, opened by each process for itself when it is first asked."""

import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as Migrations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from server.config import database_file
from server.errors import RegistryUnavailable, StorageFull
from server.storage.database import CONNECT, reason_of
from server.storage.files import Lock
from server.storage.registry.prepared import Driven

logger = logging.getLogger(__name__)
# The device and the number of a file.
Place = tuple[int, int]
# For those who hold a connection without knowing what it is made of.
Connection = sa.Connection
Conflict = IntegrityError
REVISIONS = "registry_revision"
# Seconds that a writer waits for others.
PATIENCE = 30
# Seconds until a database that could not be opened is tried again.
PAUSE = 2.0
# Seconds that others of a process wait for the thread that opens it. To bring millions of requests up to date takes a
# minute, and a worker's threads must not all wait for that.
OPENING = 5.0
# What they are told to wait, in seconds.
RETRY_AFTER = 5
# A connection for each thread of a worker, and some more.
POOL, MORE = 8, 16


class RegistryDatabase:
    """The database of the URL; safe to call from many threads, and after a fork.

    Its methods raise RegistryUnavailable when it cannot be reached or refuses, and StorageFull when its disk is full.
    """

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)
        self._file = database_file(url)
        self._opening = threading.Lock()
        self._opens_long = False
        # Belongs to the process of this id: connections do not survive a fork.
        self._opened: tuple[int, Place | None, sa.Engine] | None = None
        self._openings = 0
        self._refused: tuple[float, RegistryUnavailable] | None = None

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the database."""
        with self._told(), self._engine().connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction, committed at the end of the block.

        In SQLite it is the only one from its beginning on; in PostgreSQL rows must be locked.

        Raises:
            IntegrityError: a rule of the tables forbids it.
        """
        with self._told(), self._engine().connect() as connection:
            connection.execution_options(is_writing=True)
            with connection.begin():
                yield connection

    @contextmanager
    def direct(self) -> Iterator[Driven]:
        """A connection of the driver for prepared statements, of which each is a transaction of its own in SQLite.

        In PostgreSQL they are one, committed at the end of the block.
        """
        # What else fails within the block is not the database's.
        with self._told((SQLAlchemyError,)):
            engine = self._engine()
            refusal = engine.dialect.dbapi.Error if engine.dialect.dbapi else OSError
            try:
                connection = engine.raw_connection()
                try:
                    driven = Driven(engine.dialect, connection)
                    yield driven
                    driven.commit()
                finally:
                    connection.close()
            except refusal as error:
                raise OperationalError("a prepared statement", None, error) from error

    @contextmanager
    def alone(self, purpose: str, wait: bool = True) -> Iterator[bool]:
        """Whether this is the only one in the block for this purpose, of all processes; without `wait`, at once."""
        with self._told(), self._alone(self._engine(), purpose, wait) as mine:
            yield mine

    def opening(self) -> int:
        """The number of this opening of the database in this process; another one may hold nothing yet."""
        self._engine()
        return self._openings

    def close(self) -> None:
        """Let go of all connections."""
        if self._opened is not None and self._opened[0] == os.getpid():
            self._opened[2].dispose()
        self._opened = None

    def _engine(self) -> sa.Engine:
        engine = self._open_engine()
        if engine is not None:
            return engine
        if not self._opening.acquire(timeout=0 if self._opens_long else OPENING):
            self._opens_long = True
            raise RegistryUnavailable(
                "the registry's database is being opened and brought up to date; ask again soon",
                retry_after=RETRY_AFTER,
            )
        try:
            self._opens_long = False
            return self._open_engine() or self._open_anew()
        finally:
            self._opening.release()

    def _open_anew(self) -> sa.Engine:
        if self._opened is not None and self._opened[0] == os.getpid():
            logger.error("%s was moved, deleted or replaced while it was in use; it is opened anew", self._file)
        self.close()
        if self._refused is not None and time.monotonic() < self._refused[0]:
            raise self._refused[1]
        try:
            with self._told():
                engine = self._open()
        except RegistryUnavailable as error:
            self._refused = time.monotonic() + PAUSE, error
            raise
        self._opened, self._refused = (os.getpid(), self._place(), engine), None
        self._openings += 1
        return engine

    def _open_engine(self) -> sa.Engine | None:
        """The engine of this process, unless its file was moved or deleted: what is written there is lost."""
        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            return None
        return opened[2] if opened[1] == self._place() else None

    def _place(self) -> Place | None:
        """Which file it is; None where it is none, or is not there."""
        if self._file is None:
            return None
        try:
            status = os.stat(self._file)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _open(self) -> sa.Engine:
        engine = self._made()
        try:
            with self._alone(engine, "opening", wait=True), engine.connect() as connection:
                if self._file is not None:
                    with closing(connection.connection.cursor()) as cursor:
                        cursor.execute("PRAGMA journal_mode = WAL")
                migrate(connection)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _made(self) -> sa.Engine:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(self._url, pool_size=POOL, max_overflow=MORE, connect_args={"timeout": PATIENCE})
            sa.event.listen(engine, "connect", _configure_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
            return engine
        known = CONNECT.get(self._url.get_driver_name(), {})
        arguments = {key: value for key, value in known.items() if key not in self._url.query}
        try:
            # A database that was started again has closed the connections to it.
            return sa.create_engine(
                self._url, pool_size=POOL, max_overflow=MORE, pool_pre_ping=True, connect_args=arguments
            )
        except ImportError as error:
            raise RegistryUnavailable(
                f"the driver {error.name or self._url.get_driver_name()!r} of server.database is not installed; "
                "postgresql+psycopg:// needs no other than those of requirements-core.txt"
            ) from error

    @contextmanager
    def _alone(self, engine: sa.Engine, purpose: str, wait: bool) -> Iterator[bool]:
        if self._file is not None:
            with Lock(self._file.with_name(f"{self._file.name}.{purpose}.lock")).held(wait) as mine:
                yield mine
            return
        digest = hashlib.sha256(f"restimator registry {purpose}".encode()).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            taken = sa.func.pg_advisory_lock(key) if wait else sa.func.pg_try_advisory_lock(key)
            mine = connection.scalar(sa.select(taken)) is not False
            try:
                yield mine
            finally:
                if mine:
                    connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))

    @contextmanager
    def _told(self, kinds: tuple[type[Exception], ...] = (SQLAlchemyError, OSError)) -> Iterator[None]:
        """What the database refuses within, told in one sentence and without the password."""
        try:
            yield
        except IntegrityError:
            raise
        except kinds as error:
            reason = reason_of(error, self._url)
            if "disk is full" in reason or "No space left" in reason:
                raise StorageFull(f"the registry's database has no room left: {reason}; nothing was changed") from None
            # The cause is left out: it would carry the URL into the log.
            raise RegistryUnavailable(f"the registry's database (server.database) cannot be used: {reason}") from None


def migrate(connection: sa.Connection) -> None:
    """Bring the tables to the revision of this release; whoever calls it is alone.

    Raises:
        RegistryUnavailable: they are of a release that this one does not know.
    """
    settings = migration_steps(connection)
    steps = ScriptDirectory.from_config(settings)
    found = MigrationContext.configure(connection, opts={"version_table": REVISIONS}).get_current_heads()
    known = {step.revision for step in steps.walk_revisions()}
    unknown = [revision for revision in found if revision not in known]
    if unknown:
        raise RegistryUnavailable(
            f"the registry's database is of revision {unknown[0]}, which this release does not know "
            f"(its newest is {steps.get_current_head()}); update the server, or name another server.database"
        )
    if set(found) != set(steps.get_heads()):
        connection.rollback()
        logger.info("bringing the registry's database up to date, to revision %s", steps.get_current_head())
        command.upgrade(settings, "head")
        connection.commit()


def migration_steps(connection: sa.Connection) -> Migrations:
    """Alembic's settings, by which it finds the steps and the database."""
    settings = Migrations()
    settings.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    # The folder's path may hold the character that usually separates paths.
    settings.set_main_option("path_separator", "newline")
    settings.attributes["connection"] = connection
    return settings


def _configure_sqlite(connection: sa.engine.interfaces.DBAPIConnection, _: object) -> None:
    # The driver would begin transactions by itself, and only at the first change.
    connection.isolation_level = None
    with closing(connection.cursor()) as cursor:
        # A commit then survives the death of every process; only a loss of power may undo the last ones.
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing", False)
    # Past SQLAlchemy, which takes eight times as long for it.
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.execute("BEGIN IMMEDIATE" if is_writing else "BEGIN")
    except sqlite3.Error as error:
        raise OperationalError("BEGIN", None, error) from error
