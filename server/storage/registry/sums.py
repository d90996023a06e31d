"""Running sums of what each side of a running test has gathered, so that a verdict need not read all its requests.

A sum is a fraction: every float is one exactly (`float.as_integer_ratio`), and Python adds fractions without rounding.
So a feedback that was wrong by much, and corrected, leaves nothing behind, and the order in which feedback comes does
not matter. As a float, a sum is the correctly rounded one that `math.fsum` tells of the losses.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from server.storage.registry.prepared import Driven, Prepared
from server.storage.registry.tables import ABTestSum

# In PostgreSQL, who changes a row keeps others from it until the commit is on the disk: each side has so many rows.
SHARES = 8


@dataclass(frozen=True)
class Tally:
    """What one side of a test has gathered: requests, those that can be compared, the sums of their losses."""

    requests: int = 0
    feedback: int = 0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, later: "Tally") -> "Tally":
        return Tally(
            self.requests + later.requests,
            self.feedback + later.feedback,
            self.total + later.total,
            self.squares + later.squares,
        )


_MINE = (
    ABTestSum.parent_abtest == sa.bindparam("test"),
    ABTestSum.parent_mlalgorithm == sa.bindparam("algorithm"),
    ABTestSum.share == sa.bindparam("mine"),
)
_COUNT = Prepared(sa.update(ABTestSum).where(*_MINE).values(requests=ABTestSum.requests + 1).returning(ABTestSum.share))
_HELD = Prepared(
    sa.select(ABTestSum.feedback, ABTestSum.total, ABTestSum.squares).where(*_MINE).with_for_update(key_share=True)
)
_CHANGE = Prepared(
    sa.update(ABTestSum)
    .where(*_MINE)
    .values({name: sa.bindparam(f"new_{name}") for name in ("feedback", "total", "squares")})
    .returning(ABTestSum.share)
)


def begin(connection: sa.Connection, test: int, algorithms: Collection[int]) -> None:
    """The test begins with nothing gathered."""
    nothing = {"requests": 0, "feedback": 0, "total": "0", "squares": "0"}
    rows = [
        {"parent_abtest": test, "parent_mlalgorithm": algorithm, "share": share} | nothing
        for algorithm in algorithms
        for share in range(SHARES)
    ]
    connection.execute(sa.insert(ABTestSum), rows)


def end(connection: sa.Connection, test: int) -> None:
    """The test has ended; what comes later is not counted any more."""
    connection.execute(sa.delete(ABTestSum).where(ABTestSum.parent_abtest == test))


def count_request(connection: sa.Connection | Driven, test: int, algorithm: int, number: int) -> None:
    """Count the request of this number, unless the test has ended."""
    _COUNT.rows(connection, test=test, algorithm=algorithm, mine=number % SHARES)


def replace(
    connection: sa.Connection, test: int, algorithm: int, number: int, before: float | None, after: float | None
) -> None:
    """Let a loss of the request take the place of the one before, unless the test has ended.

    Whoever calls it has locked the request, and locks nothing later: so nobody waits for one who waits for him.
    """
    if before == after:
        return
    share = {"test": test, "algorithm": algorithm, "mine": number % SHARES}
    for feedback, total, squares in _HELD.rows(connection, **share):
        _CHANGE.rows(
            connection,
            **share,
            new_feedback=feedback + (after is not None) - (before is not None),
            new_total=str(Fraction(total) + _exact(after) - _exact(before)),
            new_squares=str(Fraction(squares) + _exact_square(after) - _exact_square(before)),
        )


def tallies(connection: sa.Connection, test: int) -> Mapping[int, Tally]:
    """What each side of the running test has gathered, by the algorithm's number."""
    shares: dict[int, list[sa.Row[Any]]] = {}
    for row in connection.execute(sa.select(ABTestSum.__table__).where(ABTestSum.parent_abtest == test)):
        shares.setdefault(row.parent_mlalgorithm, []).append(row)
    return {algorithm: _together(rows) for algorithm, rows in shares.items()}


def _together(rows: Collection[sa.Row[Any]]) -> Tally:
    return Tally(
        sum(row.requests for row in rows),
        sum(row.feedback for row in rows),
        float(sum(Fraction(row.total) for row in rows)),
        float(sum(Fraction(row.squares) for row in rows)),
    )


def _exact(loss: float | None) -> Fraction:
    return Fraction(loss or 0.0)


def _exact_square(loss: float | None) -> Fraction:
    return _exact(None if loss is None else loss * loss)
