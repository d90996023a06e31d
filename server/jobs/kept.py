"""An object that a process of its own keeps, for what is too heavy to be in every process.

The launcher forks the process at the first call. It answers the calls of all processes of the server, each in a
thread, and ends when the server has ended, or when nobody has asked for a while.
"""

import contextlib
import fcntl
import logging
import os
import select
import socket
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any, Protocol

from server.errors import ProcessLost, ServerError
from server.jobs.launcher import Job

logger = logging.getLogger(__name__)
# Seconds.
IDLE = 600.0
BETWEEN_TICKS = 1.0
BETWEEN_STARTS = 5.0
START_TIMEOUT = 120.0
ATTEMPTS = 4


class Keepable(Protocol):
    """What can be kept: any object with methods, whose arguments and results cross process borders."""

    def tick(self) -> bool:
        """Do what is due; called every second. Whether the process must live on, even if the server has ended."""


class Kept:
    """Calls the methods of the object in its process; in a process that cannot start that one, of an object here.

    Args:
        address: the launcher's socket; the object's process listens beside it.
        start: asks the launcher, which may have to be started itself, to run a function.
        make: makes the object, from the arguments.
    """

    def __init__(
        self,
        address: Callable[[], str],
        start: Callable[..., None],
        make: Callable[..., Keepable],
        arguments: tuple[Any, ...],
    ) -> None:
        self._address, self._start = address, start
        self._make, self._arguments = make, arguments
        self._here: Keepable | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _elsewhere, (self._address(), self._make, self._arguments)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *arguments, **named: self._call(method, arguments, named)

    def _call(self, method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the method returns or raises. A call whose process died under it is made again.

        Raises:
            ProcessLost: the process cannot be had, or failed.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._connection() as connection:
                    connection.send((method, arguments, named))
                    kind, value = connection.recv()
                break
            except _NoLauncher:
                self._here = self._here or self._make(*self._arguments)
                return getattr(self._here, method)(*arguments, **named)
            except (EOFError, ConnectionError) as error:
                if attempt == ATTEMPTS:
                    raise ProcessLost(f"the process that answers {method} ended under it; the log says why") from error
                # A process that ends takes calls until it is gone.
                time.sleep(0.05)
        if kind == "error":
            raise value
        if kind == "crash":
            logger.error("%s failed:\n%s", method, value)
            raise ProcessLost(f"{method} failed: {value.strip().splitlines()[-1]}")
        return value

    def _connection(self) -> Connection:
        deadline = time.monotonic() + START_TIMEOUT
        asked = 0.0
        while time.monotonic() < deadline:
            try:
                return Client(_beside(self._address(), self._make), "AF_UNIX")
            except OSError:
                # A launcher that was started anew has another address, and a process can die before it listens.
                if time.monotonic() - asked > BETWEEN_STARTS:
                    self._start(serve, self._make, self._arguments)
                    asked = time.monotonic()
            time.sleep(0.005)
        raise ProcessLost("a process of the server did not start; the log says why", retry_after=1)


class _NoLauncher(Exception):
    """Neither the object's process nor the launcher is there."""


def _elsewhere(address: str, make: Callable[..., Keepable], arguments: tuple[Any, ...]) -> Kept:
    """The same object for a process that can ask the launcher, but not start one."""

    def start(function: Callable[..., None], *arguments: Any) -> None:
        try:
            with Client(address, "AF_UNIX") as connection:
                connection.send(Job(function, (address, *arguments)))
        except OSError as error:
            raise _NoLauncher from error

    return Kept(lambda: address, start, make, arguments)


def _beside(launcher: str, make: Callable[..., Keepable]) -> str:
    if not launcher:
        raise FileNotFoundError("no launcher was started yet")
    return str(Path(launcher).with_name(f"{make.__name__.lower()}.sock"))


def serve(launcher: str, make: Callable[..., Keepable], arguments: tuple[Any, ...]) -> None:
    """Keep the object and answer calls, in a process that the launcher forked; a second one ends at once."""
    address = Path(_beside(launcher, make))
    with contextlib.suppress(FileNotFoundError):
        lock = os.open(address.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        # Told apart from a training in the list of processes.
        Path("/proc/self/comm").write_text(make.__name__[:15])
        _Answers(address, make(*arguments)).serve()


class _Answers:
    """The process's side."""

    def __init__(self, address: Path, kept: Keepable) -> None:
        self._address, self._kept = address, kept
        self._parent = os.getppid()
        self._asked = time.monotonic()
        self._answering = 0
        self._counting = threading.Lock()
        self._wanted = False

    def serve(self) -> None:
        self._address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            beside = self._address.with_suffix(".new")
            beside.unlink(missing_ok=True)
            listener.bind(str(beside))
            listener.listen(64)
            os.rename(beside, self._address)
            threading.Thread(target=self._tick, daemon=True).start()
            while self._is_needed():
                if select.select([listener], [], [], BETWEEN_TICKS)[0]:
                    self._accept(listener)
            self._address.unlink(missing_ok=True)
            # Who connected meanwhile is answered; who comes now starts another process.
            while select.select([listener], [], [], 0)[0]:
                self._accept(listener)
        while self._answering:
            time.sleep(0.01)

    def _accept(self, listener: socket.socket) -> None:
        asking, _ = listener.accept()
        with self._counting:
            self._answering += 1
        threading.Thread(target=self._answer, args=(Connection(asking.detach()),), daemon=True).start()

    def _tick(self) -> None:
        """In a thread of its own: what is due may take long, and calls are answered meanwhile."""
        while True:
            try:
                self._wanted = self._kept.tick()
            except Exception:  # noqa: BLE001 - what is due now is due again in a second
                logger.exception("%s failed", type(self._kept).__name__)
                self._wanted = False
            time.sleep(BETWEEN_TICKS)

    def _is_needed(self) -> bool:
        # An orphan is given to another process.
        ended = os.getppid() != self._parent
        idle = time.monotonic() - self._asked > IDLE
        return self._wanted or self._answering > 0 or not (ended or idle)

    def _answer(self, connection: Connection) -> None:
        try:
            with connection, contextlib.suppress(EOFError, ConnectionError):
                method, arguments, named = connection.recv()
                connection.send(self._result(method, arguments, named))
        finally:
            self._asked = time.monotonic()
            with self._counting:
                self._answering -= 1

    def _result(self, method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[str, Any]:
        try:
            return "done", getattr(self._kept, method)(*arguments, **named)
        except ServerError as error:
            return "error", error
        except BaseException:  # noqa: BLE001 - whatever happened, the asker is told
            return "crash", traceback.format_exc()
