"""Endpoints at a glance: what of each is in production, and what is tested."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from server.storage.registry.algorithms import label_of
from server.storage.registry.tables import ABTest, Endpoint, MLAlgorithm, MLAlgorithmStatus


@dataclass(frozen=True)
class Standing:
    """An endpoint: how many algorithms it has, the labels of those in production, the title of its running test."""

    id: int
    name: str
    owner: str
    created_at: datetime
    algorithms: int
    production: list[str]
    test: str | None


def standings(connection: sa.Connection, most: int) -> list[Standing]:
    """The endpoints, oldest first, at most so many."""
    counted = sa.select(MLAlgorithm.parent_endpoint, sa.func.count()).group_by(MLAlgorithm.parent_endpoint)
    counts = {row[0]: row[1] for row in connection.execute(counted)}
    serving = (
        sa.select(MLAlgorithm.parent_endpoint, MLAlgorithm.name, MLAlgorithm.version)
        .join(MLAlgorithmStatus, MLAlgorithmStatus.parent_mlalgorithm == MLAlgorithm.id)
        .where(MLAlgorithmStatus.active, MLAlgorithmStatus.status == "production")
        .order_by(MLAlgorithm.id)
    )
    production: dict[int, list[str]] = {}
    for endpoint, name, version in connection.execute(serving):
        production.setdefault(endpoint, []).append(label_of(name, version))
    found = connection.execute(
        sa.select(Endpoint.id, Endpoint.name, Endpoint.owner, Endpoint.created_at, ABTest.title)
        .outerjoin(ABTest, sa.and_(ABTest.parent_endpoint == Endpoint.id, ABTest.ended_at.is_(None)))
        .order_by(Endpoint.id)
        .limit(most)
    )
    return [
        Standing(id_, name, owner, made, counts.get(id_, 0), production.get(id_, []), test)
        for id_, name, owner, made, test in found
    ]
