"""How algorithms did by day, and how the interval of a test narrowed."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any, TypeVar

from server.service.abtest import METRICS, compared, score_of
from server.storage.registry import history
from server.storage.registry.connection import RegistryDatabase
from server.storage.registry.history import Asked
from server.storage.registry.sums import Tally

# Days that are looked back on, and moments of a test.
DAYS, MOMENTS = 30, 60
# What took so many seconds is told again for so many times as long, instead of computed again.
LONG, AGAIN = 0.25, 30
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Series:
    """What an algorithm answered on each of the days: requests, those that are compared, and their score."""

    label: str
    metric: str
    requests: list[int]
    feedback: list[int]
    scores: list[float | None]


@dataclass(frozen=True)
class Days:
    """The last days (UTC), today the last, and the algorithms that answered; who answered most comes first."""

    days: list[date]
    series: list[Series]


@dataclass(frozen=True)
class Moment:
    """The difference of a test, and its interval, after so many compared requests of both sides together."""

    compared: int
    difference: float
    interval: tuple[float, float]


class History:
    """Looks back, at one bounded number of sums each time; safe to call from many threads.

    Its methods raise RegistryUnavailable when the database cannot be reached.
    """

    def __init__(self, database: RegistryDatabase) -> None:
        self._database = database
        self._kept: dict[tuple[str, int], tuple[float, Any]] = {}
        self._keeping = threading.Lock()

    def days(self, endpoint: int) -> Days:
        """The last DAYS days of the endpoint of this number."""
        return self._costly(("days", endpoint), lambda: self._days(endpoint))

    def moments(self, test: Mapping[str, Any]) -> list[Moment]:
        """At most MOMENTS moments of a test (an entry of the list), in the order of its requests."""
        return self._costly(("moments", test["id"]), lambda: self._moments(test))

    def _days(self, endpoint: int) -> Days:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begins = [midnight - timedelta(days=ago) for ago in reversed(range(DAYS))]
        with self._database.reading() as connection:
            bounds = [*history.numbers_since(connection, begins), history.END]
            found = [
                _series(asked, history.of_algorithm(connection, asked.id, bounds))
                for asked in history.asked_since(connection, endpoint, bounds[0])
            ]
        return Days([begin.date() for begin in begins], sorted(found, key=lambda one: -sum(one.requests)))

    def _moments(self, test: Mapping[str, Any]) -> list[Moment]:
        sides = test["parent_mlalgorithm1"], test["parent_mlalgorithm2"]
        with self._database.reading() as connection:
            span = history.span_of_test(connection, test["id"], sides)
            if span is None:
                return []
            bounds = _parts(*span)
            tallies = [history.of_test(connection, test["id"], side, bounds) for side in sides]
        sums = zip(*map(accumulate, tallies), strict=True)
        return [moment for first, second in sums if (moment := _moment(test["model_type"], first, second)) is not None]

    def _costly(self, key: tuple[str, int], compute: Callable[[], Thing]) -> Thing:
        """What is computed, or what was computed a moment ago, if that took long."""
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        began = time.monotonic()
        found = compute()
        now = time.monotonic()
        with self._keeping:
            fresh = {name: entry for name, entry in self._kept.items() if now < entry[0] and name != key}
            self._kept = fresh | ({key: (now + AGAIN * (now - began), found)} if now - began >= LONG else {})
        return found


def _series(asked: Asked, tallies: Sequence[Tally]) -> Series:
    return Series(
        asked.label,
        METRICS[asked.model_type],
        [tally.requests for tally in tallies],
        [tally.feedback for tally in tallies],
        [score_of(asked.model_type, tally) for tally in tallies],
    )


def _parts(first: int, last: int) -> list[int]:
    """Bounds that divide the numbers from the first to the last into equal parts, MOMENTS at most."""
    count = last + 1 - first
    parts = min(MOMENTS, count)
    return [first + count * part // parts for part in range(parts + 1)]


def _moment(model_type: str, first: Tally, second: Tally) -> Moment | None:
    """The moment after these sums; None before there is an interval."""
    told = compared(model_type, first, second)
    if told.interval is None or told.difference is None:
        return None
    return Moment(first.feedback + second.feedback, told.difference, told.interval)
