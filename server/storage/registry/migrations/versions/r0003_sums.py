"""Running sums of running tests, filled from the requests that these have so far."""

from fractions import Fraction

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SHARES = 8
# Every float is a multiple of this power of two (IEEE 754, binary64).
FINEST = 2**1074
# Rows in memory at once.
BATCH = 10_000


def upgrade() -> None:
    """Make the table and fill it."""
    made = op.create_table(
        "abtestsum",
        _key("parent_abtest", "abtest"),
        _key("parent_mlalgorithm", "mlalgorithm"),
        sa.Column("share", NUMBER, nullable=False),
        sa.Column("requests", NUMBER, nullable=False),
        sa.Column("feedback", NUMBER, nullable=False),
        sa.Column("total", sa.Text(), nullable=False),
        sa.Column("squares", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("parent_abtest", "parent_mlalgorithm", "share", name="pk_abtestsum"),
    )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        # Whoever has the older release open must not write down what is neither filled in nor counted.
        op.execute("LOCK TABLE mlrequest IN SHARE MODE")
    running = "SELECT id, parent_mlalgorithm1, parent_mlalgorithm2 FROM abtest WHERE ended_at IS NULL"
    for test, *algorithms in connection.execute(sa.text(running)).all():
        for algorithm in algorithms:
            rows = [_gathered(connection, test, algorithm), *[(0, 0, "0", "0")] * (SHARES - 1)]
            op.bulk_insert(
                made,
                [
                    {"parent_abtest": test, "parent_mlalgorithm": algorithm, "share": share}
                    | dict(zip(("requests", "feedback", "total", "squares"), row, strict=True))
                    for share, row in enumerate(rows)
                ],
            )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("abtestsum")


def _key(name: str, table: str) -> sa.Column:
    constraint = sa.ForeignKey(f"{table}.id", name=f"fk_abtestsum_{name}")
    return sa.Column(name, NUMBER, constraint, nullable=False)


def _gathered(connection: sa.Connection, test: int, algorithm: int) -> tuple[int, int, str, str]:
    """Requests, those that are compared, and the exact sums of their losses and of the squares of these."""
    mine = "FROM mlrequest WHERE parent_abtest = :test AND parent_mlalgorithm = :algorithm"
    values = {"test": test, "algorithm": algorithm}
    count = connection.scalar(sa.text(f"SELECT count(*) {mine}"), values) or 0
    found = sa.text(f"SELECT loss {mine} AND loss IS NOT NULL").execution_options(yield_per=BATCH)
    feedback = total = squares = 0
    for (loss,) in connection.execute(found, values):
        feedback += 1
        total += _whole(loss)
        squares += _whole(loss * loss)
    return count, feedback, str(Fraction(total, FINEST)), str(Fraction(squares, FINEST))


def _whole(value: float) -> int:
    """The value as a multiple of the finest: adding integers takes a tenth of what adding fractions takes."""
    numerator, denominator = value.as_integer_ratio()
    return numerator * (FINEST // denominator)
