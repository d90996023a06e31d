"""Lists hold what their filters say, in the order of numbers, found by ranges of an index."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from server.storage.registry import abtests, ranges, requests
from server.storage.registry.listing import Page, rows_of
from server.storage.registry.requests import Logged
from server.storage.registry.tables import MLRequest

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def log(database):
    """Write requests down: pairs of an algorithm and a test, one minute after the other, or as the clocks went."""

    def log(answered, minutes=None):
        with database.writing() as connection:
            for place, (algorithm, test) in enumerate(answered):
                number = requests.log(connection, Logged(algorithm, test, "{}", "{}", "1"))
                moment = NOON + timedelta(minutes=place if minutes is None else minutes[place])
                connection.execute(sa.update(MLRequest).where(MLRequest.id == number).values(created_at=moment))

    return log


@pytest.fixture
def sides(database, add_algorithm, begin_test):
    """Three algorithms, and two tests: the first, of 1 and 2, has ended; the second, of 2 and 3, runs."""
    one, two, three = (add_algorithm(name) for name in ("forest", "line", "tree"))
    ended = begin_test(one, two)
    with database.writing() as connection:
        abtests.end(connection, ended, "over", "{}")
    return [(one, None), (one, ended), (two, ended), (two, begin_test(two, three)), (three, None)]


def matches(row, filters):
    return (
        filters.get("parent_endpoint", 1) in (1, "iris")
        and filters.get("parent_mlalgorithm", row["parent_mlalgorithm"]) == row["parent_mlalgorithm"]
        and filters.get("parent_abtest", row["parent_abtest"]) == row["parent_abtest"]
        and filters.get("since", row["created_at"]) <= row["created_at"]
        and row["created_at"] < filters.get("until", row["created_at"] + timedelta(1))
    )


@pytest.mark.parametrize("most", [ranges.MOST, 1])
def test_every_filter_alone_and_together_holds_what_it_says(database, sides, log, monkeypatch, most):
    monkeypatch.setattr(ranges, "MOST", most)
    draw = random.Random(0)
    # Clocks that differ, by less than is allowed for.
    log(draw.choices(sides, k=120), [place + draw.uniform(0, 50) for place in range(120)])
    choices = {
        "parent_endpoint": (None, 1, "iris", 7, "else"),
        "parent_mlalgorithm": (None, 2, 9),
        "parent_abtest": (None, 1, 2, 9),
        "since": (None, NOON + timedelta(minutes=60), NOON + timedelta(1)),
        "until": (None, NOON + timedelta(minutes=100), datetime.max.replace(tzinfo=UTC)),
    }
    with database.reading() as connection:
        everything = rows_of(connection, "mlrequests", {}, Page(1000))
        assert [row["id"] for row in everything] == list(range(1, 121))
        for values in itertools.product(*choices.values()):
            filters = {name: value for name, value in zip(choices, values, strict=True) if value is not None}
            expected = [row for row in everything if matches(row, filters)]
            assert rows_of(connection, "mlrequests", filters, Page(1000)) == expected, filters
            newest = rows_of(connection, "mlrequests", filters, Page(5, 80, 2, newest_first=True))
            assert newest == [row for row in reversed(expected) if row["id"] < 80][2:7], filters
            later = rows_of(connection, "mlrequests", filters, Page(5, 20, 2))
            assert later == [row for row in expected if row["id"] > 20][2:7], filters


# PostgreSQL chooses by what it has counted, and counts later.
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("newest_first", [False, True])
def test_no_list_of_requests_is_sorted_or_read_from_its_beginning(database, sides, log, newest_first):
    log(sides * 40)
    some = {"parent_endpoint": "iris"}, {"parent_mlalgorithm": 2}, {"parent_abtest": 2}, {}
    moments = {}, {"since": NOON + timedelta(hours=2)}, {"until": NOON + timedelta(hours=2)}
    seen = []
    with database.reading() as connection:
        connection.connection.dbapi_connection.set_trace_callback(seen.append)
        for filters, moment in itertools.product(some, moments):
            rows_of(connection, "mlrequests", filters | moment, Page(10, newest_first=newest_first))
        connection.connection.dbapi_connection.set_trace_callback(None)
        asked = [text for text in seen if "LIMIT" in text and "ORDER BY" in text]
        assert len(asked) == 12 + 8
        for text in asked:
            plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
            assert not any("TEMP B-TREE" in step for step in plan), (text, plan)
            if "created_at >=" in text or "created_at <" in text or "parent_" in text:
                assert not any(step.startswith("SCAN mlrequest") for step in plan), (text, plan)
