"""kill -9 at any moment loses nothing that was acknowledged, and leaves nothing half done."""

import itertools
import random
import threading
import time

import pytest
import requests

from tests.conftest import ROW, titanic_endpoint
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]
KILLS = 20
BATCH = 7
PASSENGER = {"Survived": 1, "Name": "A, B", "Ticket": "T", "Cabin": None} | ROW
MODEL = {"class": "DecisionTreeClassifier", "target_col": "y"}
CLASSES = ("LogisticRegression", "DecisionTreeClassifier", "GaussianNB", "RidgeClassifier")


class Clients:
    """Threads that append, train and change until the server dies; they remember what was acknowledged."""

    def __init__(self, url: str, seed: int) -> None:
        self.url = url
        self.random = random.Random(seed)
        self.batches = itertools.count(1)
        self.next_training = 1
        self.sent: set[int] = set()
        self.acknowledged: set[int] = set()
        self.trained = 0
        self.unexpected: list[str] = []
        self.counts = {"append": 0, "train": 0, "retrain": 0}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def fewest(self) -> int:
        """How often what was done least often was acknowledged."""
        return min(self.counts.values())

    def start(self) -> None:
        self._stop.clear()
        actions = (self._append, self._append, self._train, self._retrain)
        self._threads = [threading.Thread(target=self._loop, args=(action,)) for action in actions]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _loop(self, action) -> None:
        while not self._stop.is_set():
            try:
                action()
            except requests.RequestException:
                return

    def _post(self, path: str, **arguments) -> bool:
        answer = requests.post(self.url + path, timeout=60, **arguments)
        if answer.status_code != 200:
            self.unexpected.append(f"{path}: {answer.status_code} {answer.text[:300]}")
        return answer.status_code == 200

    def _append(self) -> None:
        batch = next(self.batches)
        self.sent.add(batch)
        rows = [PASSENGER | {"PassengerId": 1000 + batch * BATCH + place} for place in range(BATCH)]
        if self._post("/titanic?_action=append", json=rows):
            self.acknowledged.add(batch)
            self.counts["append"] += 1

    def _train(self) -> None:
        """Rows, model and parameters of a training all bear its number."""
        number, self.next_training = self.next_training, self.next_training + 1
        rows = [{"x": x, "y": 2 * number + (x > 4)} for x in range(10)]
        if self._post(f"/numbers?_action=train&random_state={number}", json=rows):
            self.trained = number
            self.counts["train"] += 1

    def _retrain(self) -> None:
        requests.put(f"{self.url}/titanic", params={"class": self.random.choice(CLASSES)}, timeout=60)
        self.counts["retrain"] += self._post("/titanic?_action=retrain")


def check_appends(url: str, clients: Clients) -> None:
    rows = requests.get(f"{url}/titanic?_cache", timeout=60).json()
    appended = [row["PassengerId"] - 1000 for row in rows if row["PassengerId"] >= 1000]
    assert len(rows) - len(appended) == 891
    assert len(appended) == len(set(appended))
    stored = {number // BATCH for number in appended}
    assert len(appended) == len(stored) * BATCH
    assert clients.acknowledged <= stored <= clients.sent


def check_training(url: str, clients: Clients) -> None:
    rows = requests.get(f"{url}/numbers?_cache", timeout=60).json()
    numbers = {row["y"] // 2 for row in rows}
    assert len(rows) == 10
    assert len(numbers) == 1
    number = numbers.pop()
    assert clients.trained <= number < clients.next_training
    params = requests.get(f"{url}/numbers?_params", timeout=60).json()
    assert params["params"]["params"] == {"random_state": number}
    answers = {requests.get(f"{url}/numbers?x=0&x=9", timeout=60).text for _ in range(10)}
    assert answers == {f"[{2 * number},{2 * number + 1}]"}


def check_model(url: str) -> None:
    answers = {requests.get(f"{url}/titanic", ROW, timeout=60).text for _ in range(10)}
    assert len(answers) == 1
    assert answers <= {"[0]", "[1]"}
    params = requests.get(f"{url}/titanic?_params", timeout=60).json()
    assert params["params"]["class"] in CLASSES
    assert params["attrs"]["classes_"] == [0, 1]


def test_twenty_kills_lose_nothing_and_leave_nothing_half_done(make_live, tmp_path):
    numbers = {"pattern": "/numbers", "handler": "MLHandler", "kwargs": {"model": MODEL}}
    live = make_live({"titanic": titanic_endpoint(), "numbers": numbers})
    clients = Clients(live.url, seed=7)
    clients._train()
    clients._retrain()
    moments = random.Random(20)
    for kill in range(KILLS):
        # What keeps the runs starts with the first question; a kill before that would only ever meet its start.
        assert requests.get(live.url + "/runs?limit=1", timeout=60).status_code == 200
        clients.start()
        if kill % 5 == 4:
            # Some trainings must end before the kill, however slow the machine is.
            wanted = clients.fewest() + 1
            until(lambda wanted=wanted: clients.fewest() >= wanted, 120)
        time.sleep(moments.uniform(0.05, 2))
        live.kill()
        clients.stop()
        live.start()
        check_appends(live.url, clients)
        check_training(live.url, clients)
        check_model(live.url)
    assert not clients.unexpected
    assert clients.fewest() >= KILLS // 5
    assert requests.post(f"{live.url}/titanic?_action=retrain", timeout=60).status_code == 200
    assert requests.post(f"{live.url}/numbers?_action=retrain", timeout=60).status_code == 200
    assert not list((tmp_path / "models").rglob("publication.json"))
