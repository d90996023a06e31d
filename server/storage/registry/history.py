"""What was answered over time: sums over ranges of requests, each read from one index alone.

Requests have numbers in the order in which they came, so that a range of moments is a range of numbers.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise

import sqlalchemy as sa

from server.storage.registry.algorithms import label_of
from server.storage.registry.prepared import Prepared
from server.storage.registry.sums import Tally
from server.storage.registry.tables import MLAlgorithm, MLRequest


@dataclass(frozen=True)
class Asked:
    """An algorithm that answered requests."""

    id: int
    label: str
    model_type: str


# Behind every number that there will be.
END = 2**63 - 1
_SUMS = sa.select(
    sa.func.count(),
    sa.func.count(MLRequest.loss),
    sa.func.sum(MLRequest.loss),
    sa.func.sum(MLRequest.loss * MLRequest.loss),
).where(
    MLRequest.parent_mlalgorithm == sa.bindparam("algorithm"),
    MLRequest.id >= sa.bindparam("low"),
    MLRequest.id < sa.bindparam("high"),
)
_OF_ALGORITHM = Prepared(_SUMS)
_OF_TEST = Prepared(_SUMS.where(MLRequest.parent_abtest == sa.bindparam("test")))
_SINCE = Prepared(
    sa.select(MLRequest.id)
    .where(MLRequest.created_at >= sa.bindparam("moment"))
    .order_by(MLRequest.created_at, MLRequest.id)
    .limit(1)
)


def numbers_since(connection: sa.Connection, moments: Iterable[datetime]) -> list[int]:
    """The number of the first request from each of the moments on, END where there is none; moments ascend."""
    found = [_SINCE.rows(connection, moment=moment) for moment in moments]
    # A clock that was set back must not let a request belong to two ranges.
    return list(accumulate((int(rows[0][0]) if rows else END for rows in found), max))


def asked_since(connection: sa.Connection, endpoint: int, number: int) -> list[Asked]:
    """The algorithms of the endpoint that answered a request from this number on."""
    answered = sa.exists().where(MLRequest.parent_mlalgorithm == MLAlgorithm.id, MLRequest.id >= number)
    found = connection.execute(
        sa.select(MLAlgorithm.id, MLAlgorithm.name, MLAlgorithm.version, MLAlgorithm.model_type)
        .where(MLAlgorithm.parent_endpoint == endpoint, answered)
        .order_by(MLAlgorithm.id)
    )
    return [Asked(row.id, label_of(row.name, row.version), row.model_type) for row in found]


def of_algorithm(connection: sa.Connection, algorithm: int, bounds: Sequence[int]) -> list[Tally]:
    """What the algorithm gathered from each of the numbers to before the next one."""
    return [
        _tally(_OF_ALGORITHM.rows(connection, algorithm=algorithm, low=low, high=high))
        for low, high in pairwise(bounds)
    ]


def of_test(connection: sa.Connection, test: int, algorithm: int, bounds: Sequence[int]) -> list[Tally]:
    """What the algorithm gathered in the test from each of the numbers to before the next one."""
    return [
        _tally(_OF_TEST.rows(connection, test=test, algorithm=algorithm, low=low, high=high))
        for low, high in pairwise(bounds)
    ]


def span_of_test(connection: sa.Connection, test: int, algorithms: Collection[int]) -> tuple[int, int] | None:
    """The numbers of the first and of the last request of the test; None if there is none."""
    ends: list[int] = []
    for algorithm in algorithms:
        mine = (MLRequest.parent_abtest == test, MLRequest.parent_mlalgorithm == algorithm)
        # One each: SQLite finds only a lonely smallest or largest by an index.
        for end in (sa.func.min, sa.func.max):
            number = connection.scalar(sa.select(end(MLRequest.id)).where(*mine))
            ends += [] if number is None else [number]
    return (min(ends), max(ends)) if ends else None


def _tally(rows: Sequence[Sequence[float | None]]) -> Tally:
    requests, feedback, total, squares = rows[0]
    return Tally(int(requests or 0), int(feedback or 0), total or 0.0, squares or 0.0)
