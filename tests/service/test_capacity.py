"""How many trainings there may be: counted over all who work, and only those."""

import os
import threading
from contextlib import ExitStack

import pytest

from server.errors import TooMany
from server.service.capacity import admitted, most_trainings, running
from server.service.experiment_book import CALL
from server.service.figures import Figures
from server.service.run_folder import active_runs
from server.service.stopping import DEADLINE
from tests.conftest import titanic_endpoint


@pytest.fixture
def configured(make_config):
    return lambda **limits: make_config({"url": {"titanic": titanic_endpoint()}, "server": {"limits": limits}})


def test_one_more_than_may_run_and_wait_is_refused(configured):
    config = configured(trainings=1, queue=1)
    with ExitStack() as working:
        working.enter_context(admitted(config, "first"))
        second = working.enter_context(ExitStack())
        second.enter_context(admitted(config, "second"))
        with pytest.raises(TooMany, match=r"server\.limits\.trainings.*server\.limits\.queue") as refused:
            working.enter_context(admitted(config, "third"))
        assert refused.value.retry_after
        assert active_runs(config).tasks() == ["first", "second"]
        second.close()
        working.enter_context(admitted(config, "third"))


def test_what_nobody_works_on_any_more_takes_no_room(configured):
    config = configured(trainings=1, queue=0)
    active = active_runs(config)
    with active.opened("abandoned"):
        pass
    with admitted(config, "next"):
        assert active.tasks() == ["abandoned", "next"]


def test_two_runs_of_one_call_count_once(configured):
    config = configured(trainings=1, queue=1)
    active = active_runs(config)
    with admitted(config, "training"), active.opened("reading"):
        for key in ("training", "reading"):
            active.note(key, {CALL: "training"})
        with admitted(config, "other"), pytest.raises(TooMany), admitted(config, "third"):
            pass


def test_of_many_who_come_at_once_as_many_are_admitted_as_may(configured):
    config = configured(trainings=2, queue=3)
    refused, leave, together = [], threading.Event(), threading.Barrier(12)

    def come(number: int) -> None:
        together.wait()
        try:
            with admitted(config, f"key{number}"):
                leave.wait(20)
        except TooMany as error:
            refused.append(error)
            if len(refused) == 7:
                leave.set()

    threads = [threading.Thread(target=come, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert leave.is_set()
    assert len(refused) == 7


def test_by_default_one_training_a_core_runs_and_on_a_cluster_any_number(make_config):
    url = {"titanic": titanic_endpoint()}
    cores = max(2, len(os.sched_getaffinity(0)))
    assert most_trainings(make_config({"url": url}).server) == cores
    cluster = {"compute": "tcp://localhost:8786"}
    assert most_trainings(make_config({"url": url, "server": cluster}).server) is None
    both = cluster | {"limits": {"trainings": 3}}
    assert most_trainings(make_config({"url": url, "server": both}).server) == 3


@pytest.mark.parametrize(("minutes", "noted"), [(5, True), (None, False)])
def test_the_time_of_a_training_begins_when_it_runs(configured, minutes, noted):
    config = configured(training_minutes=minutes)
    active = active_runs(config)
    with active.opened("key"):
        assert DEADLINE not in active.facts("key")
        with running(config, ["key"]):
            assert (DEADLINE in active.facts("key")) is noted


def test_a_training_that_waits_for_others_is_told_as_waiting(configured):
    config = configured(trainings=1)
    active, figures = active_runs(config), Figures(config, {})

    def counted():
        told = figures.runs_going_on()
        return told["titanic", "running"], told["titanic", "waiting"]

    with admitted(config, "key"), running(config, []):
        active.note("key", {"endpoint": "titanic"})
        assert counted() == (0, 1)
    with admitted(config, "key"):
        active.note("key", {"endpoint": "titanic"})
        with running(config, ["key"]):
            assert counted() == (1, 0)
    assert counted() == (0, 0)
