"""What the tests let the runner run: plain functions, importable in the job's process."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from server.errors import BadRequest, NotReady, Problem, StorageFull


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
