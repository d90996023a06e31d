"""How many trainings there may be, and how long one may run."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from server.config import Config, ServerSection
from server.errors import TooMany
from server.service.experiment_book import CALL
from server.service.run_folder import active_runs, own_folder
from server.service.stopping import DEADLINE
from server.storage.active_runs import ActiveRuns
from server.storage.files import Lock, room_on_disk
from server.storage.training_slots import TrainingSlots

# What a run's file tells once its training no longer waits for others.
IS_RUNNING = "is_running"
# Seconds after which it is worth while to ask again.
RETRY_AFTER = 10


def most_trainings(server: ServerSection) -> int | None:
    """How many trainings run at once; None where a cluster divides the work."""
    if server.limits.trainings is not None or server.compute is not None:
        return server.limits.trainings
    return max(2, len(os.sched_getaffinity(0)))


@contextmanager
def admitted(config: Config, key: str) -> Iterator[None]:
    """Begin to work on a new run, if there is room for one more training; several workers count one after another.

    Raises:
        TooMany: as many wait as may.
    """
    active, folder = active_runs(config), own_folder(config)
    with ExitStack() as working:
        with room_on_disk(folder), Lock(folder / "admission").held():
            _check_room(config, active)
            working.enter_context(active.opened(key))
        yield


def _check_room(config: Config, active: ActiveRuns) -> None:
    limits, most = config.server.limits, most_trainings(config.server)
    tasks = active.tasks()
    if most is None or len(tasks) < most + limits.queue:
        return
    if _count(active, tasks) >= most + limits.queue:
        raise TooMany(
            f"{most} trainings run at once (server.limits.trainings), and {limits.queue} may wait "
            "(server.limits.queue): there is no room for one more now; ask again later",
            retry_after=RETRY_AFTER,
        )


def _count(active: ActiveRuns, tasks: Iterable[str]) -> int:
    """The trainings that somebody works on; a call of two runs is one."""
    return sum(active.facts(task).get(CALL, task) == task and active.is_held(task) for task in tasks)


@contextmanager
def running(config: Config, keys: Iterable[str]) -> Iterator[None]:
    """Run a training of these keys within: wait until one more may run, then for no longer than one may.

    Who ends it when its time is over is `RunBook.tick`.
    """
    folder: Path = own_folder(config) / "slots"
    with TrainingSlots(folder, most_trainings(config.server)).held():
        minutes = config.server.limits.training_minutes
        told: dict[str, Any] = {IS_RUNNING: True}
        if minutes is not None:
            told[DEADLINE] = time.time() + 60 * minutes
        for key in keys:
            active_runs(config).note(key, told)
        yield
