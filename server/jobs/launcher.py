"""A small process that forks one child per job.

It holds the heavy libraries and no threads, so a fork is safe and takes milliseconds; a web worker has
threads and must not fork. Forked from gunicorn's master it shares the master's memory; elsewhere it is a
fresh interpreter. It ends when the last process that could ask it for a job has ended: their copies of the
lifeline's other end close then. Jobs that are under way go on.
"""

import contextlib
import fcntl
import importlib
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from server.errors import ServerError

NICENESS = 5
LAST = 19
SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)


@dataclass(frozen=True)
class Job:
    """What a child is to run. One that is `bound` dies with its asker, unless that has the result."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    bound: bool = False


@dataclass(frozen=True)
class Afterwards:
    """What a job returns that goes on once its asker has the result."""

    result: object
    work: Callable[[], None]


def serve(address: str, lifeline: int) -> None:
    """Answer jobs until the lifeline closes; never returns."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    # Children are reaped by the kernel.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = _listen(address)
    _close_all_but({listener.fileno(), lifeline})
    try:
        while True:
            ready, _, _ = select.select([listener.fileno(), lifeline], [], [])
            if lifeline in ready:
                break
            asking, _ = listener.accept()
            if os.fork() == 0:
                _work(asking, listener, lifeline)
            asking.close()
    finally:
        shutil.rmtree(Path(address).parent, ignore_errors=True)
        os._exit(0)


def _listen(address: str) -> socket.socket:
    """Bind under another name and rename: whoever sees the address can connect."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address + ".new")
    listener.listen(64)
    os.rename(address + ".new", address)
    return listener


def _close_all_but(kept: Iterable[int]) -> None:
    """Inherited descriptors would keep the server's port bound and its locks held."""
    start = 3
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 20 else 1 << 20)


def _work(asking: socket.socket, listener: socket.socket, lifeline: int) -> None:
    """Run one job in this forked child and end it."""
    for number in (*SIGNALS, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    # The terminal's Ctrl-C stops the server; a training ends on its own.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener.close()
    os.close(lifeline)
    os.nice(NICENESS)
    connection = Connection(asking.detach())
    code = 1
    try:
        _answer(connection)
        code = 0
    except BaseException:  # noqa: BLE001 - nobody waits for it any more
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _answer(connection: Connection) -> None:
    try:
        job: Job = connection.recv()
    except EOFError:
        # Somebody only looked whether there is a launcher.
        return
    afterwards: Callable[[], None] | None = None
    try:
        with _dying_with_asker(connection) if job.bound else contextlib.nullcontext():
            result = job.function(*job.arguments)
        if isinstance(result, Afterwards):
            afterwards = result.work
            result = result.result
        answer: tuple[str, object] = ("done", result)
    except ServerError as error:
        answer = ("error", error)
    except BaseException:  # noqa: BLE001 - whatever happened, the asker is told
        answer = ("crash", traceback.format_exc())
    # If the asker died, what the job did is done all the same.
    with contextlib.suppress(OSError), connection:
        connection.send(answer)
    if afterwards is not None:
        # Nobody waits for it; other trainings come first.
        os.nice(LAST)
        afterwards()


@contextlib.contextmanager
def _dying_with_asker(connection: Connection) -> Iterator[None]:
    """Within, the system ends this process as soon as the other end of the connection closes.

    It does so by SIGIO (fcntl(2), O_ASYNC). A thread would have to wait for code that holds the interpreter's lock.
    """
    descriptor = connection.fileno()
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)
    try:
        if connection.poll():
            # Its asker, which sends nothing more, had ended before.
            os._exit(1)
        yield
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)


def main() -> None:
    """Entry point of a fresh interpreter: address, lifeline descriptor, modules to load first."""
    address, lifeline, *modules = sys.argv[1:]
    for module in modules:
        importlib.import_module(module)
    serve(address, int(lifeline))
