"""Ending the processes that work on a run."""

import os
import signal
import socket
import time
from pathlib import Path

from server.storage.active_runs import ActiveRuns

# Seconds until a process that does not mind a polite signal is killed, and until its end is no longer waited for.
POLITE, PATIENCE = 2.0, 20.0


def stop(active: ActiveRuns, task: str) -> None:
    """End the processes that work on the task; one on another machine ends itself when it sees the mark."""
    begun = time.monotonic()
    told: set[int] = set()
    while active.is_held(task) and time.monotonic() - begun < PATIENCE:
        facts = active.facts(task)
        pid = facts.get("pid")
        if pid and facts.get("host") == socket.gethostname() and active.is_held(task):
            number = signal.SIGKILL if time.monotonic() - begun > POLITE else signal.SIGTERM
            if number == signal.SIGKILL or pid not in told:
                told.add(pid)
                _signal_tree(pid, number)
        time.sleep(0.02)


def _signal_tree(pid: int, number: signal.Signals) -> None:
    """Signal the process and those that it started, such as the workers of n_jobs."""
    pids = [pid]
    for parent in pids:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                pids += map(int, task.read_text().split())
            except OSError:
                continue
    for one in pids:
        try:
            os.kill(one, number)
        except ProcessLookupError:
            continue
