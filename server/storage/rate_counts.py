"""How often somebody asked: counters in files, alike for all workers of this machine.

A storage of the library `limits`, known to it as restimator:///folder. A file holds the counters of some callers; who
changes it locks it. What was counted is of no use after its window, so nothing is flushed to the disk, and a file that
a kill left half written counts as empty.
"""

import fcntl
import json
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from limits.storage import Storage

SCHEME = "restimator"
FILES = 256

Result = TypeVar("Result")
# Of each caller and window: how often, and when the window ends in seconds since 1970.
Counters = dict[str, tuple[int, float]]


def address(folder: Path) -> str:
    """What names the folder as a storage."""
    return f"{SCHEME}://{folder}"


class RateCounts(Storage):
    """The counters in the folder that the address names."""

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 - the library looks for a list

    def __init__(self, uri: str, wrap_exceptions: bool = False, **_: float | str | bool) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._folder = Path(uri.removeprefix(f"{SCHEME}://"))

    @property
    def base_exceptions(self) -> type[Exception]:
        """What can go wrong."""
        return OSError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a window of `expiry` seconds that the first one begins; how often it was by now."""

        def count(counters: Counters) -> int:
            before, end = counters.get(key, (0, time.time() + expiry))
            counters[key] = (before + amount, end)
            return before + amount

        return self._changed(key, count)

    def get(self, key: str) -> int:
        """How often it was in the window that runs."""
        return self._changed(key, lambda counters: counters.get(key, (0, 0.0))[0])

    def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since 1970; now, if none runs."""
        return self._changed(key, lambda counters: counters.get(key, (0, time.time()))[1])

    def check(self) -> bool:
        """Whether the folder can be written."""
        return os.access(self._folder if self._folder.exists() else self._folder.parent, os.W_OK)

    def reset(self) -> int | None:
        """Forget everything."""
        for path in self._folder.glob("*"):
            path.unlink(missing_ok=True)
        return None

    def clear(self, key: str) -> None:
        """Forget the caller."""
        self._changed(key, lambda counters: counters.pop(key, None))

    def _changed(self, key: str, change: Callable[[Counters], Result]) -> Result:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{zlib.crc32(key.encode()) % FILES:02x}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            before = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            counters = _running(before)
            result = change(counters)
            after = json.dumps(counters).encode()
            if after != before:
                os.pwrite(descriptor, after, 0)
                os.ftruncate(descriptor, len(after))
        finally:
            os.close(descriptor)
        return result


def _running(content: bytes) -> Counters:
    """The counters of windows that have not ended."""
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    now = time.time()
    return {key: (count, end) for key, (count, end) in found.items() if end > now}
