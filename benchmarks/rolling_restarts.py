"""Restarts a server under load, again and again, and counts the requests that got no answer.

python -m benchmarks.rolling_restarts [--restarts 50] [--clients 8]
"""

import argparse
import contextlib
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.processes import free_port

ROOT = Path(__file__).parents[1]
TAKEN = b"the configuration was taken anew"
ROW = "Sex=male&Age=22&SibSp=1&Parch=0&Fare=7.25&Pclass=3&Embarked=S"
PATIENCE = 300.0


class Clients:
    """Threads that ask one after the other over connections that are kept alive, and never ask a second time.

    `lost` are the errors of requests that got no whole answer, `statuses` what the others were answered.
    """

    def __init__(self, host: str, port: int, count: int, path: str) -> None:
        self._address, self._path = (host, port), path
        self._ended = threading.Event()
        self._counting = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]
        self.answered, self.connections = 0, 0
        self.lost: list[str] = []
        self.statuses: set[int] = set()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=30)
        while not self._ended.is_set():
            is_new = connection.sock is None
            try:
                connection.request("GET", self._path)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                with self._counting:
                    self.lost.append(f"{type(error).__name__}: {error}")
                continue
            with self._counting:
                self.answered += 1
                self.connections += is_new
                self.statuses.add(response.status)
        connection.close()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it; what takes too long ends the program."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} took longer than {PATIENCE:g} s")
        time.sleep(0.05)


def is_ready(port: int) -> bool:
    """Whether the server answers, and is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.suppress(OSError), contextlib.closing(connection):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False


def main() -> None:
    """Start, restart, count; the exit status is 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restarts", type=int, default=50)
    parser.add_argument("--clients", type=int, default=8)
    given = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        environment = os.environ | {
            "RESTIMATOR_BIND": f"127.0.0.1:{port}",
            "RESTIMATOR_SERVER__MODELS_DIR": f"{folder}/models",
            "RESTIMATOR_SERVER__TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            "RESTIMATOR_SERVER__DATABASE": f"sqlite:///{folder}/server.db",
        }
        with log.open("wb") as output:
            command = [sys.executable, "-m", "gunicorn", "wsgi:app"]
            server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            until(lambda: is_ready(port), "the start")
            clients = Clients("127.0.0.1", port, given.clients, f"/titanic?{ROW}")
            begun = time.monotonic()
            clients.start()
            for number in range(1, given.restarts + 1):
                server.send_signal(signal.SIGHUP)
                until(lambda number=number: log.read_bytes().count(TAKEN) >= number, f"restart {number}")
            clients.stop()
            seconds = time.monotonic() - begun
        finally:
            server.terminate()
            server.wait()
    print(
        f"{given.restarts} restarts in {seconds:.0f} s, {given.clients} clients over {clients.connections} connections"
    )
    print(f"{clients.answered} answers, statuses {sorted(clients.statuses)}, {len(clients.lost)} lost")
    for error in sorted(set(clients.lost)):
        print(f"  {clients.lost.count(error)} × {error}")
    sys.exit(bool(clients.lost) or clients.statuses != {200})


if __name__ == "__main__":
    main()
