"""Runs that are worked on: a lock file for each, which all who work on it hold.

Whoever dies lets go of it, however it dies. A run whose file nobody holds was abandoned.
"""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from server.errors import TrainingCancelled
from server.storage.files import read_json, room_on_disk, write_json

# Seconds that somebody else may take to end an abandoned run.
LOOKING = 10.0
LOCK, FACTS, CANCELLED = ".lock", ".json", ".cancelled"


class ActiveRuns:
    """The files in `folder`; a task is the key of one run's file, chosen before the run has an id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def identity(self) -> str:
        """What tells this folder from those of other servers that keep their runs in the same store."""
        path = self._folder / "identity"
        try:
            return path.read_text()
        except FileNotFoundError:
            pass
        with room_on_disk(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".identity.{uuid.uuid4().hex}")
            beside.write_text(uuid.uuid4().hex)
            try:
                # The first one's stays.
                os.link(beside, path)
            except FileExistsError:
                pass
            finally:
                beside.unlink()
        return path.read_text()

    def has_identity(self, identity: str) -> bool:
        """Whether this is the folder of that identity, and not another machine's of the same path."""
        try:
            return (self._folder / "identity").read_text() == identity
        except OSError:
            return False

    @contextmanager
    def opened(self, task: str) -> Iterator[None]:
        """Begin to work on a new run."""
        while True:
            with room_on_disk(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self._path(task, LOCK), os.O_RDWR | os.O_CREAT, 0o600)
            with _held(descriptor):
                # Between its making and this lock, who looks finds the file nobody's, and removes it.
                if self.exists(task):
                    yield
                    return

    @contextmanager
    def joined(self, task: str) -> Iterator[None]:
        """Work on the run, too.

        Raises:
            TrainingCancelled: it is over, or somebody wants it to be.
        """
        try:
            descriptor = os.open(self._path(task, LOCK), os.O_RDWR)
        except FileNotFoundError as error:
            raise TrainingCancelled("the run was over before its work began") from error
        with _held(descriptor):
            if not self.exists(task) or self.is_cancelled(task):
                raise TrainingCancelled("the run was cancelled before its work began")
            yield

    def tasks(self) -> list[str]:
        """The runs that are worked on, or were when somebody died."""
        return sorted(path.stem for path in self._folder.glob(f"*{LOCK}"))

    def exists(self, task: str) -> bool:
        """Whether the run's end is not recorded yet."""
        return self._path(task, LOCK).exists()

    def is_held(self, task: str) -> bool:
        """Whether anybody works on the run."""
        with self.abandoned(task) as mine:
            return not mine and self.exists(task)

    @contextmanager
    def abandoned(self, task: str) -> Iterator[bool]:
        """Whether nobody works on the run; within, nobody else can, or find it so."""
        try:
            descriptor = os.open(self._path(task, LOCK), os.O_RDWR)
        except FileNotFoundError:
            yield False
            return
        try:
            yield _is_nobodys(descriptor) and self.exists(task)
        finally:
            os.close(descriptor)

    def note(self, task: str, facts: Mapping[str, Any]) -> None:
        """Add to what is known of the run."""
        with room_on_disk(self._folder):
            write_json(self._path(task, FACTS), self.facts(task) | dict(facts))

    def facts(self, task: str) -> dict[str, Any]:
        """What was noted; empty if its process died before."""
        try:
            return read_json(self._path(task, FACTS)) or {}
        except ValueError:
            return {}

    def cancel(self, task: str) -> None:
        """Say that the run is to end; its process may be on another machine."""
        with room_on_disk(self._folder):
            self._path(task, CANCELLED).touch()

    def give_up(self, task: str, reason: str) -> None:
        """Say that the run is to end because it failed, whoever else still works on it; unless it is to end already."""
        if self.exists(task) and not self.is_cancelled(task):
            self.note(task, {"reason": reason})
            self.cancel(task)

    def is_cancelled(self, task: str) -> bool:
        """Whether the run is to end."""
        return self._path(task, CANCELLED).exists()

    def forget(self, task: str) -> None:
        """The run is over, and so it is recorded."""
        for suffix in (LOCK, FACTS, CANCELLED):
            self._path(task, suffix).unlink(missing_ok=True)

    def _path(self, task: str, suffix: str) -> Path:
        return self._folder / f"{task}{suffix}"


@contextmanager
def _held(descriptor: int) -> Iterator[None]:
    """Several hold it at once; closing lets go."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _is_nobodys(descriptor: int) -> bool:
    """Whether nobody works on the run; if so, the file is held alone. Who looks at the same moment is waited for."""
    deadline = time.monotonic() + LOOKING
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        with suppress(BlockingIOError):
            # Those who work share the file, and those who look hold it alone.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
