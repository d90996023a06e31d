"""A server under measurement: pinned to one core, its CPU and memory as the system accounts for them."""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
SERVER_CORE, CLIENT_CORE = 0, 1
ALL_CORES = os.sched_getaffinity(0)
LIBC = ctypes.CDLL(None)
TICK = os.sysconf("SC_CLK_TCK")
# Seconds: to answer for the first time; to end when asked to; for what it started to end after it.
STARTING, ENDING, FOLLOWING = 120, 20, 5


class Failed(Exception):
    """A server, or what it needs, did not do what was asked; the message says what."""


class Server:
    """A process tree that serves, and one keep-alive connection to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, started: float) -> None:
        self.process = process
        self.port = port
        self.started = started
        self._asked = 0.0
        self.connection = HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(
        self, method: str, path: str, body: bytes | IO[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        """The body of a 200 answer.

        Raises: Failed for any other.
        """
        if time.monotonic() - self._asked > 1:
            self.connection.close()  # the server closes an idle one after two seconds
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        content = response.read()
        self._asked = time.monotonic()
        if response.status != 200:
            raise Failed(f"{method} {path[:100]} was answered by {response.status}: {content[:500]!r}")
        return content

    def processes(self) -> list[int]:
        """The ids of the whole tree, the launcher of trainings and its children among them."""
        return _tree(self.process.pid)

    def cpu(self) -> float:
        """User and system seconds of the tree so far, those of ended children among them."""
        while True:
            try:
                return sum(map(_cpu_of, self.processes()))
            except (OSError, Failed):
                # One of them ended meanwhile, such as a training: its time is its parent's now.
                if self.process.poll() is not None:
                    raise

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


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def gunicorn(
    app: str, environment: dict[str, str], *arguments: str, ready: str = "/", core: int | None = SERVER_CORE
) -> Iterator[Server]:
    """Serve a WSGI application with one worker until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", "--workers", "1", *arguments]
    with started(command, port, ready, environment, core) as server:
        yield server


@contextmanager
def started(
    command: list[str],
    port: int,
    ready: str,
    environment: dict[str, str],
    core: int | None = SERVER_CORE,
    folder: Path = ROOT,
    log: Path = Path(os.devnull),
) -> Iterator[Server]:
    """Run a server from when it answers a GET of `ready` with 200 until the block ends, and nothing of it longer.

    Raises: Failed if it ends, or does not answer in time.
    """
    begun = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | environment, stdout=output, stderr=output, start_new_session=True,
            preexec_fn=(lambda: os.sched_setaffinity(0, {core})) if core is not None else None,
        )  # fmt: skip
    try:
        _wait(port, ready, process)
        server = Server(process, port, time.monotonic() - begun)
        with closing(server.connection):
            yield server
    finally:
        _end(process)


def _wait(port: int, path: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failed(f"the server ended with status {process.returncode}")
        # Not listening yet, or not for HTTP.
        with suppress(OSError, HTTPException), closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.02)
    raise Failed(f"{path} was not answered within {STARTING} s")


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # What /proc tells of a process itself is a hundred times coarser than a turn of a measure needs.
    return time.clock_gettime(_clock_of(pid)) + sum(int(value) for value in fields[13:15]) / TICK


def _clock_of(pid: int) -> int:
    """The clock of a process' CPU time (POSIX clock_getcpuclockid), in nanoseconds.

    Raises:
        Failed: there is no such process, or no such clock.
    """
    clock = ctypes.c_int()
    if LIBC.clock_getcpuclockid(pid, ctypes.byref(clock)) != 0:
        raise Failed(f"the CPU time of process {pid} cannot be read")
    return clock.value


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            # A thread may end while it is looked at.
            with suppress(FileNotFoundError, ProcessLookupError):
                found += [int(child) for child in task.read_text().split()]
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, and kill what is left of its tree; some servers leave sessions of their own behind."""
    if process.poll() is not None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return
    held = []
    for pid in _tree(process.pid):
        with suppress(ProcessLookupError):
            held.append(os.pidfd_open(pid))
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDING)
    deadline = time.monotonic() + FOLLOWING
    for descriptor in held:
        # It can be read once the process has ended: pidfd_open(2).
        if not select.select([descriptor], [], [], max(0, deadline - time.monotonic()))[0]:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        os.close(descriptor)
    process.wait()
