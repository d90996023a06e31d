"""Files that are whole or not there, locks that end with their holder, and full disks."""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from server.errors import StorageFull

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Delta's writer is written in Rust and tells the error number only in its sentence.
FULL_TEXT = ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122", "os error 27")


@contextmanager
def room_on_disk(folder: Path) -> Iterator[None]:
    """Say clearly when the disk is full.

    Raises:
        StorageFull: something within could not be written for lack of space.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL or any(text in str(error) for text in FULL_TEXT):
            raise _full(folder) from error
        raise
    except Exception as error:
        if any(text in str(error) for text in FULL_TEXT):
            raise _full(folder) from error
        raise


def _full(folder: Path) -> StorageFull:
    return StorageFull(
        f"no space is left on the disk that holds {folder.name!r} (server.models_dir); nothing was changed: "
        "free some space, or send less"
    )


def write_whole(path: Path, content: bytes) -> None:
    """Write beside, flush to the disk, then take the place of the old file in one step."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    flush_folder(path.parent)


def move_whole(source: Path, path: Path) -> None:
    """Flush a finished file to the disk and let it take the place of another, in one step."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(source, path)
    flush_folder(path.parent)


def flush_tree(folder: Path) -> None:
    """Flush all files and folders within to the disk."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """`write_whole` of a value as indented JSON."""
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is no such file.

    Raises:
        ValueError: the file holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} does not hold a JSON object")
    return value


class Lock:
    """An exclusive lock among threads and processes; the system frees it when its holder dies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self, wait: bool = True) -> Iterator[bool]:
        """Hold the lock within; without `wait`, yields False at once if another holds it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._path, timeout=-1 if wait else 0, poll_interval=0.01)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def is_held(self) -> bool:
        """Whether anybody holds the lock now; those who only ask do not see one another.

        Who takes the lock without waiting can meet the question, which takes microseconds.
        """
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            # FileLock holds this same lock, exclusively.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False
