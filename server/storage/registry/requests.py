"""The requests that algorithms answered, their feedback, and what a test compares."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from server.storage.registry.prepared import Driven, Prepared
from server.storage.registry.tables import ABTest, MLAlgorithm, MLRequest


@dataclass(frozen=True)
class Logged:
    """A request to write down; input, answer and label are JSON texts, a label is missing where there was none."""

    algorithm: int
    abtest: int | None
    input_data: str
    full_response: str
    response: str | None


@dataclass(frozen=True)
class Answered:
    """The type of the algorithm that answered, and its label as a JSON text; None where it failed."""

    model_type: str
    response: str | None

    @property
    def failed(self) -> bool:
        """Whether there is no label."""
        return self.response is None

    @property
    def label(self) -> Any:
        """The label."""
        return None if self.response is None else json.loads(self.response)


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


_INSERT = Prepared(
    sa.insert(MLRequest).returning(MLRequest.id),
    ("input_data", "full_response", "response", "created_at", "parent_mlalgorithm", "parent_abtest"),
)


def log(connection: sa.Connection | Driven, request: Logged) -> int:
    """Write the request down; its number."""
    made = _INSERT.rows(
        connection,
        input_data=request.input_data,
        full_response=request.full_response,
        response=request.response,
        created_at=datetime.now(UTC),
        parent_mlalgorithm=request.algorithm,
        parent_abtest=request.abtest,
    )
    return int(made[0][0])


def answered(connection: sa.Connection, number: int) -> Answered | None:
    """What answered the request, which nobody else can change until the transaction ends; None if there is none."""
    found = connection.execute(
        sa.select(MLAlgorithm.model_type, MLRequest.response)
        .join(MLAlgorithm, MLAlgorithm.id == MLRequest.parent_mlalgorithm)
        .where(MLRequest.id == number)
        .with_for_update(of=MLRequest, key_share=True)
    ).first()
    return None if found is None else Answered(found.model_type, found.response)


def set_feedback(connection: sa.Connection, number: int, feedback: str, loss: float | None) -> None:
    """Keep the feedback (JSON), and what a test compares, in the place of any before."""
    connection.execute(sa.update(MLRequest).where(MLRequest.id == number).values(feedback=feedback, loss=loss))


def tallies(connection: sa.Connection, test: int) -> Mapping[int, Tally]:
    """What each side of the test has gathered, by the algorithm's number.

    Sums of all losses, and not running ones: a feedback that was wrong by much and is corrected would leave its
    rounding error in a running sum for ever. One index holds all that is read.
    """
    loss = MLRequest.loss
    found = connection.execute(
        sa.select(
            MLRequest.parent_mlalgorithm,
            sa.func.count(),
            sa.func.count(loss),
            sa.func.sum(loss),
            sa.func.sum(loss * loss),
        )
        .where(MLRequest.parent_abtest == test)
        .group_by(MLRequest.parent_mlalgorithm)
    )
    return {row[0]: Tally(row[1], row[2], row[3] or 0.0, row[4] or 0.0) for row in found}


def remove_before(connection: sa.Connection, moment: datetime, most: int) -> int:
    """Remove at most so many requests from before the moment, none of a running test; how many were removed."""
    running = sa.select(ABTest.id).where(ABTest.ended_at.is_(None))
    old = (
        sa.select(MLRequest.id)
        .where(
            MLRequest.created_at < moment,
            sa.or_(MLRequest.parent_abtest.is_(None), MLRequest.parent_abtest.not_in(running)),
        )
        .order_by(MLRequest.created_at)
        .limit(most)
    )
    return connection.execute(sa.delete(MLRequest).where(MLRequest.id.in_(old))).rowcount
