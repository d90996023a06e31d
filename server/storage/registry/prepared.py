"""Statements that every prediction needs, compiled once and given to the driver."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.base import Executable

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Driven:
    """A connection of the driver out of SQLAlchemy's pool, and the dialect that it speaks."""

    dialect: sa.Dialect
    connection: Any

    def begin(self) -> None:
        """Begin a transaction: in SQLite the only one, in PostgreSQL its driver has begun one by itself.

        Raises:
            OperationalError: the database refuses.
        """
        if self.dialect.name != "sqlite":
            return
        assert self.dialect.dbapi is not None
        try:
            with closing(self.connection.cursor()) as cursor:
                cursor.execute("BEGIN IMMEDIATE")
        except self.dialect.dbapi.Error as error:
            raise OperationalError("BEGIN IMMEDIATE", None, error) from error

    def commit(self) -> None:
        """End the transaction, if there is one."""
        self.connection.commit()


class Prepared:
    """A statement with named parameters; what it answers are the driver's own values.

    SQLAlchemy's execution takes ten times as long as that of SQLite: a logged prediction would take
    half as long again.
    """

    def __init__(self, statement: Executable, columns: Iterable[str] | None = None) -> None:
        self._statement = statement
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, tuple[str, dict[str, Any], dict[str, Convert], list[str] | None]] = {}

    def rows(self, connection: sa.Connection | Driven, **values: Any) -> list[Any]:
        """The rows of the answer as tuples.

        Raises:
            OperationalError: the database refuses.
        """
        dialect = connection.dialect
        text, fixed, converted, order = self._compiled.get(dialect.name) or self._compile(dialect)
        given = fixed | values
        for name, convert in converted.items():
            given[name] = convert(given[name])
        assert dialect.dbapi is not None
        cursor = connection.connection.cursor()
        try:
            cursor.execute(text, given if order is None else [given[name] for name in order])
            return list(cursor.fetchall())
        except dialect.dbapi.Error as error:
            raise OperationalError(text, None, error) from error
        finally:
            cursor.close()

    def _compile(self, dialect: sa.Dialect) -> tuple[str, dict[str, Any], dict[str, Convert], list[str] | None]:
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=self._columns)  # type: ignore[attr-defined]
        types = {name: bind.type.dialect_impl(dialect) for name, bind in compiled.binds.items()}
        processors = {name: found.bind_processor(dialect) for name, found in types.items()}
        made = (
            str(compiled),
            {name: bind.value for name, bind in compiled.binds.items() if bind.value is not None},
            {name: convert for name, convert in processors.items() if convert is not None},
            list(compiled.positiontup) if compiled.positional else None,
        )
        self._compiled[dialect.name] = made
        return made
