"""The tables of the registry as they first were."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables."""
    _algorithms()
    _tests()
    _requests()


def downgrade() -> None:
    """Drop all tables."""
    for name in ("mlrequest", "abtest", "mlalgorithmstatus", "mlalgorithm", "endpoint"):
        op.drop_table(name)


def _own() -> tuple[sa.Column, sa.Column]:
    return (
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )


def _text(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _parent(name: str, table: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, NUMBER, sa.ForeignKey(f"{table}.id"), nullable=nullable)


def _unique_where(name: str, table: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, [column], unique=True, sqlite_where=where, postgresql_where=where)


def _algorithms() -> None:
    op.create_table(
        "endpoint",
        *_own(),
        _text("name"),
        _text("owner"),
        sa.UniqueConstraint("name", name="uq_endpoint_name"),
    )
    op.create_table(
        "mlalgorithm",
        *_own(),
        *map(_text, ("name", "model_type", "description", "code", "version", "owner")),
        _text("run", nullable=True),
        _parent("parent_endpoint", "endpoint"),
        sa.UniqueConstraint("parent_endpoint", "name", "version", name="uq_mlalgorithm_parent_endpoint_name_version"),
    )
    op.create_index(
        "ix_mlalgorithm_parent_endpoint_name_run", "mlalgorithm", ["parent_endpoint", "name", "run"], unique=True
    )
    op.create_table(
        "mlalgorithmstatus",
        *_own(),
        _text("status"),
        sa.Column("active", sa.Boolean(), nullable=False),
        _text("created_by", nullable=True),
        _parent("parent_mlalgorithm", "mlalgorithm"),
    )
    op.create_index("ix_mlalgorithmstatus_parent_mlalgorithm", "mlalgorithmstatus", ["parent_mlalgorithm"])
    _unique_where("uq_mlalgorithmstatus_active", "mlalgorithmstatus", "parent_mlalgorithm", "active")


def _tests() -> None:
    op.create_table(
        "abtest",
        *_own(),
        *map(_text, ("title", "model_type")),
        _text("created_by", nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        _text("summary", nullable=True),
        sa.Column("min_feedback", NUMBER, nullable=False),
        _text("verdict", nullable=True),
        _parent("parent_endpoint", "endpoint"),
        _parent("parent_mlalgorithm1", "mlalgorithm"),
        _parent("parent_mlalgorithm2", "mlalgorithm"),
        *map(_text, ("status_before1", "status_before2")),
    )
    for side in ("parent_mlalgorithm1", "parent_mlalgorithm2"):
        op.create_index(f"ix_abtest_{side}", "abtest", [side])
    _unique_where("uq_abtest_running", "abtest", "parent_endpoint", "ended_at IS NULL")


def _requests() -> None:
    op.create_table(
        "mlrequest",
        *_own(),
        *map(_text, ("input_data", "full_response")),
        _text("response", nullable=True),
        _text("feedback", nullable=True),
        sa.Column("loss", sa.Double(), nullable=True),
        _parent("parent_mlalgorithm", "mlalgorithm"),
        _parent("parent_abtest", "abtest", nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mlrequest_parent_mlalgorithm_id", "mlrequest", ["parent_mlalgorithm", "id"])
    op.create_index("ix_mlrequest_created_at", "mlrequest", ["created_at"])
    where = sa.text("parent_abtest IS NOT NULL")
    op.create_index(
        "ix_mlrequest_of_tests",
        "mlrequest",
        ["parent_abtest", "parent_mlalgorithm", "loss"],
        sqlite_where=where,
        postgresql_where=where,
    )
