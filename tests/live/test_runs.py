"""Runs beside a real server: asked for and answered later, waiting, cancelled, and cheap for who does not ask."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.conftest import ROOT, ROW, titanic_endpoint
from tests.waiting import run_once

pytestmark = [pytest.mark.live, pytest.mark.slow]
LONG = {"_action": "retrain", "class": "RandomForestClassifier", "n_estimators": 3000}
ASYNC = {"Prefer": "respond-async"}
NOT_IMPORTED = """
import sys, time
from server.app import create_app
from server.config import load_config
app = create_app(load_config(sys.argv[1], {}))
client = app.test_client()
while client.get("/readyz").status_code != 200:
    time.sleep(0.1)
assert client.post("/titanic?_action=retrain").status_code == 200
assert client.get("/runs").json["runs"][0]["status"] == "FINISHED"
assert client.get("/titanic?_runs").json["runs"][0]["serving"]
print("mlflow" in sys.modules)
"""


@pytest.fixture
def live(make_live):
    return make_live({"titanic": titanic_endpoint()})


def run_at(live, location: str) -> dict:
    return requests.get(live.url + location, timeout=60).json()


def begin(live, **params) -> str:
    answer = requests.post(live.url + "/titanic", params=LONG | params, headers=ASYNC, timeout=60)
    assert answer.status_code == 202, answer.text
    return answer.headers["Location"]


def test_a_worker_never_imports_mlflow(live):
    live.stop()
    script = subprocess.run(
        [sys.executable, "-c", NOT_IMPORTED, str(live.config)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert script.returncode == 0, script.stderr
    assert script.stdout.split() == ["False"]


def test_a_client_waits_as_long_as_it_says(live):
    prefer = {"Prefer": "respond-async, wait=60"}
    done = requests.post(live.url + "/titanic", params={"_action": "retrain"}, headers=prefer, timeout=90)
    assert done.status_code == 200
    assert 0.7 < done.json()["score"] < 0.9
    began = time.monotonic()
    prefer = {"Prefer": "respond-async, wait=1"}
    later = requests.post(live.url + "/titanic", params=LONG, headers=prefer, timeout=60)
    assert later.status_code == 202
    assert time.monotonic() - began >= 1
    assert later.json()["status"] == "RUNNING"
    assert requests.delete(live.url + later.headers["Location"], timeout=60).json()["status"] == "KILLED"


def test_a_second_training_is_scheduled_until_the_first_has_ended(live):
    first, second = begin(live), begin(live, n_estimators=10)
    assert run_once(live.url + first, "RUNNING")
    assert run_at(live, second)["status"] == "SCHEDULED"
    assert requests.delete(live.url + first, timeout=60).status_code == 200
    assert run_once(live.url + second, "FINISHED")["serving"]
    assert run_at(live, first)["status"] == "KILLED"


def test_a_training_that_waits_is_cancelled_like_one_that_runs(live):
    first, second = begin(live), begin(live)
    run_once(live.url + first, "RUNNING")
    assert requests.delete(live.url + second, timeout=60).json()["status"] == "KILLED"
    assert run_at(live, first)["status"] == "RUNNING"
    assert requests.delete(live.url + first, timeout=60).json()["status"] == "KILLED"
    live.wait_for_trainings(0)


def test_who_waits_for_a_training_that_is_cancelled_is_told(live):
    before = requests.get(live.url + "/titanic?_params", timeout=60).json()["run"]
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(requests.post, live.url + "/titanic", params=LONG, timeout=60)
        deadline = time.monotonic() + 30
        while not (running := requests.get(live.url + "/runs?status=RUNNING", timeout=60).json()["runs"]):
            assert time.monotonic() < deadline
        (run,) = running
        assert requests.delete(f"{live.url}/runs/{run['run_id']}", timeout=60).status_code == 200
        answer = waiting.result()
    assert (answer.status_code, answer.json()["title"]) == (409, "Training cancelled")
    assert requests.get(live.url + "/titanic?_params", timeout=60).json()["run"] == before
    assert requests.get(live.url + "/titanic", params=ROW, timeout=60).json() in ([0], [1])


def test_the_details_of_a_run_follow_its_answer(live):
    run = requests.get(live.url + "/runs", timeout=60).json()["runs"][0]
    folder = run["artifact_uri"].removeprefix("file://")
    expected = {"confusion_matrix.svg", "roc_curve.svg"}
    deadline = time.monotonic() + 60
    while True:
        listed = subprocess.run(["ls", f"{folder}/pictures"], capture_output=True, text=True, check=False)
        if expected <= set(listed.stdout.split()):
            break
        assert time.monotonic() < deadline, listed
        time.sleep(0.2)
    assert 0.6 < run_at(live, f"/runs/{run['run_id']}")["metrics"]["held_out_score"] < 0.95


def test_a_run_that_nobody_works_on_is_ended_without_anybody_asking(live):
    location = begin(live)
    run_once(live.url + location, "RUNNING")
    live.kill()
    live.start()
    store = live.config.parent / "models" / ".runs"
    deadline = time.monotonic() + 30
    # Its lock file goes when its end is recorded.
    while list(store.glob("*.lock")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    run = run_at(live, location)
    assert (run["status"], "killed" in run["error"]) == ("FAILED", True)
