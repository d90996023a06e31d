"""What a process counts, in files of prometheus_client's multiprocess mode, which all workers of a server read.

The library's own metric objects write each value through a handful of calls, and a request changes six: together more
than a linear model's prediction takes. Here a request's values are written at once, behind one lock, to the same files.
"""

import logging
import os
import shutil
import struct
import tempfile
import weakref
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Lock

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


# As the library writes a value; behind it stands a gauge's time, which nothing here has.
NUMBER = struct.Struct("d")
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
    """A file of numbers by keys, with its memory at hand.

    Its room on the disk is taken before it is written through memory, where a full disk would kill the process.

    Raises:
        OSError: the disk has no such room, now or for another key.
    """

    def __init__(self, path: str) -> None:
        with open(path, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, max(SIZE, file.tell()))
        super().__init__(path)
        self.memory = self._m

    def _init_value(self, key: str) -> None:
        # An entry is its key, two numbers, its length and up to eight bytes between them.
        if self._used + len(key.encode()) + 32 > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
        super()._init_value(key)
        # A file that grew is mapped anew.
        self.memory = self._m

    def place_of(self, key: str) -> tuple[float, slice]:
        """The number of a key, 0 for a new one, and where its bytes are."""
        number = self.read_value(key)[0]
        begin = self._positions[key]
        return number, slice(begin, begin + NUMBER.size)


class _Value:
    """A number in a file; not safe to use from several threads."""

    __slots__ = ("_file", "_number", "_place")

    def __init__(self, file: _File, key: str) -> None:
        self._file = file
        self._number, self._place = file.place_of(key)

    def add(self, amount: float) -> None:
        self._number += amount
        self._file.memory[self._place] = NUMBER.pack(self._number)


@dataclass(frozen=True)
class _Answers:
    """What is counted of the answers to one method of a route that have one status; durations are the route's."""

    number: _Value
    seconds: _Value
    buckets: tuple[_Value, ...]


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
        self._files: dict[str, _File] = {}
        weakref.finalize(self, _close, self._files, self.folder if given is None else None, os.getpid())
        self._in_progress = self._value("gauge_livesum", IN_PROGRESS, IN_PROGRESS, {})
        self._answers: dict[tuple[str, str, str], _Answers] = {}
        self._durations: dict[str, tuple[_Value, tuple[_Value, ...]]] = {}
        self._rows: dict[tuple[str, str], _Value] = {}

    def _value(self, kind: str, metric: str, name: str, labels: Mapping[str, str]) -> _Value:
        if kind not in self._files:
            self._files[kind] = _File(os.path.join(self.folder, f"{kind}_{_Place.name}.db"))
        return _Value(self._files[kind], mmap_key(metric, name, list(labels), list(labels.values()), HELP[metric]))

    def begun(self) -> None:
        """A request came."""
        with self._lock:
            self._in_progress.add(1)

    def answered(
        self, route: str, method: str, status: str, seconds: float, rows: tuple[str, str, int] | None = None
    ) -> None:
        """A request was answered.

        Args:
            route: the rule of its URL; OTHER where there is none.
            method: as it was sent.
            status: the three digits.
            seconds: until the answer was there to be sent.
            rows: the endpoint, the action, and how many rows it answered, or kept.
        """
        key = (route, method if method in METHODS else OTHER, status)
        with self._lock:
            self._in_progress.add(-1)
            try:
                answers = self._answers.get(key) or self._new_answers(*key)
                counter = rows and (self._rows.get(rows[:2]) or self._new_rows(*rows[:2]))
            except OSError as error:
                logger.error("a request is not counted: %s", error)
                return
            answers.number.add(1)
            answers.seconds.add(seconds)
            answers.buckets[bisect_left(SECONDS, seconds)].add(1)
            if rows and counter:
                counter.add(rows[2])

    def _new_rows(self, endpoint: str, action: str) -> _Value:
        labels = {"endpoint": endpoint, "action": action}
        made = self._rows[endpoint, action] = self._value("counter", ROWS, f"{ROWS}_total", labels)
        return made

    def _new_answers(self, route: str, method: str, status: str) -> _Answers:
        if route not in self._durations:
            buckets = (
                self._value("histogram", DURATIONS, f"{DURATIONS}_bucket", {"route": route, "le": floatToGoString(le)})
                for le in SECONDS
            )
            total = self._value("histogram", DURATIONS, f"{DURATIONS}_sum", {"route": route})
            self._durations[route] = (total, tuple(buckets))
        labels = {"route": route, "method": method, "status": status}
        number = self._value("counter", REQUESTS, f"{REQUESTS}_total", labels)
        made = self._answers[route, method, status] = _Answers(number, *self._durations[route])
        return made

    def collect(self) -> list[Metric]:
        """The figures of all processes that count into this folder, added up."""
        return list(MultiProcessCollector(None, path=self.folder).collect())


def _close(files: Mapping[str, _File], own_folder: str | None, owner: int) -> None:
    for file in files.values():
        file.close()
    # Forked processes end, too.
    if own_folder is not None and os.getpid() == owner:
        shutil.rmtree(own_folder, ignore_errors=True)
