"""SIGTERM and SIGHUP lose no request; a wrong configuration changes nothing."""

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import requests
import yaml

from benchmarks.rolling_restarts import Clients
from tests.conftest import ROW, titanic_endpoint
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]
TAKEN = "the configuration was taken anew"
REFUSED = "the changed configuration is not taken"
SLOW = """
import time
from pathlib import Path

def slowly(data):
    Path({begun!r}).touch()
    deadline = time.monotonic() + 120
    while not Path({go!r}).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return data
"""


def status(live, path="/readyz"):
    return requests.get(live.url + path, headers={"Connection": "close"}, timeout=60).status_code


def until_logged(live, words, count=1):
    until(lambda: live.log.read_text().count(words) >= count)


def change(live, make):
    values = yaml.safe_load(live.config.read_text())
    make(values)
    live.config.write_text(yaml.safe_dump(values))
    os.kill(live.process.pid, signal.SIGHUP)


def test_a_server_that_drains_says_so_and_answers_on_and_a_second_sigterm_ends_it_at_once(make_live):
    live = make_live({"titanic": titanic_endpoint()}, drain_seconds=600)
    assert status(live) == 200
    live.process.terminate()
    until_logged(live, "draining for 600 seconds")
    for _ in range(6):
        assert status(live) == 503
        assert requests.get(f"{live.url}/titanic", params=ROW, timeout=60).json() == [0]
    assert "draining" in requests.get(f"{live.url}/readyz", timeout=60).json()["reason"]
    live.process.terminate()
    assert live.process.wait(60) == 0


def test_a_server_that_drains_ends_by_itself(make_live):
    live = make_live({"titanic": titanic_endpoint()}, drain_seconds=2)
    begun = time.monotonic()
    live.process.terminate()
    assert live.process.wait(60) == 0
    assert time.monotonic() - begun >= 2
    assert "draining for 2 seconds" in live.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_in_flight_is_answered(make_live, tmp_path, monkeypatch, number):
    # Longer than the test waits for anything.
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--graceful-timeout 200")
    begun, go = tmp_path / "begun", tmp_path / "go"
    go.touch()
    (tmp_path / "slow.py").write_text(SLOW.format(begun=str(begun), go=str(go)))
    source = {"url": "$YAMLPATH/data/titanic.csv", "transform": "slow.slowly"}
    live = make_live({"titanic": titanic_endpoint(data=source)})
    live.wait_for_trainings(0)
    workers = live.workers_of_gunicorn()
    assert len(workers) == 2
    go.unlink()
    begun.unlink()
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(requests.get, f"{live.url}/titanic", params=ROW, timeout=300)
        until(begun.exists)
        os.kill(live.process.pid, number)
        # The other one has nothing to do: it ends as soon as both are told to.
        (busy,) = until(lambda: remaining if len(remaining := set(workers) & live.processes().keys()) == 1 else None)
        assert not answer.done()
        go.touch()
        assert answer.result().json() == [0]
    until(lambda: busy not in live.processes())
    if number == signal.SIGTERM:
        assert live.process.wait(60) == 0
    else:
        until_logged(live, TAKEN)
        assert requests.get(f"{live.url}/titanic", params=ROW, timeout=60).json() == [0]


def test_who_waits_for_a_worker_is_answered_before_it_ends(make_live):
    live = make_live({"titanic": titanic_endpoint()})
    live.wait_for_trainings(0)
    asked = f"GET /titanic?{urlencode(ROW)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    workers = live.workers_of_gunicorn()
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    waiting = [socket.create_connection(("127.0.0.1", live.port), timeout=60) for _ in range(20)]
    for connection in waiting:
        connection.sendall(asked)
    live.process.terminate()
    until_logged(live, "Handling signal: term")
    for worker in workers:
        os.kill(worker, signal.SIGCONT)
    for connection in waiting:
        with connection, connection.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
            assert answer.read().endswith(b"[0]")
    assert live.process.wait(60) == 0


def test_a_changed_configuration_is_taken_and_a_wrong_one_is_not(make_live):
    live = make_live({"titanic": titanic_endpoint()})
    master, workers = live.process.pid, live.workers_of_gunicorn()

    def wrong(values):
        values["url"]["titanic"]["kwargs"]["model"]["clas"] = "SVC"

    change(live, wrong)
    until_logged(live, REFUSED)
    assert "url.titanic.kwargs.model.clas: unknown key; did you mean 'class'?" in live.log.read_text()
    assert live.workers_of_gunicorn() == workers
    assert status(live, "/titanic?_params") == 200

    def right(values):
        del values["url"]["titanic"]["kwargs"]["model"]["clas"]
        values["url"]["titanic"]["pattern"] = "/passengers"
        values["url"]["more"] = {"pattern": "/more", "handler": "MLHandler", "kwargs": {}}

    change(live, right)
    until_logged(live, TAKEN)
    until(lambda: not set(workers) & live.processes().keys())
    assert live.process.pid == master
    assert {status(live, "/titanic?_params") for _ in range(8)} == {404}
    assert {status(live, "/more?_params") for _ in range(8)} == {200}
    # What trains is new, too.
    assert requests.post(f"{live.url}/passengers?_action=train", timeout=60).status_code == 200
    assert len(live.workers_of_gunicorn()) == len(workers) == 2
    counted = requests.get(f"{live.url}/metrics", timeout=60).text
    assert 'restimator_requests_total{method="GET",route="/titanic",status="200"}' in counted


def test_restarts_under_load_lose_no_request(make_live):
    live = make_live({"titanic": titanic_endpoint()})
    clients = Clients("127.0.0.1", live.port, 6, f"/titanic?{'&'.join(f'{name}={cell}' for name, cell in ROW.items())}")
    clients.start()
    for number in range(1, 4):
        os.kill(live.process.pid, signal.SIGHUP)
        until_logged(live, TAKEN, number)
    clients.stop()
    assert clients.lost == []
    assert clients.answered > 100
    assert clients.statuses == {200}
    with socket.create_connection(("127.0.0.1", live.port)):
        pass
