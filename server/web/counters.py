"""What a process counts, in files of prometheus_client's multiprocess mode, which all workers of a server read.

The library's own metric objects write each value through a handful of calls, and a request changes six: together more
than a linear model's prediction takes. Here a request's values are written at once, behind one lock, to the same files.
"""

import logging
import os
import shutil
import tempfile
import weakref
from bisect import bisect_left
from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.utils import floatToGoString

logger = logging.getLogger(__name__)
# Where workers keep their files; gunicorn.conf.py sets it before they are forked.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "restimator-metrics-"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
# A one-row prediction takes a fraction of a millisecond, a training that is waited for minutes.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, inf)
REQUESTS, DURATIONS = "restimator_requests", "restimator_request_duration_seconds"
IN_PROGRESS, ROWS = "restimator_requests_in_progress", "restimator_rows"
HELP = {
    REQUESTS: "Requests answered.",
    DURATIONS: "Seconds until the answer was there to be sent.",
    IN_PROGRESS: "Requests that are being answered.",
    ROWS: "Rows answered or kept, by what was asked.",
}


# Bytes for some hundred routes.
SIZE = 2**18


class _Place:
    """Which of the workers' places this process has; it goes on counting where the last worker in it ended."""

    name = "0"


def take_place(name: str) -> None:
    """Count into the files of this place; no two processes that live have the same."""
    _Place.name = name


def clear_place(folder: str, name: str) -> None:
    """What the worker in this place was just answering when it ended is answered no more."""
    Path(folder, f"gauge_livesum_{name}.db").unlink(missing_ok=True)


class _File(MmapedDict):
    """A file of numbers by keys, which lie in memory as the library keeps them: `numbers[place]` is one of them.

    Its room on the disk is taken before it is written through memory, where a full disk would kill the process.

    Raises:
        OSError: the disk has no such room, now or for another key.
    """

    def __init__(self, path: str) -> None:
        with open(path, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, max(SIZE, file.tell()))
        super().__init__(path)
        self.numbers = memoryview(self._m).cast("d")

    def _init_value(self, key: str) -> None:
        # An entry is its key, two numbers, its length and up to eight bytes between them.
        if self._used + len(key.encode()) + 32 > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
        mapped = self._m
        super()._init_value(key)
        # A file that grew is mapped anew.
        if self._m is not mapped:
            self.numbers = memoryview(self._m).cast("d")

    def place(self, metric: str, name: str, **labels: str) -> int:
        """Where the number of these labels is; a new one is 0."""
        key = mmap_key(metric, name, list(labels), list(labels.values()), HELP[metric])
        self.read_value(key)
        return int(self._positions[key]) // self.numbers.itemsize

    def close(self) -> None:
        """Give the memory back."""
        self.numbers.release()
        super().close()


# Called once a request is over, with the seconds until its answer was there to be sent.
Tally = Callable[[float], None]


class Places(NamedTuple):
    """Where that is counted which requests alike change: their number, their durations, and the rows they answered."""

    number: int
    seconds: int
    buckets: tuple[int, ...]
    rows: int


class Counters:
    """The figures that this process changes. Safe to use from many threads; to be made in the process that counts.

    Raises:
        OSError: the files cannot be made.
    """

    def __init__(self) -> None:
        given = os.environ.get(FOLDER)
        self.folder = given or tempfile.mkdtemp(prefix=PREFIX)
        # Systems tidy their temporary folders, and workers begin at any time.
        os.makedirs(self.folder, exist_ok=True)
        self._lock = Lock()
        files: list[_File] = []
        weakref.finalize(self, _close, files, self.folder if given is None else None, os.getpid())
        for kind in ("gauge_livesum", "counter", "histogram"):
            files.append(_File(os.path.join(self.folder, f"{kind}_{_Place.name}.db")))
        self._gauges, self._counters, self._durations = files
        self._in_progress = self._gauges.place(IN_PROGRESS, IN_PROGRESS)
        # As many as there are routes, methods and statuses: few, where paths and addresses are many.
        self._places: dict[tuple[str, str, str, str | None, str | None], Places] = {}

    def places(
        self, route: str, method: str, status: str, endpoint: str | None = None, action: str | None = None
    ) -> Places | None:
        """Where requests alike are counted; None if the disk has no room for it.

        Args:
            route: the rule of their URL; OTHER where there is none.
            method: as it was sent.
            status: the three digits.
            endpoint, action: if they answer, or keep, rows.
        """
        key = (route, method if method in METHODS else OTHER, status, endpoint, action)
        with self._lock:
            try:
                return self._places.get(key) or self._new_places(*key)
            except OSError as error:
                logger.error("a request is not counted: %s", error)
                return None

    def _new_places(self, route: str, method: str, status: str, endpoint: str | None, action: str | None) -> Places:
        of_counters, of_durations = self._counters.place, self._durations.place
        buckets = [
            of_durations(DURATIONS, f"{DURATIONS}_bucket", route=route, le=floatToGoString(le)) for le in SECONDS
        ]
        total, rows = of_durations(DURATIONS, f"{DURATIONS}_sum", route=route), -1
        if endpoint is not None and action is not None:
            rows = of_counters(ROWS, f"{ROWS}_total", endpoint=endpoint, action=action)
        number = of_counters(REQUESTS, f"{REQUESTS}_total", route=route, method=method, status=status)
        made = self._places[route, method, status, endpoint, action] = Places(number, total, tuple(buckets), rows)
        return made

    def begun(self) -> None:
        """A request came."""
        with self._lock:
            self._gauges.numbers[self._in_progress] += 1

    def tally(self, places: Places | None, rows: int = 0) -> Tally:
        """What counts the end of a request, for all that are alike.

        Args:
            places: where they are counted, if anywhere.
            rows: how many each answers, or keeps.
        """
        # Numbers that were mapped before a file grew are the same bytes of it.
        lock, gauges, in_progress = self._lock, self._gauges.numbers, self._in_progress
        if places is None:

            def ended(_: float) -> None:
                with lock:
                    gauges[in_progress] -= 1

            return ended
        number, total, buckets, of_rows = places
        numbers, durations = self._counters.numbers, self._durations.numbers

        def answered(seconds: float) -> None:
            bucket = buckets[bisect_left(SECONDS, seconds)]
            with lock:
                gauges[in_progress] -= 1
                numbers[number] += 1
                if rows:
                    numbers[of_rows] += rows
                durations[total] += seconds
                durations[bucket] += 1

        return answered

    def collect(self) -> list[Metric]:
        """The figures of all processes that count into this folder, added up."""
        return list(MultiProcessCollector(None, path=self.folder).collect())


def _close(files: Iterable[_File], own_folder: str | None, owner: int) -> None:
    for file in files:
        file.close()
    if own_folder is not None:
        discard(own_folder, owner)


def discard(folder: str, owner: int) -> None:
    """Remove a folder of figures, if this is the process that made it: those forked from it end, too."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
