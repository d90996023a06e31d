"""A real gunicorn with two workers on a free port, as users run it."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from server.service.experiment_book import ExperimentBook
from tests.conftest import titanic_endpoint, write_config
from tests.live.processes import ServerProcess, begin, begin_prepared
from tests.ports import free_port
from tests.waiting import until

APP = "wsgi:app"
BOOTED = re.compile(r"Booting worker with pid: (\d+)")


class LiveServer:
    """gunicorn as a process group of its own; `kill` is kill -9 of all of it.

    Another `app` than wsgi.py's is a module beside the configuration. One that is not `prepared` begins with the
    command that users type, some seconds later.
    """

    def __init__(self, config: Path, log: Path, workers: int = 2, app: str = APP, prepared: bool = True) -> None:
        self.config, self.log, self.workers, self.app = config, log, workers, app
        self._begin = begin_prepared if prepared else begin
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Variables that it sees besides; None for one that it does not see.
        self.variables: dict[str, str | None] = {}
        self.process: ServerProcess | None = None
        self._groups: list[int] = []

    def start(self, ready: bool = True) -> None:
        variables: dict[str, str | None] = {
            **os.environ,
            "RESTIMATOR_CONFIG": str(self.config),
            "RESTIMATOR_BIND": f"127.0.0.1:{self.port}",
            "WEB_CONCURRENCY": str(self.workers),
            **self.variables,
        }
        if self.app != APP:
            variables["PYTHONPATH"] = str(self.config.parent)
        environment = {name: value for name, value in variables.items() if value is not None}
        self.process = self._begin(self.app, environment, self.log)
        self._groups.append(self.process.pid)
        self.wait("/readyz" if ready else "/healthz")

    def wait(self, path: str) -> None:
        def is_ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            try:
                return requests.get(self.url + path, timeout=10).status_code == 200
            except (requests.ConnectionError, requests.Timeout):
                return False

        until(is_ready, told=self.log.read_text)

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def end(self) -> None:
        """Stop the server for good, and the trainings that outlive it: what nobody waits for slows the tests down."""
        self.stop()
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def restart(self, ready: bool = True) -> None:
        self.stop()
        self.start(ready)

    def processes(self) -> dict[int, int]:
        """Process id → parent's, of everything that the server started and that runs."""
        found = {}
        for pid in (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()):
            # What is no more is none of them.
            with suppress(OSError):
                if os.getpgid(pid) == self.process.pid:
                    state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
                    if state != "Z":
                        found[pid] = int(parent)
        return found

    def trainings(self) -> list[int]:
        """The processes that train: neither gunicorn's master nor its children, nor what keeps the runs."""
        found = [pid for pid, parent in self.processes().items() if self.process.pid not in (pid, parent)]
        return [pid for pid in found if _name(pid) not in ("", ExperimentBook.__name__)]

    def workers_of_gunicorn(self) -> list[int]:
        """Those of the master's children that said so; the launcher is one, too."""
        booted = {int(pid) for pid in BOOTED.findall(self.log.read_text())}
        return sorted(pid for pid, parent in self.processes().items() if parent == self.process.pid and pid in booted)

    def wait_for_trainings(self, count: int) -> list[int]:
        running: list[int] = []

        def are_so_many() -> bool:
            running[:] = self.trainings()
            return len(running) == count

        until(are_so_many, told=lambda: running)
        return running


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@contextmanager
def serving(
    folder: Path, url: dict[str, Any], ready: bool = True, workers: int = 2, prepared: bool = True, **settings: Any
) -> Iterator[LiveServer]:
    """A server for the given endpoints (name → entry); configuration, state and log lie in the folder."""
    values = {"url": url, "server": settings}
    server = LiveServer(write_config(folder, values), folder / "server.log", workers, prepared=prepared)
    try:
        server.start(ready)
        yield server
    finally:
        server.end()


@pytest.fixture
def make_live(tmp_path: Path) -> Iterator[Any]:
    """A running server for the given endpoints (name → entry)."""
    servers = []

    def make(url: dict[str, Any], ready: bool = True, **server: Any) -> LiveServer:
        live = LiveServer(write_config(tmp_path, {"url": url, "server": server}), tmp_path / "server.log")
        servers.append(live)
        live.start(ready)
        return live

    yield make
    for live in servers:
        live.end()


@pytest.fixture
def live(make_live) -> LiveServer:
    """The guide's titanic endpoint, trained, behind two workers."""
    return make_live({"titanic": titanic_endpoint()})


@pytest.fixture(scope="module")
def reading(tmp_path_factory) -> Iterator[LiveServer]:
    """As `live`, one for a whole module: only for requests that change nothing."""
    with serving(tmp_path_factory.mktemp("reading"), {"titanic": titanic_endpoint()}) as server:
        yield server
