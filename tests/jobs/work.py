"""What the tests let the runner run: plain functions, importable in the job's process."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from server.errors import BadRequest, NotReady, Problem, StorageFull
from server.jobs import Afterwards, kept


def add(one: int, other: int) -> int:
    return one + other


def process() -> int:
    return os.getpid()


def parent() -> int:
    return os.getppid()


def echo(value: Any) -> Any:
    return value


def unpicklable() -> Any:
    return lambda: None


def refuse() -> None:
    raise BadRequest("no such rows", [Problem("/0/a", "a: 'x' is not a number")])


def full() -> None:
    raise StorageFull("no space")


def not_ready() -> None:
    raise NotReady("later", retry_after=7)


def fail() -> None:
    raise ZeroDivisionError("division by zero")


def leave() -> None:
    raise SystemExit(3)


def exit_at_once() -> None:
    os._exit(7)


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def meet(mine: Path, other: Path, seconds: float) -> bool:
    """Whether the other job is under way at the same time."""
    mine.touch()
    deadline = time.monotonic() + seconds
    while not other.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def work_on(started: Path, go: Path, done: Path) -> None:
    """Say that it started, wait for leave to end, say that it is done."""
    started.write_text(str(os.getpid()))
    while not go.exists():
        time.sleep(0.01)
    done.touch()


class Counter:
    """What a kept object can be; it is wanted as long as there is a file `wanted` in its folder."""

    def __init__(self, folder: Path, idle: float | None = None) -> None:
        self.folder = folder
        self.count = 0
        if idle is not None:
            kept.IDLE = idle

    def tick(self) -> bool:
        return (self.folder / "wanted").exists()

    def pid(self) -> int:
        return os.getpid()

    def add(self, by: int) -> int:
        self.count += by
        return self.count

    def refuse(self) -> None:
        raise BadRequest("not so")

    def fail(self) -> None:
        raise ZeroDivisionError

    def die(self) -> None:
        os._exit(9)

    def die_once(self) -> int:
        died = self.folder / "died"
        if not died.exists():
            died.touch()
            os._exit(9)
        return os.getpid()


def ask(counter, after_the_launcher: bool = False) -> tuple[int | None, bool]:
    """The process that answers, and whether it is another one than this."""
    if after_the_launcher:
        os.kill(os.getppid(), signal.SIGKILL)
        while True:
            # Its kept process still answers, for a moment.
            time.sleep(0.1)
            if counter.pid() == os.getpid():
                return None, False
    return counter.pid(), counter.pid() != os.getpid()


def later(path: Path) -> Afterwards:
    """A job that goes on when its result is there."""

    def work() -> None:
        time.sleep(0.3)
        path.touch()

    return Afterwards("result", work)


def hold(folder: Path) -> int:
    """Say who works, and wait for leave to end; this process."""
    (folder / str(os.getpid())).touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    return os.getpid()


def hold_the_interpreter(folder: Path) -> None:
    """Say who works, and never let another thread of this process run."""
    (folder / str(os.getpid())).touch()
    # One call into C, which takes minutes.
    pow(3, 10**9)


def grandparent() -> int:
    """The process that started the launcher."""
    return int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])


def kill_grandparent() -> None:
    os.kill(grandparent(), signal.SIGKILL)
    time.sleep(60)


def placed(rows: np.ndarray, seconds: float) -> int:
    time.sleep(seconds)
    assert len(rows)
    return os.getpid()


def divide(n_jobs: int | None, seconds: float = 0.2, parts: int = 8) -> set[int]:
    """The processes that did the parts of a task, which all need the same rows."""
    rows = np.zeros(10_000)
    return set(Parallel(n_jobs=n_jobs)(delayed(placed)(rows, seconds) for _ in range(parts)))
