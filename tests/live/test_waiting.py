"""Clients that wait for trainings keep nobody from predictions and probes."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.live.conftest import serving
from tests.live.test_limits import ASYNC, ENDLESS, QUICK, ROWS, entry

pytestmark = [pytest.mark.live, pytest.mark.slow]
# Of gunicorn.conf.py's 24 threads.
MOST = 18


def train(live, name, headers=None):
    return requests.post(f"{live.url}/{name}?_action=train", json=ROWS, headers=headers, timeout=300)


def active_runs(live):
    runs = requests.get(f"{live.url}/runs", params={"endpoint": "endless"}, timeout=60).json()["runs"]
    return [run["run_id"] for run in runs if run["status"] in ("SCHEDULED", "RUNNING")]


def until_active(live, count):
    deadline = time.monotonic() + 120
    while len(active_runs(live)) != count:
        assert time.monotonic() < deadline, live.log.read_text()
        time.sleep(0.1)


def test_predictions_go_on_while_clients_wait_for_trainings(tmp_path):
    url = {"endless": entry("endless", ENDLESS), "quick": entry("quick", QUICK)}
    with serving(tmp_path, url, workers=1) as live, ThreadPoolExecutor(MOST) as pool:
        assert train(live, "quick").status_code == 200
        waiting = [pool.submit(train, live, "endless") for _ in range(MOST)]
        until_active(live, MOST)
        for path in ("/healthz", "/quick?x=3", "/endless?_params"):
            assert requests.get(live.url + path, timeout=60).status_code == 200
        before = active_runs(live)
        refused = train(live, "quick")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
        assert "Prefer: respond-async" in refused.json()["detail"]
        assert active_runs(live) == before
        assert train(live, "endless", ASYNC).status_code == 202
        assert train(live, "endless", {"Prefer": "respond-async, wait=600"}).status_code == 202
        until_active(live, MOST + 2)
        for run in active_runs(live):
            assert requests.delete(f"{live.url}/runs/{run}", timeout=60).status_code == 200
        assert {answer.result().status_code for answer in waiting} == {409}
        assert train(live, "quick").status_code == 200
