"""The registry's lists: what a row of each tells, by what it can be filtered, a page at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from server.storage.registry.ranges import Range, ranges_of
from server.storage.registry.tables import (
    ABTest,
    Endpoint,
    MLAlgorithm,
    MLAlgorithmStatus,
    MLRequest,
    Row,
    Table,
)

Condition = Callable[[Any], sa.ColumnElement[bool]]


@dataclass(frozen=True)
class Listing:
    """One list: its rows, a condition for each filter that it knows; where rows are many, the ranges that hold them."""

    table: type[Table]
    statement: sa.Select[Any]
    filters: Mapping[str, Condition]
    ranges: Callable[[sa.Connection, Mapping[str, Any]], list[Range]] | None = None


@dataclass(frozen=True)
class Page:
    """Which rows of a list: at most `limit`, those behind the row of number `after`, or behind `offset` rows."""

    limit: int
    after: int | None = None
    offset: int = 0
    newest_first: bool = False


def _columns(table: type[Table], *left_out: str) -> list[sa.ColumnElement[Any]]:
    columns = [column for column in table.__table__.columns if column.name not in left_out]
    return sorted(columns, key=lambda column: column.name != "id")


def _made(table: type[Table]) -> dict[str, Condition]:
    def since(moment: datetime) -> sa.ColumnElement[bool]:
        return table.created_at >= moment

    def until(moment: datetime) -> sa.ColumnElement[bool]:
        return table.created_at < moment

    return {"since": since, "until": until}


def _of_endpoint(column: InstrumentedAttribute[int]) -> Condition:
    """The endpoint by its number, or by its name."""

    def condition(endpoint: int | str) -> sa.ColumnElement[bool]:
        if isinstance(endpoint, int):
            return column == endpoint
        return column.in_(sa.select(Endpoint.id).where(Endpoint.name == endpoint))

    return condition


def _by_algorithm(column: InstrumentedAttribute[int]) -> dict[str, Condition]:
    """By the algorithm, or by the endpoint of the algorithm."""
    is_of = _of_endpoint(MLAlgorithm.parent_endpoint)
    return {
        "parent_endpoint": lambda endpoint: column.in_(sa.select(MLAlgorithm.id).where(is_of(endpoint))),
        "parent_mlalgorithm": lambda number: column == number,
    }


def _is_running(status: str) -> sa.ColumnElement[bool]:
    return ABTest.ended_at.is_(None) if status == "running" else ABTest.ended_at.is_not(None)


_active = sa.orm.aliased(MLAlgorithmStatus)
LISTINGS: dict[str, Listing] = {
    "endpoints": Listing(Endpoint, sa.select(*_columns(Endpoint)), _made(Endpoint)),
    "mlalgorithms": Listing(
        MLAlgorithm,
        sa.select(*_columns(MLAlgorithm), _active.status.label("current_status"), Endpoint.name.label("endpoint_name"))
        .select_from(MLAlgorithm)
        .join(Endpoint, Endpoint.id == MLAlgorithm.parent_endpoint)
        .outerjoin(_active, sa.and_(_active.parent_mlalgorithm == MLAlgorithm.id, _active.active)),
        {
            "parent_endpoint": _of_endpoint(MLAlgorithm.parent_endpoint),
            "status": lambda status: _active.status == status,
            **_made(MLAlgorithm),
        },
    ),
    "mlalgorithmstatuses": Listing(
        MLAlgorithmStatus,
        sa.select(*_columns(MLAlgorithmStatus)),
        {
            **_by_algorithm(MLAlgorithmStatus.parent_mlalgorithm),
            "status": lambda status: MLAlgorithmStatus.status == status,
            **_made(MLAlgorithmStatus),
        },
    ),
    "mlrequests": Listing(
        MLRequest,
        sa.select(*_columns(MLRequest, "loss")),
        {
            **_by_algorithm(MLRequest.parent_mlalgorithm),
            "parent_abtest": lambda number: MLRequest.parent_abtest == number,
            **_made(MLRequest),
        },
        ranges_of,
    ),
    "abtests": Listing(
        ABTest,
        sa.select(*_columns(ABTest)),
        {
            "parent_endpoint": _of_endpoint(ABTest.parent_endpoint),
            "parent_mlalgorithm": lambda number: sa.or_(
                ABTest.parent_mlalgorithm1 == number, ABTest.parent_mlalgorithm2 == number
            ),
            "status": _is_running,
            **_made(ABTest),
        },
    ),
}


def rows_of(connection: sa.Connection, name: str, filters: Mapping[str, Any], page: Page) -> list[Row]:
    """The rows of the page, in the order of their numbers, which is that of the moments they were made in."""
    listing = LISTINGS[name]
    number = listing.table.id
    if listing.ranges is None:
        statement = _paged(_filtered(listing, filters).where(*_behind(number, page)), number, page)
    else:
        parts = [
            sa.select(number).where(*conditions, *_behind(number, page))
            for conditions in listing.ranges(connection, filters)
        ]
        if not parts:
            return []
        numbers = parts[0] if len(parts) == 1 else sa.union_all(*parts)
        found = list(connection.scalars(_paged(numbers, numbers.selected_columns[0], page)))
        statement = listing.statement.where(number.in_(found)).order_by(number.desc() if page.newest_first else number)
    return [dict(row) for row in connection.execute(statement).mappings()]


def _behind(number: Any, page: Page) -> list[sa.ColumnElement[bool]]:
    if page.after is None:
        return []
    return [number < page.after if page.newest_first else number > page.after]


def _paged(statement: Any, number: Any, page: Page) -> Any:
    ordered = statement.order_by(number.desc() if page.newest_first else number).limit(page.limit)
    return ordered.offset(page.offset) if page.offset else ordered


def count_of(connection: sa.Connection, name: str, filters: Mapping[str, Any]) -> int:
    """How many rows there are."""
    inner = _filtered(LISTINGS[name], filters).with_only_columns(LISTINGS[name].table.id, maintain_column_froms=True)
    return connection.scalar(sa.select(sa.func.count()).select_from(inner.subquery())) or 0


def row_of(connection: sa.Connection, name: str, number: int) -> Row | None:
    """The row of this number."""
    listing = LISTINGS[name]
    found = connection.execute(listing.statement.where(listing.table.id == number)).mappings().first()
    return None if found is None else dict(found)


def _filtered(listing: Listing, filters: Mapping[str, Any]) -> sa.Select[Any]:
    return listing.statement.where(*(listing.filters[name](value) for name, value in filters.items()))
