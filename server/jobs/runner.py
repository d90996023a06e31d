"""Who runs a job: this process, or a child of the launcher."""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any, Protocol

from server.errors import TrainingFailed
from server.jobs import launcher
from server.jobs.kept import Keepable, Kept
from server.jobs.launcher import Afterwards, Job

logger = logging.getLogger(__name__)
START_TIMEOUT = 120.0
PREFIX = "restimator-"


def always() -> bool:
    """What somebody wants who never gives up."""
    return True


class Runner(Protocol):
    """Runs a function to its end."""

    def run(self, function: Callable[..., Any], *arguments: Any, wanted: Callable[[], bool] = always) -> Any:
        """The function's result; that of an `Afterwards` once there is one.

        Args:
            function: what to run; it and its arguments cross process borders.
            arguments: its arguments.
            wanted: asked once a second by a runner whose job may have to wait; it does so no longer once this is false.

        Raises:
            ServerError: as the function raised it.
            TrainingFailed: the function failed in another way, or its process died.
        """

    def fork_launcher(self) -> None:
        """Fork what starts the jobs' processes, if it needs any, from this process, which must not have threads yet."""

    def leave_launcher(self) -> None:
        """Do without the launcher from now on, and let others who have it go on with it."""

    def keep(self, make: Callable[..., Keepable], *arguments: Any) -> Any:
        """The object that `make` makes of the arguments, or something that calls its methods elsewhere."""


class InlineRunner:
    """Runs the function here and now: for tests and commands."""

    def leave_launcher(self) -> None:
        """See Runner."""

    def fork_launcher(self) -> None:
        """See Runner."""

    def run(self, function: Callable[..., Any], *arguments: Any, wanted: Callable[[], bool] = always) -> Any:
        """See Runner."""
        result = function(*arguments)
        if isinstance(result, Afterwards):
            result.work()
            return result.result
        return result

    def keep(self, make: Callable[..., Keepable], *arguments: Any) -> Any:
        """See Runner."""
        return make(*arguments)


class ProcessRunner:
    """Runs each function in a process of its own, forked by a launcher that has `modules` loaded.

    A process goes on when this one dies, unless it is `bound`.
    """

    def __init__(self, modules: Sequence[str], bound: bool = False) -> None:
        self._modules = tuple(modules)
        self._bound = bound
        self._starting = threading.Lock()
        self._owner = os.getpid()
        self._address: str | None = None
        self._lifeline: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork_launcher(self) -> None:
        """See Runner."""
        address, read_end = self._new_address()
        if os.fork() == 0:
            assert self._lifeline is not None
            os.close(self._lifeline)
            launcher.serve(address, read_end)
        os.close(read_end)

    def run(self, function: Callable[..., Any], *arguments: Any, wanted: Callable[[], bool] = always) -> Any:
        """See Runner."""
        with self._connect() as connection:
            try:
                connection.send(Job(function, arguments, self._bound))
                kind, value = connection.recv()
            except (EOFError, ConnectionError) as error:
                raise TrainingFailed(
                    "the training process ended without an answer: it was killed, or memory ran out"
                ) from error
        if kind == "done":
            return value
        if kind == "error":
            raise value
        logger.error("a job failed:\n%s", value)
        raise TrainingFailed(f"the training process failed: {value.strip().splitlines()[-1]}")

    def keep(self, make: Callable[..., Keepable], *arguments: Any) -> Any:
        """See Runner."""
        return Kept(lambda: self._address or "", self._start, make, arguments)

    def _start(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have a child of the launcher run the function of the launcher's address; nobody waits for its end."""
        with self._connect() as connection:
            connection.send(Job(function, (self._address, *arguments)))

    def _connect(self) -> Connection:
        try:
            if self._address:
                return Client(self._address, "AF_UNIX")
        except (FileNotFoundError, ConnectionRefusedError):
            logger.warning("the launcher is gone; starting another")
        with self._starting:
            try:
                return Client(self._address or "", "AF_UNIX")
            except (FileNotFoundError, ConnectionRefusedError, OSError):
                self._spawn_launcher()
        return Client(self._address or "", "AF_UNIX")

    def _spawn_launcher(self) -> None:
        """A launcher in a fresh interpreter, for a process that already has threads."""
        address, read_end = self._new_address()
        root = str(Path(__file__).parents[2])
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        }
        start = "from server.jobs.launcher import main; main()"
        command = [sys.executable, "-c", start, address, str(read_end), *self._modules]
        process = self._process = subprocess.Popen(
            command, pass_fds=[read_end], env=environment, stdin=subprocess.DEVNULL
        )
        os.close(read_end)
        deadline = time.monotonic() + START_TIMEOUT
        while not Path(address).exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise TrainingFailed("the launcher of training processes did not start; the log says why")
            time.sleep(0.01)

    def _new_address(self) -> tuple[str, int]:
        self.close()
        _sweep()
        # Another user must not be able to connect: what arrives there is unpickled.
        folder = tempfile.mkdtemp(prefix=PREFIX)
        read_end, self._lifeline = os.pipe()
        self._address = str(Path(folder) / "launcher.sock")
        self._owner = os.getpid()
        return self._address, read_end

    def leave_launcher(self) -> None:
        """See Runner: it ends, and its folder goes, once the workers have ended that were forked with it."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = self._address = None

    def close(self) -> None:
        """Let go of the launcher; it ends when nobody holds it any more."""
        if self._lifeline is None:
            return
        os.close(self._lifeline)
        if self._owner == os.getpid():
            shutil.rmtree(Path(self._address or "").parent, ignore_errors=True)
            if self._process is not None:
                self._process.wait(START_TIMEOUT)
        self._lifeline = self._address = self._process = None


def _sweep() -> None:
    """Remove the sockets of launchers that were killed together with their servers."""
    for address in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/launcher.sock"):
        try:
            Client(str(address), "AF_UNIX").close()
        except ConnectionRefusedError:
            shutil.rmtree(address.parent, ignore_errors=True)
        except OSError:
            continue
