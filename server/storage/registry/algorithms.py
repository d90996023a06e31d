"""Endpoints, algorithms and their statuses. Whoever changes something holds a transaction of `writing()`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from server.storage.registry.prepared import Driven, Prepared
from server.storage.registry.tables import ABTest, Endpoint, MLAlgorithm, MLAlgorithmStatus


@dataclass(frozen=True)
class Entry:
    """An algorithm as it is to stand in the registry; name and version tell it from the others of its endpoint."""

    name: str
    version: str
    model_type: str
    description: str
    code: str
    owner: str


@dataclass(frozen=True)
class Version:
    """A version of an algorithm, and the training whose model it is."""

    id: int
    version: str
    run: str | None


def label_of(name: str, version: str) -> str:
    """What people call an algorithm."""
    return f"{name} {version}"


@dataclass(frozen=True)
class Held:
    """An algorithm that nobody else can change; its endpoint by number, its active status."""

    id: int
    label: str
    endpoint: int
    model_type: str
    status: str | None


@dataclass(frozen=True)
class Candidate:
    """An algorithm that may answer, its active status, and the number of the running test of its endpoint."""

    id: int
    name: str
    version: str
    model_type: str
    run: str | None
    status: str | None
    abtest: int | None = None
    side: int | None = None

    @property
    def label(self) -> str:
        """What people call it."""
        return label_of(self.name, self.version)


_CANDIDATES = (
    sa.select(
        MLAlgorithm.id,
        MLAlgorithm.name,
        MLAlgorithm.version,
        MLAlgorithm.model_type,
        MLAlgorithm.run,
        MLAlgorithmStatus.status,
        ABTest.id.label("abtest"),
        sa.case(
            (ABTest.parent_mlalgorithm1 == MLAlgorithm.id, 0), (ABTest.parent_mlalgorithm2 == MLAlgorithm.id, 1)
        ).label("side"),
    )
    .select_from(Endpoint)
    .outerjoin(MLAlgorithm, MLAlgorithm.parent_endpoint == Endpoint.id)
    .outerjoin(
        MLAlgorithmStatus,
        sa.and_(MLAlgorithmStatus.parent_mlalgorithm == MLAlgorithm.id, MLAlgorithmStatus.active),
    )
    .outerjoin(ABTest, sa.and_(ABTest.parent_endpoint == Endpoint.id, ABTest.ended_at.is_(None)))
    .where(Endpoint.name == sa.bindparam("endpoint"))
    .order_by(MLAlgorithm.id)
)


_WITH_STATUS = Prepared(_CANDIDATES.where(MLAlgorithmStatus.status == sa.bindparam("status")))


def candidates(connection: sa.Connection | Driven, endpoint: str, status: str) -> list[Candidate]:
    """The algorithms of the endpoint that have the status, oldest first."""
    return [Candidate(*row) for row in _WITH_STATUS.rows(connection, endpoint=endpoint, status=status)]


def all_candidates(connection: sa.Connection, endpoint: str) -> list[Candidate] | None:
    """The algorithms of the endpoint, oldest first; None if there is no such endpoint."""
    found = connection.execute(_CANDIDATES, {"endpoint": endpoint}).all()
    return [Candidate(*row) for row in found if row.id is not None] if found else None


def placed(connection: sa.Connection, number: int) -> tuple[str, Candidate] | None:
    """The name of the algorithm's endpoint, and the algorithm; None if there is none."""
    name = connection.scalar(
        sa.select(Endpoint.name)
        .join(MLAlgorithm, MLAlgorithm.parent_endpoint == Endpoint.id)
        .where(MLAlgorithm.id == number)
    )
    found = all_candidates(connection, name) if name is not None else None
    one = next((candidate for candidate in found or () if candidate.id == number), None)
    return None if one is None or name is None else (name, one)


def endpoint_names(connection: sa.Connection) -> list[str]:
    """The names of all endpoints."""
    return list(connection.scalars(sa.select(Endpoint.name).order_by(Endpoint.id)))


def ensure_endpoint(connection: sa.Connection, name: str, owner: str) -> int:
    """The number of the endpoint, which is made if it is not there; another owner is written down."""
    found = connection.execute(sa.select(Endpoint.id, Endpoint.owner).where(Endpoint.name == name)).first()
    if found is None:
        made = sa.insert(Endpoint).values(name=name, owner=owner, created_at=datetime.now(UTC)).returning(Endpoint.id)
        return connection.execute(made).scalar_one()
    if owner and found.owner != owner:
        connection.execute(sa.update(Endpoint).where(Endpoint.id == found.id).values(owner=owner))
    return found.id


def ensure_algorithm(
    connection: sa.Connection, endpoint: int, entry: Entry, status: str, run: str | None = None
) -> int:
    """The number of the algorithm, which is made with this status if it is not there.

    One that is there keeps its status; another description, code or owner is written down.
    """
    told = {name: getattr(entry, name) for name in ("model_type", "description", "code", "owner")}
    found = connection.execute(
        sa.select(MLAlgorithm.id, *(getattr(MLAlgorithm, name) for name in told)).where(
            MLAlgorithm.parent_endpoint == endpoint,
            MLAlgorithm.name == entry.name,
            MLAlgorithm.version == entry.version,
        )
    ).first()
    if found is None:
        made = sa.insert(MLAlgorithm).values(
            name=entry.name,
            version=entry.version,
            run=run,
            parent_endpoint=endpoint,
            created_at=datetime.now(UTC),
            **told,
        )
        number = connection.execute(made.returning(MLAlgorithm.id)).scalar_one()
        activate(connection, number, status, None)
        return number
    if any(getattr(found, name) != value for name, value in told.items()):
        connection.execute(sa.update(MLAlgorithm).where(MLAlgorithm.id == found.id).values(**told))
    return found.id


def versions(connection: sa.Connection, endpoint: int, name: str) -> list[Version]:
    """All versions of an algorithm, oldest first."""
    found = connection.execute(
        sa.select(MLAlgorithm.id, MLAlgorithm.version, MLAlgorithm.run)
        .where(MLAlgorithm.parent_endpoint == endpoint, MLAlgorithm.name == name)
        .order_by(MLAlgorithm.id)
    )
    return [Version(*row) for row in found]


def known_runs(connection: sa.Connection, endpoint: str, name: str) -> set[str]:
    """The trainings that an algorithm has versions of."""
    return set(
        connection.scalars(
            sa.select(MLAlgorithm.run)
            .join(Endpoint, Endpoint.id == MLAlgorithm.parent_endpoint)
            .where(Endpoint.name == endpoint, MLAlgorithm.name == name, MLAlgorithm.run.is_not(None))
        )
    )


def set_run(connection: sa.Connection, algorithm: int, run: str) -> None:
    """Write down whose model the algorithm is."""
    connection.execute(sa.update(MLAlgorithm).where(MLAlgorithm.id == algorithm).values(run=run))


def locked(connection: sa.Connection, numbers: Collection[int]) -> dict[int, Held]:
    """Those of the algorithms that there are, which nobody else can change until the end of the transaction.

    They are locked in the order of their numbers, so that nobody waits for one who waits for them.
    """
    connection.execute(
        sa.select(MLAlgorithm.id)
        .where(MLAlgorithm.id.in_(numbers))
        .order_by(MLAlgorithm.id)
        .with_for_update(key_share=True)
    ).all()
    found = connection.execute(
        sa.select(
            MLAlgorithm.id,
            MLAlgorithm.name,
            MLAlgorithm.version,
            MLAlgorithm.parent_endpoint,
            MLAlgorithm.model_type,
            MLAlgorithmStatus.status,
        )
        .outerjoin(
            MLAlgorithmStatus,
            sa.and_(MLAlgorithmStatus.parent_mlalgorithm == MLAlgorithm.id, MLAlgorithmStatus.active),
        )
        .where(MLAlgorithm.id.in_(numbers))
    )
    return {
        row.id: Held(row.id, label_of(row.name, row.version), row.parent_endpoint, row.model_type, row.status)
        for row in found.all()
    }


def activate(connection: sa.Connection, algorithm: int, status: str, by: str | None) -> int:
    """Give the algorithm, which is locked or new, a status; the one before is active no more. The status's number."""
    connection.execute(
        sa.update(MLAlgorithmStatus)
        .where(MLAlgorithmStatus.parent_mlalgorithm == algorithm, MLAlgorithmStatus.active)
        .values(active=False)
    )
    made = sa.insert(MLAlgorithmStatus).values(
        status=status, active=True, created_by=by, created_at=datetime.now(UTC), parent_mlalgorithm=algorithm
    )
    return connection.execute(made.returning(MLAlgorithmStatus.id)).scalar_one()
