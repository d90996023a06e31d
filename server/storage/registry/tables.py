"""The tables of the registry (SQLAlchemy 2, declarative). The migrations make them; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite counts rows by INTEGER only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value if value is None or dialect.name != "sqlite" else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _index_where(condition: str, name: str, *columns: str, unique: bool = False) -> sa.Index:
    """An index of the rows for which the condition holds."""
    where = sa.text(condition)
    return sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


class Base(DeclarativeBase):
    """What the tables of the registry have in common."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map = {int: NUMBER, str: sa.Text(), datetime: Moment(), float: sa.Double()}


class Table(Base):
    """A table of which each row has a number and the moment in which it was made."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class Endpoint(Table):
    """A use case for which algorithms are trained."""

    __tablename__ = "endpoint"

    name: Mapped[str] = mapped_column(unique=True)
    owner: Mapped[str]


class MLAlgorithm(Table):
    """An algorithm; `run` is the training whose model it is, where it is a version of an endpoint of this server."""

    __tablename__ = "mlalgorithm"
    __table_args__ = (
        sa.UniqueConstraint("parent_endpoint", "name", "version"),
        sa.Index(None, "parent_endpoint", "name", "run", unique=True),
    )

    name: Mapped[str]
    model_type: Mapped[str]
    description: Mapped[str]
    code: Mapped[str]
    version: Mapped[str]
    owner: Mapped[str]
    run: Mapped[str | None]
    parent_endpoint: Mapped[int] = mapped_column(sa.ForeignKey("endpoint.id"))


class MLAlgorithmStatus(Table):
    """A status that an algorithm has or had; the database lets one of them be active."""

    __tablename__ = "mlalgorithmstatus"
    __table_args__ = (_index_where("active", "uq_mlalgorithmstatus_active", "parent_mlalgorithm", unique=True),)

    status: Mapped[str]
    active: Mapped[bool]
    created_by: Mapped[str | None]
    parent_mlalgorithm: Mapped[int] = mapped_column(sa.ForeignKey("mlalgorithm.id"), index=True)


class ABTest(Table):
    """A test of two algorithms; an endpoint, and so an algorithm, is in one at most that has not ended.

    `verdict` is what the test told when it ended, as JSON.
    """

    __tablename__ = "abtest"
    __table_args__ = (_index_where("ended_at IS NULL", "uq_abtest_running", "parent_endpoint", unique=True),)

    title: Mapped[str]
    model_type: Mapped[str]
    created_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    summary: Mapped[str | None]
    min_feedback: Mapped[int]
    verdict: Mapped[str | None]
    parent_endpoint: Mapped[int] = mapped_column(sa.ForeignKey("endpoint.id"))
    parent_mlalgorithm1: Mapped[int] = mapped_column(sa.ForeignKey("mlalgorithm.id"), index=True)
    parent_mlalgorithm2: Mapped[int] = mapped_column(sa.ForeignKey("mlalgorithm.id"), index=True)
    status_before1: Mapped[str]
    status_before2: Mapped[str]


class ABTestSum(Base):
    """A share of what one side of a running test has gathered; all shares of the side together tell it.

    `requests` counts them, `feedback` those that are compared; `total` and `squares` are the sums of their losses and
    of the squares of these, exact, as fractions.
    """

    __tablename__ = "abtestsum"

    parent_abtest: Mapped[int] = mapped_column(sa.ForeignKey("abtest.id"), primary_key=True)
    parent_mlalgorithm: Mapped[int] = mapped_column(sa.ForeignKey("mlalgorithm.id"), primary_key=True)
    share: Mapped[int] = mapped_column(primary_key=True)
    requests: Mapped[int]
    feedback: Mapped[int]
    total: Mapped[str]
    squares: Mapped[str]


class MLRequest(Table):
    """A prediction and what came back of it.

    What clients sent and got is JSON text. `loss` is what a test compares: of a classifier 0 for a right answer and 1
    for a wrong one, of a regressor the squared error; NULL where there is nothing to compare.
    """

    __tablename__ = "mlrequest"
    __table_args__ = (
        # Holds all that a history reads.
        sa.Index("ix_mlrequest_of_algorithms", "parent_mlalgorithm", "id", "loss"),
        # Holds all that the moments of a test read, and the way to it.
        _index_where(
            "parent_abtest IS NOT NULL", "ix_mlrequest_of_tests", "parent_abtest", "parent_mlalgorithm", "id", "loss"
        ),
        sa.Index(None, "created_at"),
        # A number must never be given twice, though old requests go.
        {"sqlite_autoincrement": True},
    )

    input_data: Mapped[str]
    full_response: Mapped[str]
    response: Mapped[str | None]
    feedback: Mapped[str | None]
    loss: Mapped[float | None]
    parent_mlalgorithm: Mapped[int] = mapped_column(sa.ForeignKey("mlalgorithm.id"))
    parent_abtest: Mapped[int | None] = mapped_column(sa.ForeignKey("abtest.id"))


Row = dict[str, Any]
