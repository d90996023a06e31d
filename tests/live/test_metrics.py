"""Behind two workers /metrics tells the sums, whoever is asked; logs are one JSON object a line."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.conftest import ROW, titanic_endpoint
from tests.live.conftest import serving
from tests.waiting import until
from tests.web.test_metrics import parsed, value

pytestmark = [pytest.mark.live, pytest.mark.slow]
COUNT = 60


def told(live):
    answer = requests.get(f"{live.url}/metrics", headers={"Connection": "close"}, timeout=60)
    assert answer.status_code == 200
    return parsed(answer.text)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with serving(
        tmp_path_factory.mktemp("metrics"), {"titanic": titanic_endpoint()}, log={"format": "json", "requests": True}
    ) as server:
        yield server


def predict(live, count):
    def ask(_):
        # A connection for each, so that both workers are asked.
        return requests.get(f"{live.url}/titanic", params=ROW, headers={"Connection": "close"}, timeout=60).status_code

    with ThreadPoolExecutor(8) as clients:
        assert set(clients.map(ask, range(count))) == {200}


def predictions(live):
    figures = told(live)
    labels = {"route": "/titanic", "method": "GET", "status": "200"}
    return (
        value(figures, "restimator_requests_total", **labels) or 0,
        value(figures, "restimator_request_duration_seconds_count", route="/titanic") or 0,
        value(figures, "restimator_rows_total", endpoint="titanic", action="predict") or 0,
    )


def test_every_worker_tells_the_sum_of_all_also_of_those_that_were_killed(live):
    before = predictions(live)
    predict(live, COUNT)
    for _ in range(8):
        assert predictions(live) == tuple(count + COUNT for count in before)
    killed = live.workers_of_gunicorn()
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    until(lambda: len(set(live.workers_of_gunicorn()) - set(killed)) == 2)
    live.wait("/readyz")
    predict(live, COUNT)
    for _ in range(8):
        assert predictions(live) == tuple(count + 2 * COUNT for count in before)
    assert value(told(live), "restimator_requests_in_progress") == 1


def test_trainings_in_processes_of_their_own_are_counted(live):
    labels = {"endpoint": "titanic", "status": "finished"}
    before = value(told(live), "restimator_training_runs_ended_total", **labels)
    assert before >= 1
    assert requests.post(f"{live.url}/titanic?_action=train", timeout=60).status_code == 200
    assert value(told(live), "restimator_training_runs_ended_total", **labels) == before + 1


def test_each_line_of_the_log_is_an_object(live):
    sent = {"X-Request-ID": "the-one", "Authorization": "Bearer a-secret"}
    requests.get(f"{live.url}/titanic", params=ROW, headers=sent, timeout=60)
    # The line is written before the answer is sent.
    lines = [json.loads(line) for line in live.log.read_text().splitlines()]
    of_it = [line for line in lines if line.get("request_id") == "the-one"]
    # A worker's first request may log more.
    (mine,) = [line for line in of_it if line["logger"] == "server.requests"]
    assert (mine["route"], mine["endpoint"], mine["rows"], mine["status"]) == ("/titanic", "titanic", 1, 200)
    assert {"gunicorn.error", "server.requests", "server.service.training"} <= {line["logger"] for line in lines}
    assert "a-secret" not in live.log.read_text()
    assert "male" not in live.log.read_text()
