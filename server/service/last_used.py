"""What is costly to read and was asked for last."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class LastUsed(Generic[Thing]):
    """At most `most` things by their keys, those that were asked for last.

    Safe to call from many threads: who asks for a thing in memory never waits for one that is being read.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, Thing] = OrderedDict()
        self._keeping = threading.Lock()
        self._reading = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str, read: Callable[[], Thing]) -> Thing:
        """The thing of this key; `read` is asked for it if it is not in memory."""
        found = self._remembered(key)
        if found is None:
            with self._reading:
                found = self._remembered(key) or self._keep(key, read())
        return found

    def _remembered(self, key: str) -> Thing | None:
        with self._keeping:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: str, thing: Thing) -> Thing:
        with self._keeping:
            self._kept[key] = thing
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return thing
