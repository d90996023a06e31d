"""The lock files of runs tell who works on them."""

import threading

import pytest

from server.storage.active_runs import ActiveRuns


@pytest.fixture
def active(tmp_path):
    active = ActiveRuns(tmp_path)
    with active.opened("task"):
        pass
    return active


def test_who_finds_a_run_looked_at_waits_and_learns_what_became_of_it(active):
    looking, leave = threading.Event(), threading.Event()

    def end_it() -> None:
        with active.abandoned("task") as mine:
            assert mine
            looking.set()
            leave.wait(10)
            active.forget("task")

    thread = threading.Thread(target=end_it)
    thread.start()
    looking.wait(10)
    found: list[bool] = []
    other = threading.Thread(target=lambda: found.append(active.is_held("task")))
    other.start()
    other.join(0.2)
    assert other.is_alive()
    leave.set()
    thread.join()
    other.join()
    assert (found, active.exists("task")) == ([False], False)


def test_a_run_that_is_worked_on_is_told_at_once(active):
    with active.joined("task"):
        assert active.is_held("task")
        with active.abandoned("task") as mine:
            assert not mine
    with active.abandoned("task") as mine:
        assert mine


def test_who_looks_too_long_is_not_waited_for(active, monkeypatch):
    monkeypatch.setattr("server.storage.active_runs.LOOKING", 0.05)
    with active.abandoned("task"), active.abandoned("task") as mine:
        assert not mine
