"""How many trainings run at once: as many lock files, of which each training holds one.

The system frees those of the dead.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.storage.files import room_on_disk

# Seconds between two looks for a slot.
BETWEEN_LOOKS = 0.05


class TrainingSlots:
    """The `count` files in `folder`, shared by all processes and machines that see it; None stands for no bound."""

    def __init__(self, folder: Path, count: int | None) -> None:
        self._folder = folder
        self._count = count

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold a slot within; wait until one is free."""
        if self._count is None:
            yield
            return
        with room_on_disk(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = self._free()
            if descriptor is not None:
                break
            time.sleep(BETWEEN_LOOKS)
        try:
            yield
        finally:
            os.close(descriptor)

    def _free(self) -> int | None:
        """A file that nobody else holds, locked; None if there is none."""
        for number in range(self._count or 0):
            with room_on_disk(self._folder):
                descriptor = os.open(self._folder / f"{number}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return descriptor
        return None
