"""Which ranges of an index hold the requests that a list asks for.

A database that has to find requests by something else than their order sorts all that match, or reads on until some do:
seconds among millions. Within one algorithm, and one test of it, an index has them in the order of their numbers, and
databases merge such ranges without sorting.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from server.storage.registry.history import numbers_since
from server.storage.registry.tables import ABTest, Endpoint, MLAlgorithm, MLRequest

Range = tuple[sa.ColumnElement[bool], ...]
# SQLite merges 500 at most.
MOST = 400
# By how much a clock may have been set back, or the clocks of several servers differ.
SLACK = timedelta(hours=1)


def ranges_of(connection: sa.Connection, filters: Mapping[str, Any]) -> list[Range]:
    """Conditions, each for a range; together they select what the filters do, and no request twice."""
    found = _numbers(connection, filters)
    if "parent_abtest" in filters:
        found = (MLRequest.parent_abtest == filters["parent_abtest"], *found)
    algorithms = _algorithms(connection, filters)
    if algorithms is None:
        return [found]
    if len(algorithms) > MOST:
        return [(MLRequest.parent_mlalgorithm.in_(algorithms), *found)]
    return [(MLRequest.parent_mlalgorithm == algorithm, *found) for algorithm in algorithms]


def _algorithms(connection: sa.Connection, filters: Mapping[str, Any]) -> list[int] | None:
    """Those that may have answered; None if all may have."""
    conditions: list[sa.ColumnElement[bool]] = []
    if "parent_mlalgorithm" in filters:
        conditions.append(MLAlgorithm.id == filters["parent_mlalgorithm"])
    if "parent_endpoint" in filters:
        endpoint = filters["parent_endpoint"]
        conditions.append((Endpoint.id if isinstance(endpoint, int) else Endpoint.name) == endpoint)
    if "parent_abtest" in filters:
        conditions.append(ABTest.id == filters["parent_abtest"])
    if not conditions:
        return None
    statement = (
        sa.select(MLAlgorithm.id)
        .join(Endpoint, Endpoint.id == MLAlgorithm.parent_endpoint)
        .where(*conditions, sa.exists().where(MLRequest.parent_mlalgorithm == MLAlgorithm.id))
    )
    if "parent_abtest" in filters:
        sides = ABTest.parent_mlalgorithm1, ABTest.parent_mlalgorithm2
        statement = statement.join(ABTest, MLAlgorithm.id.in_(sides))
    return list(connection.scalars(statement))


def _numbers(connection: sa.Connection, filters: Mapping[str, Any]) -> Range:
    """Numbers go with moments, nearly; within what is left, moments themselves decide."""
    found: list[sa.ColumnElement[bool]] = []
    if "since" in filters:
        found += [
            MLRequest.id >= _number(connection, filters["since"], -SLACK),
            MLRequest.created_at >= filters["since"],
        ]
    if "until" in filters:
        found += [MLRequest.id < _number(connection, filters["until"], SLACK), MLRequest.created_at < filters["until"]]
    return tuple(found)


def _number(connection: sa.Connection, moment: datetime, slack: timedelta) -> int:
    try:
        moved = moment + slack
    except OverflowError:
        moved = moment
    return numbers_since(connection, [moved])[0]
