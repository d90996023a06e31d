"""The registry behind two workers: the seed's story, many clients at once, and a kill."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.conftest import write_config
from tests.live.conftest import LiveServer
from tests.registering import API, diabetes, flower, iris, registry, write_models
from tests.waiting import until

pytestmark = pytest.mark.live
KINDS = ["sqlite", "postgresql"]


@pytest.fixture
def make_registered(make_live, tmp_path, request) -> Callable[[str], LiveServer]:
    """A running server with the registry of `tests.registering` in a database of the kind."""

    def make(kind: str) -> LiveServer:
        write_models(tmp_path)
        settings = {} if kind == "sqlite" else {"database": request.getfixturevalue("postgres").fresh_url()}
        return make_live({"api": registry()}, **settings)

    return make


class Client:
    """Asks the registry, over one connection."""

    def __init__(self, live: LiveServer) -> None:
        self._base = live.url + API
        self._session = requests.Session()

    def __call__(self, method: str, path: str, body: Any = None, status: int | tuple[int, ...] = ()) -> Any:
        answer = self._session.request(method, f"{self._base}/{path}", json=body, timeout=60)
        expected = (status,) if isinstance(status, int) else status
        assert answer.status_code in expected or not expected, answer.text
        return answer.json()

    def all(self, path: str) -> Iterator[dict[str, Any]]:
        """The entries of all pages of a list."""
        after = 0
        while page := self("GET", f"{path}&after={after}&limit=1000" if "?" in path else f"{path}?after={after}"):
            yield from page
            after = page[-1]["id"]


def statuses(client: Client) -> dict[str, str]:
    return {row["name"]: row["current_status"] for row in client("GET", "mlalgorithms", status=200)}


def answer_examples(client: Client, endpoint: str, rows: Any, truths: Any) -> None:
    """200 requests of a test, each with its feedback."""
    chosen = random.Random(0).choices(range(len(rows)), k=200)
    for number in chosen:
        asked = f"{endpoint}/predict?status=ab_testing&subject={number}"
        answer = client("POST", asked, rows.iloc[number].to_dict(), 200)
        client("PUT", f"mlrequests/{answer['request_id']}", {"feedback": str(truths.iloc[number])}, 200)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_story_of_the_seed(make_registered, kind):
    client = Client(make_registered(kind))
    assert [row["name"] for row in client("GET", "endpoints")] == ["iris", "diabetes"]
    assert client("POST", "iris/predict", flower(), 200)["label"] == "setosa"
    for number, (first, second, data, metric) in enumerate(((2, 1, iris(), "accuracy"), (4, 3, diabetes(), "RMSE")), 1):
        given = {"title": metric, "created_by": "anna", "parent_mlalgorithm1": first, "parent_mlalgorithm2": second}
        client("POST", "abtests", given, 201)
        answer_examples(client, ["iris", "diabetes"][number - 1], *data)
        told = client("POST", f"stop_ab_test/{number}", status=200)
        assert told["metric"] == metric
        assert told["feedback1"] + told["feedback2"] == told["requests1"] + told["requests2"] == 200
        assert min(told["requests1"], told["requests2"]) > 60
        assert told["winner"] == told["promoted"] == second
        assert metric in told["summary"]
    assert statuses(client) == {"logistic": "production", "stump": "testing", "linear": "production", "mean": "testing"}
    assert len(list(client.all("mlrequests"))) == 401
    answer = client("POST", "iris/predict", flower(), 200)
    assert client("GET", f"mlrequests/{answer['request_id']}")["parent_mlalgorithm"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_eight_clients_at_once_leave_one_status_each_one_verdict_and_every_request(make_registered, kind):
    live = make_registered(kind)
    client = Client(live)
    client("POST", "abtests", {"title": "t", "parent_mlalgorithm1": 1, "parent_mlalgorithm2": 2}, 201)
    given: list[int] = []
    stopped: list[int] = []

    def work(worker: int) -> None:
        mine, draw = Client(live), random.Random(worker)
        for turn in range(30):
            number = draw.randrange(150)
            # Once the test has ended, nothing is being tested.
            answer = mine("POST", "iris/predict?status=ab_testing", flower(number), (200, 400))
            if "request_id" in answer:
                given.append(answer["request_id"])
                mine("PATCH", f"mlrequests/{answer['request_id']}", {"feedback": iris()[1].iloc[number]}, 200)
            status = draw.choice(["production", "testing"])
            change = {"status": status, "parent_mlalgorithm": draw.choice([1, 2, 3])}
            mine("POST", "mlalgorithmstatuses", change, (201, 409))
            if turn == 20 and "summary" in mine("POST", "stop_ab_test/1", None, (200, 400)):
                stopped.append(worker)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    active = [row["parent_mlalgorithm"] for row in client.all("mlalgorithmstatuses") if row["active"]]
    assert sorted(active) == [1, 2, 3, 4]
    assert len(stopped) == 1
    test = client("GET", "abtests/1")
    assert test["promoted"] == 1
    assert len(set(given)) == len(given) > 50
    assert {row["id"] for row in client.all("mlrequests")} >= set(given)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_loses_no_request_that_was_answered(make_registered, kind):
    live = make_registered(kind)
    answered: list[int] = []
    is_over = threading.Event()

    def ask() -> None:
        mine = Client(live)
        while not is_over.is_set():
            try:
                answered.append(mine("POST", "iris/predict", flower(), 200)["request_id"])
            except requests.RequestException:
                return

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(answered) >= 200)
    live.kill()
    is_over.set()
    for thread in threads:
        thread.join()
    live.start()
    kept = {row["id"] for row in Client(live).all("mlrequests")}
    assert len(answered) >= 200
    assert kept >= set(answered)


def test_two_workers_that_start_at_once_add_nothing_twice(make_registered):
    live = make_registered("sqlite")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Client(live)("GET", "mlalgorithms"), range(16)))
    assert all(rows == found[0] for rows in found)
    assert [row["id"] for row in found[0]] == [1, 2, 3, 4]
    live.restart()
    assert Client(live)("GET", "mlalgorithms") == found[0]


OWN = """
from wsgi import app

class Longest:
    def compute_prediction(self, input_data):
        return {"label": max(input_data, key=input_data.get), "cells": len(input_data)}

app.registry.add_algorithm(
    endpoint_name="longest", algorithm_object=Longest(), algorithm_name="longest", algorithm_type="classifier",
    algorithm_status="production", algorithm_version="0.1", owner="anna",
)
"""


def test_an_object_of_ones_own_answers_in_every_worker_and_is_registered_once(tmp_path):
    write_models(tmp_path)
    config = write_config(tmp_path, {"url": {"api": registry()}})
    (tmp_path / "own.py").write_text(OWN)
    live = LiveServer(config, tmp_path / "server.log", app="own:app")
    try:
        for _ in range(2):
            live.start()
            # A connection each, so that both workers are asked.
            answers = [
                requests.post(f"{live.url}{API}/longest/predict", json=flower(), timeout=60).json() for _ in range(20)
            ]
            assert {(one["label"], one["cells"]) for one in answers} == {("sepal length (cm)", 4)}
            assert len({one["request_id"] for one in answers}) == 20
            found = Client(live)("GET", "mlalgorithms?parent_endpoint=longest")
            assert [(one["name"], one["version"], one["owner"]) for one in found] == [("longest", "0.1", "anna")]
            live.stop()
    finally:
        live.end()
