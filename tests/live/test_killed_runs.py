"""Whatever is killed and whenever: every run ends, as what it says, and the model that serves is whole."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import joblib
import pytest
import requests

from tests.conftest import ROW, titanic_endpoint
from tests.waiting import SECONDS

pytestmark = [pytest.mark.live, pytest.mark.slow]
KILLS = 30
CLASSES = ("LogisticRegression", "DecisionTreeClassifier", "GaussianNB", "RandomForestClassifier&n_estimators=60")
ENDED = {"FINISHED", "FAILED", "KILLED"}


class Trainings:
    """Clients that ask for trainings, and remember what they were told."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self.url, self.chance = url, chance
        self.refused: list[str] = []
        self.answered = 0
        self.threads: list[threading.Thread] = []

    def begin(self) -> None:
        for patient in (True, False):
            named = self.chance.choice(CLASSES)
            thread = threading.Thread(target=self._train, args=(named, patient))
            thread.start()
            self.threads.append(thread)

    def _train(self, named: str, patient: bool) -> None:
        headers = {} if patient else {"Prefer": "respond-async"}
        try:
            answer = requests.post(f"{self.url}/titanic?_action=retrain&class={named}", headers=headers, timeout=60)
        except requests.RequestException:
            return
        self.answered += answer.status_code == 200
        # A killed training is a 500 for who waits for it; a store that is just being started anew, a 503.
        if answer.status_code not in (200, 202, 500, 503):
            self.refused.append(f"{answer.status_code} {answer.text[:300]}")

    def end(self) -> None:
        for thread in self.threads:
            thread.join(60)
        self.threads.clear()


def all_runs(server) -> list[dict]:
    runs, address = [], "/runs?endpoint=titanic&limit=1000"
    while address:
        page = requests.get(server.url + address, timeout=60).json()
        runs, address = runs + page["runs"], page["next"]
    return runs


def wait_until_all_have_ended(server, seconds: float = SECONDS) -> list[dict]:
    deadline = time.monotonic() + seconds
    while True:
        runs = all_runs(server)
        if {run["status"] for run in runs} <= ENDED and not server.trainings():
            return runs
        assert time.monotonic() < deadline, [run for run in runs if run["status"] not in ENDED]
        time.sleep(0.1)


def kill(server, victim: str) -> None:
    if victim == "server":
        server.kill()
        server.start()
        return
    pids = server.trainings() if victim == "training" else server.workers_of_gunicorn()
    if pids:
        os.kill(pids[0], signal.SIGKILL)


def test_every_run_ends_as_what_it_says_and_the_serving_model_is_whole(make_live):
    server = make_live({"titanic": titanic_endpoint()})
    chance = random.Random(20261121)
    trainings = Trainings(server.url, chance)
    served: set[str] = set()
    for number in range(KILLS):
        trainings.begin()
        time.sleep(chance.random() * 1.2)
        kill(server, ("training", "worker", "server")[number % 3])
        trainings.end()
        runs = wait_until_all_have_ended(server)
        answer = requests.get(server.url + "/titanic", params=ROW, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.json() in ([0], [1])
        served.add(requests.get(server.url + "/titanic?_params", timeout=60).json()["run"])
        assert [run["run_id"] for run in runs if run["serving"]] == [
            requests.get(server.url + "/titanic?_params", timeout=60).json()["run"]
        ]
    assert trainings.refused == []
    finished = {run["run_id"] for run in runs if run["status"] == "FINISHED"}
    assert served <= finished
    assert len(finished) > trainings.answered  # those answered at once among them
    failed = [run for run in runs if run["status"] == "FAILED"]
    assert failed
    assert all("killed" in run["error"] for run in failed), [run["error"] for run in failed]
    for run in runs:
        if run["status"] == "FINISHED":
            folder = Path(run["artifact_uri"].removeprefix("file://")) / "model"
            assert joblib.load(folder / "model.pkl").classes_.tolist() == [0, 1]
