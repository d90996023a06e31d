"""Sums over time: right, and read from an index alone."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from server.storage.registry import history, requests
from server.storage.registry.history import Asked
from server.storage.registry.requests import Logged
from server.storage.registry.sums import Tally
from server.storage.registry.tables import MLRequest

NOW = datetime.now(UTC)


@pytest.fixture
def log(database):
    """Write requests down, so many days ago, with these losses; their numbers."""

    def log(algorithm, *losses, test=None, ago=0):
        with database.writing() as connection:
            made = [requests.log(connection, Logged(algorithm, test, "{}", "{}", "1")) for _ in losses]
            for number, loss in zip(made, losses, strict=True):
                if loss is not None:
                    requests.set_feedback(connection, requests.answered(connection, number), "1", loss)
            moment = NOW - timedelta(days=ago)
            connection.execute(sa.update(MLRequest).where(MLRequest.id.in_(made)).values(created_at=moment))
        return made

    return log


@pytest.fixture
def running(add_algorithm, begin_test):
    """A running test of the algorithms 1 and 2."""
    return begin_test(add_algorithm("forest", "production"), add_algorithm("line"))


def test_days_are_ranges_of_numbers(database, add_algorithm, log):
    forest, line = add_algorithm(), add_algorithm("line")
    log(forest, 0.0, 1.0, None, ago=2)
    log(line, 2.0, ago=2)
    log(forest, 3.0, ago=1)
    moments = [NOW - timedelta(days=days) for days in (2.5, 1.5, 0.5)]
    with database.reading() as connection:
        bounds = history.numbers_since(connection, moments)
        assert bounds == [1, 5, history.END]
        assert history.of_algorithm(connection, forest, [*bounds, history.END]) == [
            Tally(3, 2, 1.0, 1.0), Tally(1, 1, 3.0, 9.0), Tally(),
        ]  # fmt: skip
        assert [asked.id for asked in history.asked_since(connection, 1, 1)] == [forest, line]
        assert history.asked_since(connection, 1, 5) == [Asked(forest, "forest 1", "classifier")]


def test_a_clock_that_was_set_back_lets_no_request_belong_to_two_days(database, add_algorithm, log):
    forest = add_algorithm()
    log(forest, None, None, ago=0)
    log(forest, None, ago=2)
    with database.reading() as connection:
        bounds = history.numbers_since(connection, [NOW - timedelta(days=days) for days in (2.5, 1.5, 0.5)])
        tallies = history.of_algorithm(connection, forest, [*bounds, history.END])
    assert sum(tally.requests for tally in tallies) == 1


def test_a_test_has_only_its_own_requests(database, running, log):
    log(1, 1.0)
    first, _, last = log(1, 0.0, 1.0, None, test=running)
    log(2, 5.0)
    with database.reading() as connection:
        assert history.span_of_test(connection, running, (1, 2)) == (first, last)
        assert history.of_test(connection, running, 1, [first, first + 1, last + 1]) == [
            Tally(1, 1, 0.0, 0.0), Tally(2, 1, 1.0, 1.0),
        ]  # fmt: skip
        assert history.of_test(connection, running, 2, [first, last + 1]) == [Tally()]
        assert history.span_of_test(connection, running, (2,)) is None


# PostgreSQL chooses by what it has counted, and counts later.
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_each_sum_is_read_from_an_index_alone(database, running, log):
    log(1, *[0.0] * 300)
    log(1, *[0.0] * 300, test=running)
    seen = []
    with database.reading() as connection:
        connection.connection.dbapi_connection.set_trace_callback(seen.append)
        history.of_algorithm(connection, 1, [1, 200])
        history.of_test(connection, running, 1, [1, 200])
        history.span_of_test(connection, running, (1,))
        history.numbers_since(connection, [NOW])
        connection.connection.dbapi_connection.set_trace_callback(None)
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all() for text in seen if "SELECT" in text]
    assert len(plans) == 5
    for plan in plans:
        assert "USING COVERING INDEX" in plan[0].detail, plan
        assert "TEMP B-TREE" not in str(plan), plan
