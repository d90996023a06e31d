"""The keys that open the server."""

import hmac
import logging
import threading
import time
from pathlib import Path

from server.config import Config, Key, Scope, digest_of, read_keys
from server.errors import ConfigError

logger = logging.getLogger(__name__)
# Seconds after which a file of keys is looked at again: what was revoked opens nothing for longer.
BETWEEN_LOOKS = 1.0
# Bytes of a digest by which keys are found before they are compared; they tell nothing of a key.
FOUND_BY = 4


class KeyRing:
    """The keys of server.keys; those of a file are read again when it has changed. Safe to use from many threads.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """

    def __init__(self, config: Config) -> None:
        keys = config.server.keys
        self.is_open = keys is None
        self.file = Path(keys) if isinstance(keys, str) else None
        self._looking = threading.Lock()
        self._looked = time.monotonic()
        self._state = _state(self.file)
        self._keep(read_keys(self.file) if self.file else keys if isinstance(keys, tuple) else ())

    def _keep(self, keys: tuple[Key, ...]) -> None:
        found: dict[bytes, list[tuple[bytes, Key]]] = {}
        for key in keys:
            digest = bytes.fromhex(key.hash.partition(":")[2])
            found.setdefault(digest[:FOUND_BY], []).append((digest, key))
        self._keys = found
        self._presented: dict[int, tuple[bytes, Key]] = {}
        self._opening: dict[tuple[int, str, str], tuple[bytes, Key]] = {}

    def all(self) -> list[Key]:
        """The keys that are known now."""
        return [key for alike in self._keys.values() for _, key in alike]

    def of(self, presented: str) -> Key | None:
        """The key that was presented, if it is one; compared in constant time."""
        if self.file and time.monotonic() - self._looked > BETWEEN_LOOKS:
            self._look()
        # What was right once is right until the keys change: a digest takes as long as a small prediction.
        # Taken before the keys are: what is found among old ones is not remembered beside new ones.
        remembered, content = self._presented, presented.encode()
        known = remembered.get(hash(presented))
        if known is not None and hmac.compare_digest(known[0], content):
            return known[1]
        digest = digest_of(presented)
        for expected, key in self._keys.get(digest[:FOUND_BY], ()):
            if hmac.compare_digest(expected, digest):
                remembered[hash(presented)] = (content, key)
                return key
        return None

    def opening(self, presented: str, scope: Scope, endpoint: str) -> Key | None:
        """The key that was presented, if it is one and opens this of the endpoint."""
        if self.file and time.monotonic() - self._looked > BETWEEN_LOOKS:
            self._look()
        remembered, asked = self._opening, (hash(presented), scope, endpoint)
        known = remembered.get(asked)
        if known is not None and hmac.compare_digest(known[0], presented.encode()):
            return known[1]
        key = self.of(presented)
        if key is None or scope not in key.scopes or not key.opens(endpoint):
            return None
        remembered[asked] = (presented.encode(), key)
        return key

    def _look(self) -> None:
        assert self.file is not None
        with self._looking:
            self._looked = time.monotonic()
            state = _state(self.file)
            if state == self._state:
                return
            self._state = state
            try:
                self._keep(read_keys(self.file))
            except ConfigError as error:
                # Half a file must lock nobody out.
                logger.error("%s; the keys stay as they were", error.detail)
                return
            logger.info("the keys were read again from %s", self.file)


def _state(file: Path | None) -> tuple[int, ...] | None:
    """What differs after a change of the file."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
