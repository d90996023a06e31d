"""Both indexes of requests hold numbers and losses, so that sums over time are read from one of them alone."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
OF_ALGORITHMS, OF_TESTS = "ix_mlrequest_of_algorithms", "ix_mlrequest_of_tests"
BEFORE = "ix_mlrequest_parent_mlalgorithm_id"


def upgrade() -> None:
    """Make both anew."""
    op.drop_index(BEFORE, "mlrequest")
    op.create_index(OF_ALGORITHMS, "mlrequest", ["parent_mlalgorithm", "id", "loss"])
    _of_tests("parent_abtest", "parent_mlalgorithm", "id", "loss")


def downgrade() -> None:
    """Make them as they were."""
    op.drop_index(OF_ALGORITHMS, "mlrequest")
    op.create_index(BEFORE, "mlrequest", ["parent_mlalgorithm", "id"])
    _of_tests("parent_abtest", "parent_mlalgorithm", "loss")


def _of_tests(*columns: str) -> None:
    where = sa.text("parent_abtest IS NOT NULL")
    op.drop_index(OF_TESTS, "mlrequest")
    op.create_index(OF_TESTS, "mlrequest", list(columns), sqlite_where=where, postgresql_where=where)
