"""Whether the server is about to end: told by gunicorn's master, seen by all its workers at once."""

import mmap


class Draining:
    """A byte of memory that this process shares with those that are forked from it later."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    def begin(self) -> None:
        """No new clients are wanted from now on."""
        self._memory[0] = 1

    def __bool__(self) -> bool:
        return self._memory[0] == 1
