"""A Dask scheduler and workers, each a process that a test may kill."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.ports import free_port
from tests.waiting import until


class Cluster:
    """A scheduler on a free port of this machine, without the server's code; logs lie in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        # How much was in the log when the scheduler was started last.
        self._told = 0

    def complete(self, workers: int) -> None:
        """Start what was lost, so that there are so many workers."""
        if self.scheduler is None or self.scheduler.poll() is not None:
            # Workers end with their scheduler, though not at once.
            self.stop()
            self.start_scheduler()
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < workers:
            self.start_worker()
        self.wait_for_workers(workers)

    def start_scheduler(self) -> None:
        path = self._folder / "dask_scheduler.log"
        self._told = len(path.read_text()) if path.exists() else 0
        self.scheduler = self._run("dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port), cwd=self._folder)
        self._wait(lambda log: "Scheduler at:" in log)

    def start_worker(self, cwd: Path = ROOT) -> subprocess.Popen[bytes]:
        one = ("--nthreads", "1", "--no-nanny", "--local-directory", str(self._folder))
        self.workers.append(self._run("dask_worker", self.address, *one, cwd=cwd))
        return self.workers[-1]

    def _run(self, command: str, *arguments: str, cwd: Path = ROOT) -> subprocess.Popen[bytes]:
        with (self._folder / f"{command}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{command}", "--dashboard-address", "127.0.0.1:0", *arguments],
                cwd=cwd, stdout=log, stderr=log,
            )  # fmt: skip

    def wait_for_workers(self, count: int) -> None:
        self._wait(lambda log: log.count("Register worker addr") - log.count("Remove worker addr") == count)

    def _wait(self, condition: Callable[[str], bool]) -> None:
        """Wait until this holds of what the scheduler has logged since it was started last."""
        path = self._folder / "dask_scheduler.log"
        until(lambda: condition(path.read_text()[self._told :]), told=lambda: path.read_text()[self._told :])

    def kill_scheduler(self) -> None:
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process is not None and process.poll() is None:
                process.kill()
            if process is not None:
                process.wait()


def children(pid: int) -> list[int]:
    """The processes that this one started, and those that these did."""
    found: list[Any] = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue
    return found[1:]
