"""Waiting for what another thread or process does: until it is so, and never for ever."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import requests

Found = TypeVar("Found")
# So many that a machine on which much else runs has time enough; no test waits so long that does not fail.
SECONDS = 60.0


def until(condition: Callable[[], Found], seconds: float = SECONDS) -> Found:
    """What the condition answers, once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


def run_once(url: str, *statuses: str, seconds: float = SECONDS) -> dict[str, Any]:
    """The run at the URL, once it has one of the statuses."""
    deadline = time.monotonic() + seconds
    while (run := requests.get(url, timeout=60).json())["status"] not in statuses:
        assert time.monotonic() < deadline, run
        time.sleep(0.05)
    return run
