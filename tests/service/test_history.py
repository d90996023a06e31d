"""Looking back on algorithms and tests: bounded, right, and seldom where it costs much."""

import pytest

from server.service import history as module
from server.service.abtest import compared
from server.service.history import MOMENTS, History
from server.storage.registry import abtests, requests, sums
from server.storage.registry.algorithms import Entry, ensure_algorithm, ensure_endpoint
from server.storage.registry.connection import RegistryDatabase
from server.storage.registry.requests import Logged


@pytest.fixture
def database(tmp_path):
    """The endpoint 1 with the classifiers 1 and 2."""
    found = RegistryDatabase(f"sqlite:///{tmp_path}/registry.db")
    with found.writing() as connection:
        endpoint = ensure_endpoint(connection, "iris", "me")
        for name in ("forest", "line"):
            ensure_algorithm(connection, endpoint, Entry(name, "1", "classifier", "", "", ""), "testing")
    yield found
    found.close()


@pytest.fixture
def running(database):
    """A test of both, as the list tells it."""
    told = {"model_type": "classifier", "parent_mlalgorithm1": 1, "parent_mlalgorithm2": 2}
    with database.writing() as connection:
        number = abtests.add(
            connection,
            told
            | {"title": "t", "created_by": None, "min_feedback": 1, "parent_endpoint": 1}
            | {"status_before1": "production", "status_before2": "testing"},
        )
    return told | {"id": number}


def answer(database, count, test=None):
    """Requests of both in turn; of those with feedback the second is wrong in one of three."""
    with database.writing() as connection:
        for turn in range(count):
            number = requests.log(connection, Logged(1 + turn % 2, test, "{}", "{}", '"a"'))
            if turn % 5:
                found = requests.answered(connection, number)
                requests.set_feedback(connection, found, '"a"', float(turn % 6 == 1))


def test_the_last_moment_of_a_test_is_how_it_stands(database, running):
    answer(database, 500)
    answer(database, 500, running["id"])
    with database.reading() as connection:
        found = sums.tallies(connection, running["id"])
    now = compared("classifier", found[1], found[2])
    moments = History(database).moments(running)
    assert 50 < len(moments) <= MOMENTS
    assert moments[-1].compared == 400
    assert (moments[-1].difference, moments[-1].interval) == (now.difference, pytest.approx(now.interval))
    assert [moment.compared for moment in moments] == sorted(moment.compared for moment in moments)


def test_a_test_without_requests_or_with_few_has_no_moments(database, running):
    assert History(database).moments(running) == []
    answer(database, 12, running["id"])
    assert History(database).moments(running) == []


def test_days_tell_who_answered_most_first(database):
    answer(database, 3)
    with database.writing() as connection:
        for _ in range(5):
            requests.log(connection, Logged(2, None, "{}", "{}", '"a"'))
    days = History(database).days(1)
    assert [(one.label, sum(one.requests)) for one in days.series] == [("line 1", 6), ("forest 1", 2)]
    assert [(one.feedback[-1], one.scores[-1]) for one in days.series] == [(1, 0.0), (1, 1.0)]
    assert len(days.days) == len(days.series[0].requests) == 30
    assert History(database).days(2).series == []


@pytest.mark.parametrize(("long", "seen"), [(0.0, 3), (1000.0, 4)])
def test_only_what_took_long_is_told_again(database, monkeypatch, long, seen):
    monkeypatch.setattr(module, "LONG", long)
    monkeypatch.setattr(module, "AGAIN", 1e6)
    history = History(database)
    answer(database, 3)
    history.days(1)
    answer(database, 1)
    assert sum(sum(one.requests) for one in history.days(1).series) == seen
