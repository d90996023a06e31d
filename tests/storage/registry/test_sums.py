"""Running sums are exact, count what runs, and are filled from what there was before them."""

import math
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import given, settings

from server.storage.registry import abtests, requests, sums
from server.storage.registry.connection import RegistryDatabase, migration_steps
from server.storage.registry.requests import Logged
from server.storage.registry.sums import SHARES, Tally
from server.storage.registry.tables import ABTestSum

# What a loss can be: LARGEST_ERROR squared at most.
LOSSES = st.none() | st.floats(0, 1e120) | st.sampled_from([0.0, 1.0, 0.1, 5e-324, 1e-200, 1e120])


@pytest.fixture
def running(add_algorithm, begin_test) -> tuple[int, int, int]:
    """A running test, and its two algorithms."""
    first, second = add_algorithm(), add_algorithm("tree")
    return begin_test(first, second), first, second


@pytest.fixture
def log(database):
    def log(algorithm: int, test: int | None) -> int:
        with database.writing() as connection:
            return requests.log(connection, Logged(algorithm, test, "{}", "{}", "1"))

    return log


@pytest.fixture
def tell(database):
    def tell(number: int, loss: float | None) -> None:
        with database.writing() as connection:
            requests.set_feedback(connection, requests.answered(connection, number), "1", loss)

    return tell


def tallies_of(database, test):
    with database.reading() as connection:
        return sums.tallies(connection, test)


def summed(requests_: int, losses: list[float | None]) -> Tally:
    """What there is to gather, told by `math.fsum`, which does not round on its way."""
    known = [loss for loss in losses if loss is not None]
    return Tally(requests_, len(known), math.fsum(known), math.fsum(loss * loss for loss in known))


# PostgreSQL has the same statements, and is asked below; what is tried here is arithmetic.
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_in_any_order_and_however_corrected_sums_are_exactly_those_of_what_is_there(database, running):
    test, first, _ = running
    # All examples in one test: what is left of those before belongs to the sums, too.
    known: dict[int, float | None] = {}

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 11), LOSSES), min_size=1, max_size=30))
    def holds(feedback):
        with database.writing() as connection:
            made = [requests.log(connection, Logged(first, test, "{}", "{}", "1")) for _ in range(12)]
            known.update(dict.fromkeys(made))
            for place, loss in feedback:
                found = requests.answered(connection, made[place])
                requests.set_feedback(connection, found, "1", loss)
                known[made[place]] = loss
        assert tallies_of(database, test)[first] == summed(len(known), list(known.values()))

    holds()


def test_each_side_gathers_for_itself_in_all_its_shares(database, running, log, tell):
    test, first, second = running
    losses = [0.1 * number for number in range(3 * SHARES)]
    for number, loss in enumerate(losses):
        tell(log((first, second)[number % 2], test), loss)
    log(first, None)
    expected = {first: summed(12, losses[::2]), second: summed(12, losses[1::2])}
    assert tallies_of(database, test) == expected
    with database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).where(ABTestSum.requests > 0)) == SHARES


def test_a_request_without_feedback_counts_and_one_that_loses_its_comparison_does_not_compare(
    database, running, log, tell
):
    test, first, _ = running
    tell(log(first, test), 1e120)
    number = log(first, test)
    tell(number, 0.1)
    tell(number, None)
    log(first, test)
    assert tallies_of(database, test)[first] == Tally(3, 1, 1e120, 1e120**2)


def test_what_comes_after_the_end_of_a_test_is_kept_and_not_counted(database, running, log, tell):
    test, first, _ = running
    number = log(first, test)
    tell(number, 1.0)
    with database.writing() as connection:
        abtests.end(connection, test, "over", "{}")
    tell(number, 0.0)
    late = log(first, test)
    tell(late, 1.0)
    assert tallies_of(database, test) == {}
    with database.writing() as connection:
        assert [requests.answered(connection, one).loss for one in (number, late)] == [0.0, 1.0]


def test_what_is_undone_is_not_counted(database, running, log):
    test, first, _ = running
    number = log(first, test)

    def written() -> None:
        with database.writing() as connection:
            requests.log(connection, Logged(first, test, "{}", "{}", "1"))
            requests.set_feedback(connection, requests.answered(connection, number), "1", 1.0)
            raise ArithmeticError

    def predicted() -> None:
        with database.direct() as driven:
            driven.begin()
            requests.log(driven, Logged(first, test, "{}", "{}", "1"))
            raise ArithmeticError

    for undone in (written, predicted):
        with pytest.raises(ArithmeticError):
            undone()
    assert tallies_of(database, test)[first] == Tally(1)


def test_many_at_once_lose_no_request_and_no_feedback_beside_the_end_of_the_test(database, running, tell):
    test, first, second = running

    def work(worker: int) -> None:
        for turn in range(12):
            with database.direct() as driven:
                driven.begin()
                number = requests.log(driven, Logged((first, second)[turn % 2], test, "{}", "{}", "1"))
            tell(number, 0.1 * worker)
            tell(number, 0.3 * turn)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
        sides = {
            side: summed(48, 8 * [0.3 * turn for turn in range(12) if turn % 2 == place])
            for place, side in enumerate((first, second))
        }
        assert tallies_of(database, test) == sides
        ending = [pool.submit(work, worker) for worker in range(7)]
        with database.writing() as connection:
            abtests.locked(connection, test)
            abtests.end(connection, test, "over", "{}")
        for one in ending:
            one.result(60)
    assert tallies_of(database, test) == {}


def test_a_test_that_runs_already_is_summed_when_the_database_is_brought_up_to_date(database, running, log, tell):
    test, first, second = running
    losses = [0.1, 1e120, 5e-324, 0.3, None, 7.0, 0.0]
    for loss in losses:
        tell(log(first, test), loss)
    over = log(second, test)
    with database.writing() as connection:
        command.downgrade(migration_steps(connection), "r0002")
    url = database._url.render_as_string(hide_password=False)
    database.close()
    later = RegistryDatabase(url)
    try:
        assert tallies_of(later, test) == {first: summed(7, losses), second: Tally(1)}
        with later.writing() as connection:
            requests.set_feedback(connection, requests.answered(connection, over), "1", 0.5)
            requests.set_feedback(connection, requests.answered(connection, over - 6), "1", 0.25)
        corrected = [0.1, 0.25, *losses[2:]]
        assert tallies_of(later, test) == {first: summed(7, corrected), second: Tally(1, 1, 0.5, 0.25)}
    finally:
        later.close()
