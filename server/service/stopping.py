"""Ending the processes that work on a run."""

import math
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from server.storage.active_runs import ActiveRuns

# Seconds until a process that does not mind a polite signal is killed, and until its end is no longer waited for.
POLITE, PATIENCE = 2.0, 20.0
# What a run's file tells: the moment by which its training must be over, in seconds since 1970.
DEADLINE = "deadline"


def stop_overdue(active: ActiveRuns, minutes: float | None, is_published: Callable[[Mapping[str, Any]], bool]) -> None:
    """End the trainings that have run for so many minutes; their runs tell why.

    A model that serves already, which `is_published` tells by what is known of the run, is not taken for a failure.
    """
    for task in active.tasks():
        facts = active.facts(task)
        if time.time() > facts.get(DEADLINE, math.inf) and not is_published(facts):
            active.give_up(task, f"the training took longer than {minutes:g} minutes (server.limits.training_minutes)")
            stop(active, task)


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
