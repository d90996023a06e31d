"""The seed's requests in its order against a real server, with real documents; and what its processes may suffer."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient

from tests.documents.library import write_library
from tests.documents.writers import WRITERS
from tests.live.conftest import LiveServer
from tests.waiting import SECONDS
from tests.web.classifying import LABELS, PAYLOAD, SPACE, URL, classifier_entry

pytestmark = pytest.mark.live
FORMATS = ("txt", "md", "html", "pdf", "docx", "rtf", "eml")
NAME = {"experiment_name": PAYLOAD["experiment_name"]}
# Trains until it is stopped.
ENDLESS = {"class": "MLPClassifier", "params": {"max_iter": 1_000_000, "tol": 0, "n_iter_no_change": 1_000_000}}


class Client:
    """A client of the classifier on a live server."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server

    def post(self, route: str, body: dict[str, Any]) -> requests.Response:
        return requests.post(f"{self.server.url}{URL}/{route}", json=body, timeout=60)

    def get(self, path: str) -> Any:
        return requests.get(self.server.url + path, timeout=60).json()

    def begin(self, **changes: Any) -> str:
        answer = self.post("process", PAYLOAD | changes)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["info"]["run_id"]

    def runs(self) -> list[dict[str, Any]]:
        return self.post("job_status", NAME).json()

    def wait(self, is_over: Any, seconds: float = 90) -> list[dict[str, Any]]:
        deadline = time.monotonic() + seconds
        while not is_over(runs := self.runs()):
            assert time.monotonic() < deadline, runs
            time.sleep(0.1)
        return runs

    def wait_for_ends(self) -> list[dict[str, Any]]:
        return self.wait(lambda runs: {run["status"] for run in runs} <= {"FINISHED", "FAILED", "KILLED"})

    def predict(self, run_id: str) -> requests.Response:
        # Each request a new connection, which either worker may take.
        return self.post("predict", {"runid": run_id, "text": SPACE})


@pytest.fixture
def make_classifier(make_live, tmp_path):
    """A client of a server whose documents lie there, in all formats."""

    def make(**kwargs: Any) -> Client:
        assert set(FORMATS) == set(WRITERS)
        write_library(tmp_path / "documents" / "dataset1", LABELS, 14, FORMATS)
        return Client(make_live({"custom": classifier_entry(**kwargs)}))

    return make


def pid_at_work(models: Path, run_id: str, seconds: float = SECONDS) -> int:
    """The process that works on the run."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for path in (models / ".runs").glob("*.json"):
            try:
                facts = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            if facts.get("run") == run_id and "pid" in facts:
                return int(facts["pid"])
        time.sleep(0.02)
    raise AssertionError(f"nobody works on {run_id}")


def test_the_requests_of_the_seed_in_its_order(make_classifier, tmp_path):
    client = make_classifier()
    answer = client.post("process", PAYLOAD).json()
    assert answer["status"] == {"code": 200, "message": "Success"}
    assert answer["data"]["info"]["status"] == "RUNNING"
    run_id, experiment = answer["data"]["info"]["run_id"], answer["data"]["info"]["experiment_id"]
    training, reading = client.wait_for_ends()
    assert (training["run_id"], training["status"], reading["status"]) == (run_id, "FINISHED", "FINISHED")
    run = client.get(f"/runs/{run_id}")
    assert (run["number_documents_treated"], run["list_id_not_treated"]) == (42, [])
    for _ in range(8):
        data = client.predict(run_id).json()["data"]
        assert (data["label"], data["prediction"]) == ("space", 1)
    # As a client, and as MLflow itself sees it.
    store = MlflowClient(f"sqlite:///{tmp_path}/models/mlflow.db")
    assert store.get_run(run_id).data.params["label2id"] == training["params.label2id"]
    assert [one["run_id"] for one in client.get(f"{URL}/all_experiments/last_run")] == [run_id]
    assert client.get(f"{URL}/runid/status?experiment_name=Custom_Classifier10") == [training, reading]
    assert client.post("run/soft_delete", {"run_id": reading["run_id"]}).status_code == 200
    assert store.get_run(reading["run_id"]).info.lifecycle_stage == "deleted"
    assert client.post("experiment/soft_delete", NAME).status_code == 200
    again = client.post("experiment/soft_delete", NAME)
    assert (again.status_code, again.json()) == (
        409, {"status": "Problem deleting Experiment Custom_Classifier10. Status deleted"},
    )  # fmt: skip
    assert store.get_experiment(experiment).lifecycle_stage == "deleted"
    artifacts = Path(store.get_experiment(experiment).artifact_location.removeprefix("file://"))
    assert (artifacts / run_id / "artifacts" / "model" / "model.pkl").is_file()
    assert client.post("experiment/hard_delete", NAME).status_code == 200
    assert store.get_experiment_by_name("Custom_Classifier10") is None
    assert not artifacts.exists()
    assert client.post("experiment/hard_delete", NAME).status_code == 404
    assert client.predict(run_id).status_code == 404
    assert client.begin() != run_id


def test_a_model_answers_after_a_restart_and_an_experiment_that_mlflow_restored(make_classifier, tmp_path):
    client = make_classifier()
    run_id = client.begin(labels=LABELS[:2])
    client.wait_for_ends()
    first = client.predict(run_id).json()
    client.server.restart()
    assert [client.predict(run_id).json() for _ in range(6)] == [first] * 6
    assert client.post("experiment/soft_delete", NAME).status_code == 200
    assert client.predict(run_id).status_code == 404
    store = MlflowClient(f"sqlite:///{tmp_path}/models/mlflow.db")
    store.restore_experiment(store.get_experiment_by_name(PAYLOAD["experiment_name"]).experiment_id)
    assert client.predict(run_id).json() == first
    assert len(client.runs()) == 2


def test_a_killed_training_is_failed_and_a_new_one_works(make_classifier, tmp_path):
    client = make_classifier(model=ENDLESS)
    models = tmp_path / "models"
    # So that reading takes longer than a signal.
    for number in range(500):
        (tmp_path / "documents" / "dataset1" / "space" / f"more{number}.txt").write_text(SPACE)
    killed = client.begin()
    os.kill(pid_at_work(models, killed), signal.SIGKILL)
    training, reading = client.wait_for_ends()
    assert (training["status"], reading["status"]) == ("FAILED", "FAILED")
    assert "killed" in client.get(f"/runs/{killed}")["error"]
    assert client.predict(killed).status_code == 409
    second = client.begin()
    client.wait(lambda runs: [run["status"] for run in runs[:2]] == ["RUNNING", "FINISHED"])
    os.kill(pid_at_work(models, second), signal.SIGKILL)
    training, reading, _ = client.wait_for_ends()
    assert (training["status"], reading["status"]) == ("FAILED", "FINISHED")
    assert not list((models / "custom").glob("staging/*"))
    client.server.wait_for_trainings(0)


def test_what_waits_can_be_cancelled_and_what_runs_too(make_classifier):
    client = make_classifier(model=ENDLESS)
    running = client.begin()
    hasty, waiting = client.begin(), client.begin()
    assert client.get(f"/runs/{waiting}")["status"] == "SCHEDULED"
    busy = client.post("experiment/hard_delete", NAME)
    assert (busy.status_code, busy.json()["status"].endswith(("RUNNING", "SCHEDULED"))) == (409, True)
    for run_id in (client.begin(), waiting, hasty, running):
        answer = requests.delete(f"{client.server.url}/runs/{run_id}", timeout=60)
        assert (answer.status_code, answer.json()["status"]) == (200, "KILLED")
    client.wait_for_ends()
    runs = client.get("/runs")["runs"]
    assert (len(runs), {run["status"] for run in runs[:-1]}, runs[-1]["error"]) == (8, {"KILLED"}, None)
    client.server.wait_for_trainings(0)
    assert client.post("experiment/hard_delete", NAME).status_code == 200


def test_both_workers_may_begin_in_one_new_experiment_at_once(make_classifier):
    client = make_classifier()
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: client.begin(labels=LABELS[:2]), range(4)))
    assert len(set(runs)) == 4
    deadline = time.monotonic() + 120
    while {run["status"] for run in client.get("/runs")["runs"]} != {"FINISHED"}:
        assert time.monotonic() < deadline, client.get("/runs")
        time.sleep(0.2)
    assert len(client.get("/runs")["runs"]) == 8
    assert {client.predict(run).status_code for run in runs} == {200}
