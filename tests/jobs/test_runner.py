"""Jobs run in processes of their own, and come back with their result or the reason why not."""

import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from server.errors import BadRequest, NotReady, Problem, StorageFull, TrainingFailed
from server.jobs import InlineRunner, ProcessRunner
from tests.conftest import ROOT
from tests.jobs import work
from tests.waiting import until

# The launcher outlives the object that started it, and is meant to.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")]


@pytest.fixture(scope="module")
def runner():
    runner = ProcessRunner(["tests.jobs.work"])
    yield runner
    runner.close()


@pytest.fixture
def own_runner():
    """A runner whose launcher the test may kill."""
    runner = ProcessRunner(["tests.jobs.work"])
    yield runner
    runner.close()


@pytest.fixture
def own_temp(monkeypatch):
    """A temporary folder that no other process uses; short, as a socket's path must be."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def lives(pid: int) -> bool:
    """Whether the process runs; a zombie has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("kind", [InlineRunner, "processes"])
def test_a_job_returns_its_result(runner, kind):
    runner = runner if kind == "processes" else kind()
    assert runner.run(work.add, 1, 2) == 3


def test_each_job_has_a_process_of_its_own(runner):
    processes = {runner.run(work.process) for _ in range(3)}
    assert len(processes) == 3
    assert os.getpid() not in processes


def test_tables_go_there_and_back(runner):
    rows = pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": ["x", None]})
    pd.testing.assert_frame_equal(runner.run(work.echo, rows), rows)


def test_a_large_answer_comes_back_whole(runner):
    assert len(runner.run(work.echo, b"x" * 50_000_000)) == 50_000_000


@pytest.mark.parametrize("kind", [InlineRunner, "processes"])
def test_an_error_of_the_server_comes_back_with_status_and_problems(runner, kind):
    runner = runner if kind == "processes" else kind()
    with pytest.raises(BadRequest) as caught:
        runner.run(work.refuse)
    assert (caught.value.status, caught.value.detail) == (400, "no such rows")
    assert caught.value.problems == (Problem("/0/a", "a: 'x' is not a number"),)


def test_errors_keep_their_class_and_what_only_they_have(runner):
    with pytest.raises(StorageFull):
        runner.run(work.full)
    with pytest.raises(NotReady) as caught:
        runner.run(work.not_ready)
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (work.fail, "division by zero"),
        (work.leave, "SystemExit"),
        (work.exit_at_once, "ended without an answer"),
        (work.be_killed, "ended without an answer"),
        (work.unpicklable, "without an answer|pickle"),
    ],
)
def test_a_crash_is_a_failed_training_and_the_next_job_runs(runner, function, words):
    with pytest.raises(TrainingFailed, match=words):
        runner.run(function)
    assert runner.run(work.add, 1, 2) == 3


def test_two_jobs_run_side_by_side(runner, tmp_path):
    files = [tmp_path / "one", tmp_path / "two"]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(runner.run, work.meet, mine, other, 10) for mine, other in (files, files[::-1])]
        assert [job.result() for job in jobs] == [True, True]


def test_many_jobs_at_once_all_answer(runner):
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda n: runner.run(work.add, n, n), range(40))) == [2 * n for n in range(40)]


def test_threads_that_come_first_together_start_one_launcher(own_runner):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: own_runner.run(work.parent), range(8)))) == 1


def test_a_killed_launcher_is_started_again(own_runner):
    first = own_runner.run(work.parent)
    os.kill(first, signal.SIGKILL)
    until(lambda: not lives(first))
    assert own_runner.run(work.add, 1, 2) == 3
    assert own_runner.run(work.parent) != first


def test_a_job_outlives_its_launcher(own_runner, tmp_path):
    files = [tmp_path / name for name in ("started", "go", "done")]
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(own_runner.run, work.work_on, *files)
        until(lambda: files[0].exists() and files[0].read_text())
        os.kill(own_runner.run(work.parent), signal.SIGKILL)
        files[1].touch()
        assert job.result(20) is None
    assert files[2].exists()


def test_signals_to_the_group_leave_the_launcher_alone(own_runner):
    launcher = own_runner.run(work.parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(launcher, number)
    assert own_runner.run(work.parent) == launcher


def test_close_ends_the_launcher_and_clears_its_folder(own_temp, own_runner):
    launcher = own_runner.run(work.parent)
    assert len(list(own_temp.iterdir())) == 1
    own_runner.close()
    until(lambda: not lives(launcher))
    assert list(own_temp.iterdir()) == []


def test_a_killed_launcher_leaves_neither_folder_nor_descriptor_behind(own_temp, own_runner):
    before = len(os.listdir("/proc/self/fd"))
    launcher = own_runner.run(work.parent)
    os.kill(launcher, signal.SIGKILL)
    until(lambda: not lives(launcher))
    own_runner.run(work.process)
    own_runner.close()
    assert (list(own_temp.iterdir()), len(os.listdir("/proc/self/fd"))) == ([], before)


@pytest.fixture
def make_owner(tmp_path):
    """A process that owns a launcher (spawned or forked) and waits for a job; its and its launcher's number."""
    owners = []

    def make(*how: str):
        files = [str(tmp_path / name) for name in ("started", "go", "done")]
        owner = subprocess.Popen(
            [sys.executable, "-m", "tests.jobs.owner", *files, *how], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        owners.append(owner)
        launcher = int(owner.stdout.readline().split()[0])
        until(lambda: (tmp_path / "started").exists() and (tmp_path / "started").read_text())
        return owner, launcher, int((tmp_path / "started").read_text())

    yield make
    (tmp_path / "go").touch()
    for owner in owners:
        owner.kill()
        owner.wait()
        owner.stdout.close()


@pytest.mark.parametrize("how", [[], ["fork"]], ids=["spawned", "forked"])
def test_a_job_goes_on_when_its_asker_dies_and_nothing_is_left_behind(make_owner, tmp_path, how):
    owner, launcher, job = make_owner(*how)
    owner.kill()
    owner.wait()
    until(lambda: not lives(launcher))
    assert lives(job)
    (tmp_path / "go").touch()
    until(lambda: not lives(job))
    assert (tmp_path / "done").exists()


def test_a_bound_job_dies_with_its_asker(make_owner, tmp_path):
    owner, _, job = make_owner("bound")
    owner.kill()
    owner.wait()
    until(lambda: not lives(job), 5)
    assert not (tmp_path / "done").exists()


def test_a_bound_job_goes_on_once_its_asker_has_the_result(tmp_path):
    runner = ProcessRunner(["tests.jobs.work"], bound=True)
    assert runner.run(work.later, tmp_path / "done") == "result"
    runner.close()
    until((tmp_path / "done").exists)


def test_a_job_holds_no_descriptor_of_the_server(runner):
    """Else the server's port would stay bound, and its locks held, as long as the job runs."""
    with open("/dev/null") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        names = runner.run(os.listdir, "/proc/self/fd")
    assert len(names) <= 8


@pytest.mark.parametrize("kind", [InlineRunner, "processes"])
def test_a_job_goes_on_when_its_result_is_there(runner, kind, tmp_path):
    done = tmp_path / "done"
    result = (runner if kind == "processes" else kind()).run(work.later, done)
    assert (result, done.exists()) == ("result", kind is InlineRunner)
    until(done.exists)
