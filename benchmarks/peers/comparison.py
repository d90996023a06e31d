"""One peer beside our own server and the empty resource, asked the same rows in turns."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import joblib

from benchmarks.data import FEATURES, passengers, write_config
from benchmarks.peers.catalogue import Peer
from benchmarks.peers.doors import Body, Door, Query, Row
from benchmarks.peers.running import prepare, serving
from benchmarks.processes import Failed, Server, gunicorn
from benchmarks.row_measures import cpu_per_request, empty_resource

SINGLE, BULK = 200, 100_000
# The quick ones are asked more: what a request of theirs costs differs little from what others do beside them.
QUICK = 3 * SINGLE


@dataclass(frozen=True)
class Load:
    """Rows to ask about, other ones in each turn, and scikit-learn's own answers for them."""

    rows: list[Row]
    expected: list[Any]

    @classmethod
    def drawn(cls, model: Any, count: int, seed: int) -> "Load":
        """So many passengers, without empty cells: not every protocol has a word for them."""
        rows = passengers(count, seed)[FEATURES].ffill().bfill()
        return cls(rows.to_dict("records"), model.predict(rows).tolist())

    def first(self, count: int) -> "Load":
        """The first rows of it."""
        return Load(self.rows[:count], self.expected[:count])

    def check(self, name: str, answers: list[Any]) -> None:
        """Raises: Failed if any answer is not scikit-learn's."""
        if len(answers) != len(self.expected):
            raise Failed(f"{name} gave {len(answers)} answers to {len(self.expected)} rows")
        for number, (answer, expected) in enumerate(zip(answers, self.expected, strict=True)):
            if answer != expected:
                raise Failed(f"{name} answered row {number} by {answer!r}, scikit-learn by {expected!r}")


@dataclass(frozen=True)
class Side:
    """A server and its doors for one row and for many."""

    name: str
    server: Server
    one: Door
    many: Door

    def cost_of_one(self, load: Load) -> float:
        """CPU seconds of a row that comes alone, over one connection. Raises: Failed for a wrong answer."""
        before = self.server.cpu()
        answers = [answer for row in load.rows for answer in self.one.answers(self.server, [row])]
        spent = self.server.cpu() - before
        load.check(self.name, answers)
        return spent / len(load.rows)

    def cost_of_many(self, load: Load) -> float:
        """CPU seconds of all rows in one body. Raises: Failed for a wrong answer."""
        before = self.server.cpu()
        answers = self.many.answers(self.server, load.rows)
        spent = self.server.cpu() - before
        load.check(self.name, answers)
        return spent


@dataclass(frozen=True)
class Footprint:
    """Seconds to the first answer; MiB after the first single rows, and after the first of the large bodies."""

    start: float
    memory: float
    memory_after: float


@dataclass
class Comparison:
    """CPU seconds turn by turn: of a row that comes alone (the empty resource, ours, the peer), of all rows at once."""

    footprint: Footprint
    one: list[tuple[float, float, float]]
    many: list[tuple[float, float]]


class Bench:
    """Our own server and the empty resource, and the rows that every peer is asked beside them."""

    def __init__(self, server: Server, empty: Server, file: Path) -> None:
        self.file = file
        self.model = joblib.load(file)
        self.bulk = Load.drawn(self.model, BULK, seed=1)
        self.ours = Side("our server", server, Query("/linear"), Body("/linear"))
        self.empty = empty
        self.footprint = self._warmed(self.ours)

    def compare(self, peer: Peer, programs: Path, folder: Path, rounds: int) -> Comparison:
        """Start the peer in a new folder, and let all three answer the same rows in turns.

        Raises: Failed if it does not start, or an answer is not scikit-learn's.
        """
        prepare(peer, programs, self.file, folder)
        with serving(peer, programs, folder):
            pass  # the first start reads its libraries from the disk; it is not the one to measure
        with serving(peer, programs, folder) as server:
            theirs = Side(peer.name, server, peer.one, peer.many or peer.one)
            comparison = Comparison(self._warmed(theirs), [], [])
            for turn in range(rounds):
                # Side by side: on a shared machine what a request costs changes within seconds.
                load = Load.drawn(self.model, QUICK, seed=turn + 2)
                nothing = cpu_per_request(self.empty, ["/?" + urlencode(row) for row in load.rows])
                ours = self.ours.cost_of_one(load)
                comparison.one.append((nothing, ours, theirs.cost_of_one(load.first(SINGLE))))
                comparison.many.append((self.ours.cost_of_many(self.bulk), theirs.cost_of_many(self.bulk)))
        return comparison

    def _warmed(self, side: Side) -> Footprint:
        """The turn before the first, in which libraries load what they need, and memory is taken."""
        side.cost_of_one(Load.drawn(self.model, SINGLE, seed=0))
        memory = side.server.memory()
        side.cost_of_many(self.bulk)
        return Footprint(side.server.started, memory, side.server.memory())


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Our own server, trained in a folder, beside the empty resource."""
    config = {"RESTIMATOR_CONFIG": str(write_config(folder, ["linear"]))}
    with gunicorn("wsgi:app", config, ready="/readyz") as first:
        first.rest()  # the first start trains; it is not the one to measure
    with gunicorn("wsgi:app", config, ready="/readyz") as server, empty_resource() as empty:
        yield Bench(server, empty, folder / "models" / "linear" / "model.pkl")
