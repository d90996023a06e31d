"""The requests that algorithms answered, their feedback, and what a test compares."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from server.storage.registry import sums
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
    """A request: the algorithm that answered, its type, and its label as a JSON text, None where it failed.

    `abtest` is the test to which it belongs, if any; `loss` what that compares so far.
    """

    id: int
    algorithm: int
    model_type: str
    response: str | None
    abtest: int | None = None
    loss: float | None = None

    @property
    def failed(self) -> bool:
        """Whether there is no label."""
        return self.response is None

    @property
    def label(self) -> Any:
        """The label."""
        return None if self.response is None else json.loads(self.response)


@dataclass(frozen=True)
class Old:
    """A request that may go."""

    created_at: datetime
    id: int


_INSERT = Prepared(
    sa.insert(MLRequest).returning(MLRequest.id),
    ("input_data", "full_response", "response", "created_at", "parent_mlalgorithm", "parent_abtest"),
)


def log(connection: sa.Connection | Driven, request: Logged) -> int:
    """Write the request down, and count it in its test, both in one transaction; its number."""
    made = _INSERT.rows(
        connection,
        input_data=request.input_data,
        full_response=request.full_response,
        response=request.response,
        created_at=datetime.now(UTC),
        parent_mlalgorithm=request.algorithm,
        parent_abtest=request.abtest,
    )
    number = int(made[0][0])
    if request.abtest is not None:
        sums.count_request(connection, request.abtest, request.algorithm, number)
    return number


def answered(connection: sa.Connection, number: int) -> Answered | None:
    """The request, which nobody else can change until the transaction ends; None if there is none."""
    found = connection.execute(
        sa.select(
            MLRequest.id,
            MLRequest.parent_mlalgorithm,
            MLAlgorithm.model_type,
            MLRequest.response,
            MLRequest.parent_abtest,
            MLRequest.loss,
        )
        .join(MLAlgorithm, MLAlgorithm.id == MLRequest.parent_mlalgorithm)
        .where(MLRequest.id == number)
        .with_for_update(of=MLRequest, key_share=True)
    ).first()
    return None if found is None else Answered(*found)


def set_feedback(connection: sa.Connection, request: Answered, feedback: str, loss: float | None) -> None:
    """Keep the feedback (JSON), and what a test compares, in the place of any before."""
    connection.execute(sa.update(MLRequest).where(MLRequest.id == request.id).values(feedback=feedback, loss=loss))
    if request.abtest is not None:
        sums.replace(connection, request.abtest, request.algorithm, request.id, request.loss, loss)


def old(connection: sa.Connection, moment: datetime, behind: Old | None, most: int) -> list[Old]:
    """The oldest requests from before the moment that stand behind one of them, at most so many.

    None belongs to a running test, and none ever will: no test that has ended runs again.
    """
    running = sa.select(ABTest.id).where(ABTest.ended_at.is_(None))
    found = sa.select(MLRequest.created_at, MLRequest.id).where(
        MLRequest.created_at < moment,
        sa.or_(MLRequest.parent_abtest.is_(None), MLRequest.parent_abtest.not_in(running)),
    )
    if behind is not None:
        # The first condition is what SQLite finds by its index.
        found = found.where(
            MLRequest.created_at >= behind.created_at,
            sa.or_(MLRequest.created_at > behind.created_at, MLRequest.id > behind.id),
        )
    rows = connection.execute(found.order_by(MLRequest.created_at, MLRequest.id).limit(most))
    return [Old(*row) for row in rows]


def remove(connection: sa.Connection, numbers: Collection[int]) -> int:
    """Remove these requests; how many there were."""
    return connection.execute(sa.delete(MLRequest).where(MLRequest.id.in_(numbers))).rowcount
