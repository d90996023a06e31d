"""Limits over several workers: how many trainings run, wait and are refused, and how long one may take."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.live.conftest import serving
from tests.waiting import run_once

pytestmark = [pytest.mark.live, pytest.mark.slow]
ASYNC = {"Prefer": "respond-async"}
ROWS = [{"x": x, "y": x % 2} for x in range(200)]
MINUTES = 0.15
# What the configuration says is not bound: this takes minutes.
ENDLESS = {"class": "GradientBoostingClassifier", "target_col": "y", "params": {"n_estimators": 500_000}}
QUICK = {"class": "LogisticRegression", "target_col": "y"}


def entry(name, model):
    return {"pattern": f"/{name}", "handler": "MLHandler", "kwargs": {"model": model}}


URLS = {name: entry(name, model) for name, model in (("endless", ENDLESS), ("quick", QUICK), ("other", QUICK))}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("limits"), URLS, limits={"trainings": 1, "queue": 1}) as live:
        yield live


def train(server, name, headers=None):
    return requests.post(f"{server.url}/{name}?_action=train", json=ROWS, headers=headers, timeout=300)


def wait_for(server, answer, *statuses):
    return run_once(server.url + answer.headers["Location"], *statuses)


def test_a_training_waits_for_the_one_that_runs_and_a_third_is_refused(server):
    first = train(server, "endless", ASYNC)
    wait_for(server, first, "RUNNING")
    second = train(server, "quick", ASYNC)
    assert second.status_code == 202
    refused = [train(server, name) for name in ("other", "quick", "endless") for _ in range(2)]
    for answer in refused:
        assert answer.status_code == 429, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert int(answer.headers["Retry-After"]) > 0
        assert "server.limits.queue" in answer.json()["detail"]
    assert wait_for(server, second, "SCHEDULED")
    assert requests.delete(server.url + first.headers["Location"], timeout=60).status_code == 200
    assert wait_for(server, second, "FINISHED", "FAILED")["status"] == "FINISHED"
    assert train(server, "other").status_code == 200


def test_a_waiting_training_is_cancelled_and_leaves_its_place(server):
    first, second = train(server, "endless", ASYNC), train(server, "quick", ASYNC)
    assert train(server, "other").status_code == 429
    assert requests.delete(server.url + second.headers["Location"], timeout=60).json()["status"] == "KILLED"
    third = train(server, "other", ASYNC)
    assert third.status_code == 202
    assert requests.delete(server.url + first.headers["Location"], timeout=60).status_code == 200
    assert wait_for(server, third, "FINISHED", "FAILED")["status"] == "FINISHED"


@pytest.fixture
def brief(tmp_path):
    with serving(tmp_path, URLS, limits={"training_minutes": MINUTES}) as live:
        yield live


def test_a_training_that_takes_too_long_is_ended_and_the_old_model_serves(brief):
    server = brief
    assert train(server, "quick").status_code == 200
    before = requests.get(f"{server.url}/quick", params={"x": 3}, timeout=60).json()
    began = time.monotonic()
    answer = train(server, "endless")
    assert answer.status_code == 413, answer.text
    assert answer.json()["title"] == "Training took too long"
    for word in ("0.15 minutes", "server.limits.training_minutes"):
        assert word in answer.json()["detail"]
    assert 60 * MINUTES <= time.monotonic() - began < 60 * MINUTES + 120
    server.wait_for_trainings(0)
    run = requests.get(f"{server.url}/runs", params={"endpoint": "endless"}, timeout=60).json()["runs"][0]
    assert run["status"] == "FAILED"
    assert "server.limits.training_minutes" in run["error"]
    assert requests.get(f"{server.url}/endless", params={"x": 3}, timeout=60).status_code == 404
    assert requests.get(f"{server.url}/quick", params={"x": 3}, timeout=60).json() == before
    assert train(server, "quick").status_code == 200


def test_all_workers_count_requests_together(tmp_path):
    url, log = {"quick": entry("quick", QUICK)}, {"format": "json", "requests": True}
    with serving(tmp_path, url, workers=3, limits={"rate": "100/hour"}, log=log) as live:

        def ask(_):
            return requests.get(f"{live.url}/quick?_params", headers={"Connection": "close"}, timeout=60).status_code

        with ThreadPoolExecutor(8) as clients:
            statuses = Counter(clients.map(ask, range(200)))
        lines = [json.loads(line) for line in live.log.read_text().splitlines()]
    assert statuses == {200: 100, 429: 100}
    answered = Counter(line["process"] for line in lines if line.get("route") == "/quick" and line["status"] == 200)
    assert answered.total() == 100
    assert len(answered) > 1
