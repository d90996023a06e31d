"""Counters in files: alike for all processes, gone after their window, and harmless when damaged."""

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from server.storage import rate_counts
from server.storage.rate_counts import RateCounts, address
from tests.conftest import ROOT

COUNTS = """
import sys
from server.storage.rate_counts import RateCounts
counts = RateCounts(sys.argv[1])
for _ in range(300):
    counts.incr("caller", 60)
"""


@pytest.fixture
def counts(tmp_path):
    return RateCounts(address(tmp_path / "rates"))


def test_processes_and_threads_count_together(counts, tmp_path):
    command = [sys.executable, "-c", COUNTS, address(tmp_path / "rates")]
    others = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    threads = [threading.Thread(target=lambda: [counts.incr("caller", 60) for _ in range(200)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(60) for other in others] == [0, 0]
    assert counts.get("caller") == 2 * 300 + 3 * 200


def test_a_window_ends_and_another_begins(counts, monkeypatch):
    now = 1_000_000.0
    monkeypatch.setattr(rate_counts, "time", SimpleNamespace(time=lambda: now))
    assert counts.get_expiry("caller") == now
    assert counts.incr("caller", 10) == 1
    now += 9.5
    assert [counts.incr("caller", 10) for _ in range(2)] == [2, 3]
    assert counts.get_expiry("caller") == 1_000_010
    now += 0.5
    assert counts.get("caller") == 0
    assert counts.incr("caller", 10) == 1
    assert counts.get_expiry("caller") == now + 10


def test_what_has_ended_takes_no_room(counts, tmp_path):
    for number in range(2000):
        counts.incr(f"caller {number}", 0)
    counts.incr("the last", 60)
    for number in range(2000):
        counts.get(f"caller {number}")
    assert sum(path.stat().st_size for path in (tmp_path / "rates").iterdir()) < 2000


def test_a_file_that_was_half_written_counts_as_empty(counts, tmp_path):
    counts.incr("caller", 60)
    (path,) = (tmp_path / "rates").iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    assert counts.get("caller") == 0
    assert counts.incr("caller", 60) == 1


def test_callers_are_cleared_one_by_one_or_all(counts):
    for name in ("a", "b", "c"):
        counts.incr(name, 60)
    counts.clear("a")
    assert [counts.get(name) for name in "abc"] == [0, 1, 1]
    counts.reset()
    assert [counts.get(name) for name in "abc"] == [0, 0, 0]
    assert counts.check()
