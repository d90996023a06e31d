"""An object in a process of its own answers every process of the server, and ends with the server."""

import os
import signal
import threading
import time

import pytest

from server.errors import BadRequest, ProcessLost
from server.jobs import InlineRunner, ProcessRunner, kept
from tests.jobs.test_runner import lives
from tests.jobs.work import Counter, ask
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")]


@pytest.fixture
def runner():
    runner = ProcessRunner(["tests.jobs.work"])
    yield runner
    runner.close()


@pytest.fixture
def counter(runner, tmp_path):
    return runner.keep(Counter, tmp_path)


def test_its_calls_are_answered_in_one_other_process(counter):
    pids = {counter.pid() for _ in range(3)}
    assert len(pids) == 1
    assert os.getpid() not in pids
    assert [counter.add(2), counter.add(by=3)] == [2, 5]


def test_inline_it_is_the_object_itself(tmp_path):
    counter = InlineRunner().keep(Counter, tmp_path)
    assert isinstance(counter, Counter)


def test_many_threads_start_one_process(counter):
    pids: list[int] = []
    threads = [threading.Thread(target=lambda: pids.append(counter.pid())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 8
    assert len(set(pids)) == 1


def test_a_job_asks_the_same_process(runner, counter):
    assert runner.run(ask, counter) == (counter.pid(), True)


def test_a_job_whose_launcher_is_gone_has_an_object_of_its_own(runner, counter, tmp_path):
    first = counter.pid()
    assert runner.run(ask, counter, True) == (None, False)
    until(lambda: not lives(first))


def test_its_errors_are_raised_here(counter):
    with pytest.raises(BadRequest, match="not so"):
        counter.refuse()
    with pytest.raises(ProcessLost, match="ZeroDivisionError"):
        counter.fail()
    assert counter.add(1) == 1


def test_a_call_whose_process_dies_is_made_again(counter):
    first = counter.pid()
    assert counter.die_once() != first
    with pytest.raises(ProcessLost, match="ended under it"):
        counter.die()


def test_it_is_started_anew_after_it_was_killed(counter):
    os.kill(counter.pid(), signal.SIGKILL)
    assert counter.add(1) == 1


def test_it_ends_with_the_server_unless_it_is_wanted(runner, counter, tmp_path):
    (tmp_path / "wanted").touch()
    pid = counter.pid()
    runner.close()
    time.sleep(2 * kept.BETWEEN_TICKS)
    assert lives(pid)
    (tmp_path / "wanted").unlink()
    until(lambda: not lives(pid))


def test_it_ends_when_nobody_asks_and_comes_back(runner, tmp_path):
    counter = runner.keep(Counter, tmp_path, 0.1)
    first = counter.pid()
    until(lambda: not lives(first))
    assert counter.pid() != first
