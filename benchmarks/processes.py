"""A server under measurement: gunicorn pinned to one core, its CPU and memory read from /proc."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
SERVER_CORE, CLIENT_CORE = 0, 1
ALL_CORES = os.sched_getaffinity(0)
TICK = os.sysconf("SC_CLK_TCK")


class Server:
    """A gunicorn process tree, and one keep-alive connection to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, started: float) -> None:
        self.process = process
        self.port = port
        self.started = started
        self._asked = 0.0
        self.connection = HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(
        self, method: str, path: str, body: bytes | IO[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        """The body of a 200 answer."""
        if time.monotonic() - self._asked > 1:
            self.connection.close()  # the server closes an idle one after two seconds
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        content = response.read()
        self._asked = time.monotonic()
        assert response.status == 200, (response.status, content[:500])
        return content

    def processes(self) -> list[int]:
        """The ids of the whole tree, the launcher of trainings and its children among them."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        return found

    def cpu(self) -> float:
        """User and system seconds of the tree so far, those of ended children among them."""
        total = 0
        for pid in self.processes():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(value) for value in fields[11:15])
        return total / TICK

    def rest(self) -> None:
        """Wait until nothing goes on any more: scores and pictures of a training follow its answer."""
        quiet, before = 0, self.cpu()
        while quiet < 3:
            time.sleep(1)
            now = self.cpu()
            quiet, before = (quiet + 1 if now - before < 0.05 else 0), now

    def memory(self) -> float:
        """MiB that the tree holds now; a page that processes share counts once (PSS)."""
        total = 0
        for pid in self.processes():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total / 1024

    def forget_peaks(self) -> None:
        """Let `peak` tell only of what comes."""
        for pid in self.processes():
            # 5 sets the high water mark to what the process holds now: proc(5), clear_refs.
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak(self) -> float:
        """MiB that the process of the tree which held most has held at most."""
        found = [Path(f"/proc/{pid}/status").read_text() for pid in self.processes()]
        return max(int(text.partition("VmHWM:")[2].split()[0]) for text in found) / 1024

    def maps(self, library: str) -> int:
        """How many processes of the tree have loaded the shared library."""
        return sum(library in Path(f"/proc/{pid}/maps").read_text() for pid in self.processes())


@contextmanager
def gunicorn(
    app: str, environment: dict[str, str], *arguments: str, ready: str = "/", core: int | None = SERVER_CORE
) -> Iterator[Server]:
    """Serve a WSGI application with one worker until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", "--workers", "1", *arguments]
    begun = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stderr=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=(lambda: os.sched_setaffinity(0, {core})) if core is not None else None,
    )  # fmt: skip
    try:
        _wait(port, ready, process)
        yield Server(process, port, time.monotonic() - begun)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(port: int, path: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise TimeoutError(path)
