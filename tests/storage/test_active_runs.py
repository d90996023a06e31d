"""The lock files of runs tell who works on them."""

import os
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


def test_a_file_found_before_its_maker_held_it_is_made_anew(tmp_path, monkeypatch):
    """Who looks while the file is there, but not held yet, takes the run for one whose process has died."""
    active, opened = ActiveRuns(tmp_path), os.open
    ended = []

    def looked_at_once_opened(*arguments, **named):
        descriptor = opened(*arguments, **named)
        if not ended:
            ended.append(True)
            with active.abandoned("task") as mine:
                assert mine
                active.forget("task")
        return descriptor

    monkeypatch.setattr(os, "open", looked_at_once_opened)
    with active.opened("task"):
        assert ended
        assert active.is_held("task")
        with active.joined("task"):
            assert active.tasks() == ["task"]
