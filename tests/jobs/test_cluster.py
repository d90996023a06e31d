"""Jobs on a Dask cluster come back with their result or the reason why not, whatever is lost meanwhile."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from distributed import Client
from joblib import Parallel, delayed

from server.errors import BadRequest, NotReady, TrainingFailed
from server.jobs import ClusterRunner, cluster, cluster_problems, scheduler
from server.jobs.parallel import spread
from tests.cluster import Cluster, children
from tests.conftest import ROOT
from tests.jobs import work
from tests.jobs.test_runner import lives
from tests.waiting import until

MODULES = ["tests.jobs.work"]
pytestmark = [
    pytest.mark.slow,
    # Dask's connections to what was killed.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A cluster of two workers of which nothing is killed."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.complete(2)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def runner(shared):
    runner = ClusterRunner(shared.address, MODULES)
    yield runner
    runner.close()


@pytest.fixture
def own(tmp_path):
    """A cluster without workers, which the test may kill."""
    cluster = Cluster(tmp_path)
    cluster.start_scheduler()
    yield cluster
    cluster.stop()


@pytest.fixture
def own_runner(own):
    runner = ClusterRunner(own.address, MODULES)
    yield runner
    runner.close()


@pytest.fixture
def holding(own_runner, tmp_path):
    """A folder; a job that works until there is a file `go` in it, as `begin()` begins it in the background."""
    folder = tmp_path / "holding"
    folder.mkdir()

    class Holding:
        def begin(self, function=work.hold, **named):
            return pool.submit(own_runner.run, function, folder, **named)

        def wait(self, count: int = 1) -> list[int]:
            until(lambda: len(list(folder.glob("[0-9]*"))) == count)
            return [int(path.name) for path in sorted(folder.glob("[0-9]*"), key=lambda path: path.stat().st_mtime_ns)]

        def go(self) -> None:
            (folder / "go").touch()

    with ThreadPoolExecutor(2) as pool:
        holding = Holding()
        yield holding
        holding.go()


def test_a_job_has_a_process_of_its_own_beside_a_worker(shared, runner):
    assert runner.run(work.add, 1, 2) == 3
    assert runner.run(work.grandparent) in [worker.pid for worker in shared.workers]
    assert runner.run(work.process) != runner.run(work.process)


def test_an_error_of_the_server_comes_back_with_status_and_problems(runner):
    with pytest.raises(BadRequest, match="no such rows") as caught:
        runner.run(work.refuse)
    assert caught.value.problems[0].pointer == "/0/a"


@pytest.mark.parametrize(
    ("function", "words"), [(work.fail, "division by zero"), (work.be_killed, "ended without an answer")]
)
def test_a_crash_is_a_failed_training_and_the_workers_live(shared, runner, function, words):
    with pytest.raises(TrainingFailed, match=words):
        runner.run(function)
    assert runner.run(work.add, 1, 2) == 3
    assert all(lives(worker.pid) for worker in shared.workers)


def test_a_job_goes_on_when_its_result_is_there(runner, tmp_path):
    done = tmp_path / "done"
    assert runner.run(work.later, done) == "result"
    assert not done.exists()
    until(done.exists)


def test_what_scikit_learn_divides_is_done_by_all_workers(shared, runner):
    workers = {worker.pid for worker in shared.workers}
    assert runner.run(work.divide, None) == workers
    assert runner.run(work.divide, 4) == workers


def test_what_is_not_to_be_divided_stays_in_the_job(shared, runner):
    (process,) = runner.run(work.divide, 1, 0)
    assert process not in {worker.pid for worker in shared.workers}


def test_a_worker_with_other_versions_says_which(runner, monkeypatch):
    monkeypatch.setattr(cluster, "versions", lambda: {"Python": "2.7", "scikit-learn": "0.1"})
    with pytest.raises(NotReady, match=r"has Python 3\.\d+ instead of 2\.7, scikit-learn .* instead of 0\.1"):
        runner.run(work.add, 1, 2)


def test_a_job_of_a_lost_worker_begins_anew_on_another_and_the_first_is_dead(own, own_runner, holding):
    own.start_worker()
    job = holding.begin()
    (first,) = holding.wait()
    other = own.start_worker()
    own.wait_for_workers(2)
    own.workers[0].kill()
    _, second = holding.wait(2)
    until(lambda: not lives(first))
    assert second in children(other.pid)
    holding.go()
    assert job.result(20) == second


def test_a_job_that_holds_the_interpreter_dies_with_its_worker(own, holding):
    worker = own.start_worker()
    job = holding.begin(work.hold_the_interpreter, wanted=lambda: lives(worker.pid))
    (process,) = holding.wait()
    time.sleep(0.2)
    worker.kill()
    until(lambda: not lives(process), 2)
    with pytest.raises(TrainingFailed, match="nobody wants"):
        job.result(20)


def test_parts_of_a_lost_worker_are_done_by_the_others(own, own_runner):
    for _ in range(3):
        own.start_worker()
    own.wait_for_workers(3)
    places = {worker.pid: worker for worker in own.workers}
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(own_runner.run, work.divide, None, 0.5, 12)
        with Client(own.address, set_as_default=False) as client:
            # The job is one worker's, and parts are the others'.
            until(lambda: all(client.processing().values()))
        next(worker for pid, worker in places.items() if not children(pid)).kill()
        assert job.result(60) <= set(places)


def test_a_job_that_costs_every_worker_fails(own, own_runner):
    for _ in range(4):
        own.start_worker()
    own.wait_for_workers(4)
    with pytest.raises(TrainingFailed, match="each Dask worker that began it was lost"):
        own_runner.run(work.kill_grandparent)


def test_a_part_that_costs_every_worker_fails(own):
    for _ in range(4):
        own.start_worker()
    own.wait_for_workers(4)
    with spread(own.address), pytest.raises(TrainingFailed, match="could not do a part of the training: KilledWorker"):
        Parallel()([delayed(os._exit)(1)])


def test_a_job_nobody_wants_does_not_wait_for_a_worker(own_runner):
    with pytest.raises(TrainingFailed, match="nobody wants"):
        own_runner.run(work.add, 1, 2, wanted=lambda: False)


def test_a_cluster_without_workers_is_told(own_runner, monkeypatch):
    monkeypatch.setattr(cluster, "ALONE", 1)
    with pytest.raises(NotReady, match=r"\(server\.compute\) has no workers") as caught:
        own_runner.run(work.add, 1, 2)
    assert caught.value.retry_after


def test_a_lost_scheduler_ends_the_job_and_the_next_waits_for_its_return(own, own_runner, holding, monkeypatch):
    own.start_worker()
    job = holding.begin()
    holding.wait()
    own.kill_scheduler()
    with pytest.raises(NotReady, match=r"\(server\.compute\) was lost"):
        job.result(20)
    with monkeypatch.context() as hurried:
        hurried.setattr(scheduler, "CONNECTING", 1)
        with pytest.raises(NotReady, match=r"\(server\.compute\) (cannot be reached|was lost)"):
            own_runner.run(work.add, 1, 2)
    own.start_scheduler()
    own.start_worker()
    assert own_runner.run(work.add, 1, 2) == 3


def test_a_worker_without_the_servers_code_says_so(own, own_runner, tmp_path):
    own.start_worker(cwd=tmp_path)
    with pytest.raises(NotReady, match="No module named 'server'; workers are started in the server's folder"):
        own_runner.run(work.add, 1, 2)


def test_without_dask_the_configuration_says_what_to_install(monkeypatch):
    assert cluster_problems("tcp://host:8786") == []
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    assert cluster_problems(None) == []
    (problem,) = cluster_problems("tcp://host:8786")
    assert (problem.pointer, "install requirements.txt" in problem.detail) == ("server.compute", True)


def test_dask_is_not_imported_before_the_first_job():
    code = "import sys, server.app; server.app.ClusterRunner('tcp://x:1', []); print('distributed' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert (found.stdout.strip(), found.returncode) == ("False", 0), found.stderr
