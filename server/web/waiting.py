"""Requests that wait for a training: some threads of a worker are kept for predictions and probes meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from server.errors import NotReady

# Seconds after which it is worth while to ask again.
RETRY_AFTER = 10


class _Room:
    """How many requests of this process wait, and how many may; None: any number."""

    lock = Lock()
    most: int | None = None
    taken = 0


def keep_threads(threads: int) -> None:
    """Have at least two of so many threads, and a quarter of them, never wait; one may wait in any case."""
    _Room.most = max(1, threads - max(2, threads // 4))


@contextmanager
def waiting(seconds: float | None) -> Iterator[float | None]:
    """How long this request may wait for a training that it begins within.

    Args:
        seconds: how long it would, until it is told where to look; None: as long as it takes.

    Raises:
        NotReady: as many wait as may, and the client did not say that it would look elsewhere.
    """
    if seconds == 0:
        yield 0
        return
    with _Room.lock:
        has_room = _Room.most is None or _Room.taken < _Room.most
        _Room.taken += has_room
    if not has_room:
        if seconds is None:
            raise NotReady(
                f"{_Room.most} requests wait for trainings here already, and the other threads are kept for "
                "predictions; with 'Prefer: respond-async' the answer comes at once, with the address of the run",
                retry_after=RETRY_AFTER,
            )
        yield 0
        return
    try:
        yield seconds
    finally:
        with _Room.lock:
            _Room.taken -= 1
