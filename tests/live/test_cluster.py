"""A real gunicorn whose trainings run on a real Dask cluster, parts of which are lost."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import requests
from distributed import Client

from server.storage.files import read_json
from tests.cluster import Cluster, children
from tests.conftest import titanic_endpoint
from tests.jobs.test_runner import lives
from tests.live.conftest import serving
from tests.live.test_classifier import ENDLESS
from tests.waiting import until
from tests.web.classifying import PAYLOAD, SPACE, URL, classifier_entry, write_documents

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
# A transform that says which process trains, and waits there while it is told to.
HOLDING = """
import os, pathlib, time

FOLDER = pathlib.Path(__file__).parent

def hold(data):
    with (FOLDER / "trained_by").open("a") as file:
        print(os.getpid(), file=file)
    while (FOLDER / "hold").exists():
        time.sleep(0.02)
    return data
"""


class Trainer:
    """A server, its cluster, and trainings that can be held."""

    def __init__(self, live, cluster: Cluster, folder: Path) -> None:
        self.live, self.cluster, self.folder = live, cluster, folder
        self.answers: list[requests.Response] = []

    def train(self, **arguments) -> requests.Response:
        return requests.post(f"{self.live.url}/titanic", params={"_action": "retrain"} | arguments, timeout=90)

    def hold(self) -> int:
        """Begin a training and return when it waits in its process, which is returned."""
        (self.folder / "hold").touch()
        known = len(self.trained_by())
        threading.Thread(target=self._train_and_tell, daemon=True).start()
        return self.next_after(known)

    def _train_and_tell(self) -> None:
        # The server may be killed meanwhile.
        with contextlib.suppress(requests.ConnectionError):
            self.answers.append(self.train())

    def next_after(self, known: int) -> int:
        until(lambda: len(self.trained_by()) > known)
        return self.trained_by()[known]

    def trained_by(self) -> list[int]:
        path = self.folder / "trained_by"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def go(self) -> None:
        (self.folder / "hold").unlink()

    def answer(self) -> requests.Response:
        until(lambda: self.answers)
        return self.answers.pop()

    def last_run(self) -> dict:
        return requests.get(f"{self.live.url}/runs?limit=1", timeout=60).json()["runs"][0]

    def ended(self) -> dict:
        until(lambda: self.last_run()["status"] not in ("SCHEDULED", "RUNNING"))
        return self.last_run()

    def listens(self, process: int) -> bool:
        """Whether the process holds the server's port."""
        tables = Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]
        address = f"0100007F:{self.live.port:04X}"
        inodes = {fields[9] for fields in map(str.split, tables) if fields[1] == address and fields[3] == "0A"}
        held = {os.readlink(path) for path in Path(f"/proc/{process}/fd").iterdir() if path.is_symlink()}
        return any(f"socket:[{inode}]" in held for inode in inodes)

    def process(self, pattern: str) -> str:
        """Begin to train a classifier of documents; the run."""
        payload = PAYLOAD | {"experiment_name": "documents of " + pattern.strip("/")}
        answer = requests.post(f"{self.live.url}{pattern}/process", json=payload, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["info"]["run_id"]

    def run(self, run: str) -> dict:
        return requests.get(f"{self.live.url}/runs/{run}", timeout=60).json()

    def works_on(self, run: str, not_yet: int | None = None) -> int:
        """The process that works on the run, once it is another than that one."""

        def found() -> list[int]:
            facts = [read_json(path) or {} for path in (self.folder / "models" / ".runs").glob("*.json")]
            return [one["pid"] for one in facts if one.get("run") == run and one.get("pid", not_yet) != not_yet]

        until(found)
        return found()[0]

    def worker_of(self, process: int):
        return next(worker for worker in self.cluster.workers if process in children(worker.pid))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server and its cluster for all tests here: a first training takes a while."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "holding.py").write_text(HOLDING)
    cluster = Cluster(folder)
    cluster.complete(2)
    write_documents(folder)
    data = {"url": "$YAMLPATH/data/titanic.csv", "transform": "holding.hold"}
    url = {
        "titanic": titanic_endpoint(data=data),
        "custom": classifier_entry(),
        "endless": classifier_entry(model=ENDLESS) | {"pattern": "/endless"},
    }
    try:
        with serving(folder, url, compute=cluster.address) as live:
            yield Trainer(live, cluster, folder)
    finally:
        cluster.stop()


@pytest.fixture
def trainer(shared):
    """The same with two workers, whatever was lost before."""
    shared.cluster.complete(2)
    yield shared
    (shared.folder / "hold").unlink(missing_ok=True)
    shared.ended()


def test_every_training_runs_on_a_worker(trainer):
    first = trainer.ended()
    process = trainer.hold()
    assert trainer.worker_of(process)
    assert trainer.last_run()["status"] == "RUNNING"
    trainer.go()
    answer = trainer.answer()
    assert (answer.status_code, answer.json()["score"] > 0.75) == (200, True), answer.text
    run = trainer.last_run()
    assert (first["status"], run["status"], run["serving"]) == ("FINISHED", "FINISHED", True)
    assert run["metrics"]["score"] == answer.json()["score"]


def test_a_search_is_divided_among_the_workers(trainer):
    def done(dask_worker) -> int:
        return dask_worker.state.executed_count

    with Client(trainer.cluster.address, set_as_default=False) as client:
        before = client.run(done)
        search = {"class": "GridSearchCV", "estimator": "LogisticRegression", "cv": "5"}
        answer = trainer.train(**search, param_grid='{"C": [0.01, 0.1, 1, 10, 100, 1000], "tol": [0.0001, 0.001]}')
        assert answer.status_code == 200, answer.text
        after = client.run(done)
    assert len(after) == 2
    assert all(after[worker] - before[worker] >= 3 for worker in after)
    assert trainer.last_run()["class"] == "GridSearchCV"
    assert trainer.train(**{"class": "LogisticRegression"}).status_code == 200


def test_the_training_of_a_killed_worker_is_finished_by_the_other(trainer):
    process = trainer.hold()
    lost, known = trainer.worker_of(process), len(trainer.trained_by())
    lost.kill()
    lost.wait()
    second = trainer.next_after(known)
    until(lambda: not lives(process))
    assert trainer.worker_of(second) is not lost
    trainer.go()
    answer = trainer.answer()
    assert (answer.status_code, answer.json()["score"] > 0.75) == (200, True), answer.text
    run = trainer.last_run()
    assert (run["status"], run["serving"], run["error"]) == ("FINISHED", True, None)


def test_a_cancelled_training_is_killed_and_its_worker_lives(trainer):
    assert trainer.train().status_code == 200
    first = trainer.last_run()
    process = trainer.hold()
    worker = trainer.worker_of(process)
    cancelled = requests.delete(f"{trainer.live.url}/runs/{trainer.last_run()['run_id']}", timeout=60)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "KILLED"), cancelled.text
    assert trainer.answer().status_code == 409
    assert not lives(process)
    assert lives(worker.pid)
    trainer.go()
    assert requests.get(f"{trainer.live.url}/runs/{first['run_id']}", timeout=60).json()["serving"]
    assert trainer.train().status_code == 200


def test_a_training_that_waits_for_a_worker_can_be_cancelled(trainer):
    for worker in trainer.cluster.workers:
        worker.kill()
        worker.wait()
    trainer.cluster.wait_for_workers(0)
    begun = requests.post(
        f"{trainer.live.url}/titanic?_action=retrain", headers={"Prefer": "respond-async"}, timeout=60
    ).json()
    cancelled = requests.delete(f"{trainer.live.url}/runs/{begun['run_id']}", timeout=60)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "KILLED"), cancelled.text


def test_a_classifier_of_documents_is_trained_on_a_worker(trainer):
    run = trainer.process(URL)
    until(lambda: trainer.run(run)["status"] == "FINISHED")
    asked = {"runid": run, "text": SPACE}
    assert requests.post(f"{trainer.live.url}{URL}/predict", json=asked, timeout=60).json()["data"]["label"] == "space"


def test_a_classifier_whose_worker_is_killed_learns_on_the_other_and_can_be_cancelled(trainer):
    run = trainer.process("/endless")
    until(lambda: trainer.run(run)["metrics"].get("number_documents_treated"))
    first = trainer.works_on(run)
    lost = trainer.worker_of(first)
    lost.kill()
    lost.wait()
    second = trainer.works_on(run, not_yet=first)
    until(lambda: not lives(first))
    assert trainer.worker_of(second) is not lost
    assert trainer.run(run)["status"] == "RUNNING"
    cancelled = requests.delete(f"{trainer.live.url}/runs/{run}", timeout=60)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "KILLED"), cancelled.text
    until(lambda: not lives(second), 5)


def test_without_the_scheduler_trainings_fail_and_the_server_lives(trainer):
    process = trainer.hold()
    trainer.cluster.kill_scheduler()
    answer = trainer.answer()
    assert (answer.status_code, "server.compute" in answer.json()["detail"]) == (503, True), answer.text
    assert answer.headers["Retry-After"]
    run = trainer.ended()
    assert (run["status"], run["error"]) == ("FAILED", answer.json()["detail"])
    assert not lives(process)
    trainer.go()
    answer = trainer.train()
    assert (answer.status_code, "server.compute" in answer.json()["detail"]) == (503, True), answer.text
    assert trainer.ended()["error"] == answer.json()["detail"]
    assert requests.get(f"{trainer.live.url}/readyz", timeout=60).status_code == 200
    trainer.cluster.complete(2)
    assert trainer.train().status_code == 200
    assert trainer.last_run()["status"] == "FINISHED"


def test_a_first_training_waits_for_the_scheduler(tmp_path, make_live):
    cluster = Cluster(tmp_path)
    live = make_live({"titanic": titanic_endpoint()}, ready=False, compute=cluster.address)
    until(lambda: "server.compute" in requests.get(f"{live.url}/titanic?Sex=male", timeout=60).text)
    try:
        cluster.complete(2)
        live.wait("/readyz")
    finally:
        cluster.stop()


def test_a_training_outlives_the_web_worker_that_asked(trainer):
    process = trainer.hold()
    run = trainer.last_run()["run_id"]
    for pid, parent in trainer.live.processes().items():
        # The launcher is the master's child, too, but waits for no requests.
        if parent == trainer.live.process.pid and trainer.listens(pid):
            os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    trainer.live.wait("/healthz")
    assert lives(process)
    trainer.go()
    ended = trainer.ended()
    assert (ended["run_id"], ended["status"], ended["serving"]) == (run, "FINISHED", True)
