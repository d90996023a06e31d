"""Waiting for what another thread or process does: until it is so, and never for ever."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import requests

Found = TypeVar("Found")
# So many that a machine on which much else runs has time enough; no test waits so long that does not fail.
SECONDS = 180.0
# Seconds between two looks: the shortest, the longest, and between them this share of the time waited. Most looks are
# requests, which take the time of the very process that is waited for.
SHORTEST, LONGEST, SHARE = 0.01, 0.1, 0.1


def until(condition: Callable[[], Found], seconds: float = SECONDS, told: Callable[[], object] | None = None) -> Found:
    """What the condition answers, once that is true; if it never is, the failure says what is `told`."""
    begun = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - begun
        assert waited < seconds, told() if told else found
        time.sleep(min(max(SHORTEST, waited * SHARE), LONGEST))
    return found


def run_once(url: str, *statuses: str, seconds: float = SECONDS) -> dict[str, Any]:
    """The run at the URL, once it has one of the statuses."""
    last: dict[str, Any] = {}

    def has_status() -> bool:
        last.update(requests.get(url, timeout=60).json())
        return last["status"] in statuses

    until(has_status, seconds, lambda: last)
    return last
