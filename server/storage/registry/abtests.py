"""A/B tests: begun, and ended once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from server.storage.registry import sums
from server.storage.registry.tables import ABTest, Row


def running(connection: sa.Connection, endpoint: int) -> int | None:
    """The number of the endpoint's running test."""
    return connection.scalar(sa.select(ABTest.id).where(ABTest.parent_endpoint == endpoint, ABTest.ended_at.is_(None)))


def add(connection: sa.Connection, values: Mapping[str, Any]) -> int:
    """Begin a test; its number.

    Raises:
        IntegrityError: the endpoint has a running test.
    """
    made = sa.insert(ABTest).values(**values, created_at=datetime.now(UTC)).returning(ABTest.id)
    number = connection.execute(made).scalar_one()
    sums.begin(connection, number, (values["parent_mlalgorithm1"], values["parent_mlalgorithm2"]))
    return number


def locked(connection: sa.Connection, number: int) -> Row | None:
    """The test, which nobody else can end until the end of the transaction; None if there is none."""
    found = connection.execute(sa.select(ABTest.__table__).where(ABTest.id == number).with_for_update(key_share=True))
    row = found.mappings().first()
    return None if row is None else dict(row)


def end(connection: sa.Connection, number: int, summary: str, verdict: str) -> None:
    """The test is over; `verdict` is JSON."""
    connection.execute(
        sa.update(ABTest)
        .where(ABTest.id == number)
        .values(ended_at=datetime.now(UTC), summary=summary, verdict=verdict)
    )
    sums.end(connection, number)
