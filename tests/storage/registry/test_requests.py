"""Requests are kept with what a test compares, and old ones go."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from server.storage.registry import abtests, requests, sums
from server.storage.registry.connection import Conflict
from server.storage.registry.listing import Page, count_of, rows_of
from server.storage.registry.requests import Logged
from server.storage.registry.sums import Tally
from server.storage.registry.tables import MLRequest


@pytest.fixture
def log(database):
    def log(algorithm: int, test: int | None = None, loss: float | None = None) -> int:
        with database.writing() as connection:
            number = requests.log(connection, Logged(algorithm, test, "{}", '{"status":"OK"}', "1"))
            if loss is not None:
                requests.set_feedback(connection, requests.answered(connection, number), "1", loss)
        return number

    return log


def test_an_endpoint_has_one_running_test(database, add_algorithm, begin_test):
    first, second = add_algorithm(), add_algorithm("tree")
    number = begin_test(first, second)
    with pytest.raises(Conflict):
        begin_test(second, add_algorithm("third"))
    with database.writing() as connection:
        abtests.end(connection, number, "over", "{}")
    assert begin_test(first, second) > number


def test_tallies_count_what_is_compared_and_what_is_corrected(database, add_algorithm, begin_test, log):
    first, second = add_algorithm(), add_algorithm("tree")
    test = begin_test(first, second)
    log(first), log(first, test), log(first, test, 1e59), log(second, test, 2.0)
    corrected = log(first, test, 1e60)
    with database.writing() as connection:
        for number, loss in ((corrected - 2, 0.5), (corrected, 0.25)):
            requests.set_feedback(connection, requests.answered(connection, number), "1", loss)
    with database.reading() as connection:
        assert sums.tallies(connection, test) == {first: Tally(3, 2, 0.75, 0.3125), second: Tally(1, 1, 2.0, 4.0)}


def test_a_number_is_never_given_twice(database, add_algorithm, log):
    number = log(add_algorithm())
    with database.writing() as connection:
        assert requests.remove(connection, [number]) == 1
    assert log(1) > number


def test_old_requests_are_found_one_after_the_other_but_for_those_of_a_running_test(
    database, add_algorithm, begin_test, log
):
    first, second = add_algorithm(), add_algorithm("tree")
    test = begin_test(first, second)
    made = [log(first), log(first, test), log(second, test), *(log(first) for _ in range(4))]
    with database.writing() as connection:
        # Many may come in one moment.
        connection.execute(sa.update(MLRequest).where(MLRequest.id.in_(made[:5])).values(created_at=datetime.now(UTC)))
    moment = datetime.now(UTC) + timedelta(1)
    with database.reading() as connection:
        assert requests.old(connection, datetime.now(UTC) - timedelta(1), None, 10) == []
        found, behind = [], None
        while part := requests.old(connection, moment, behind, 2):
            found += part
            behind = part[-1]
    assert sorted(one.id for one in found) == [made[0], *made[3:]]
    with database.writing() as connection:
        abtests.end(connection, test, "over", "{}")
        assert len(requests.old(connection, moment, None, 10)) == len(made)
        assert requests.remove(connection, made[:2]) == 2
    with database.reading() as connection:
        assert [row["id"] for row in rows_of(connection, "mlrequests", {}, Page(10))] == made[2:]


def test_requests_are_filtered_by_moment_algorithm_and_test(database, add_algorithm, begin_test, log):
    first, second = add_algorithm(), add_algorithm("tree")
    test = begin_test(first, second)
    log(first), log(second, test)
    now = datetime.now(UTC)
    with database.reading() as connection:

        def count(**filters):
            return count_of(connection, "mlrequests", filters)

        assert count(since=now) == 0
        assert count(until=now) == count(parent_endpoint="iris") == count(parent_endpoint=1) == 2
        assert count(parent_mlalgorithm=first) == count(parent_abtest=test) == 1


def test_corrections_at_once_keep_feedback_and_loss_together(database, add_algorithm, begin_test, log):
    first, second = add_algorithm(), add_algorithm("tree")
    test = begin_test(first, second)
    number = log(first, test)

    def correct(value: int) -> None:
        for _ in range(5):
            with database.writing() as connection:
                found = requests.answered(connection, number)
                assert (found.algorithm, found.model_type, found.response) == (first, "classifier", "1")
                requests.set_feedback(connection, found, str(value), float(value))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(correct, range(8)))
    with database.reading() as connection:
        feedback = rows_of(connection, "mlrequests", {}, Page(1))[0]["feedback"]
        assert sums.tallies(connection, test)[first] == Tally(1, 1, float(feedback), float(feedback) ** 2)
