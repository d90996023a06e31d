"""How many runs ended, and how: right over processes and restarts, and without a database to open."""

import hashlib
import os
from pathlib import Path


class RunCounts:
    """A file in `folder` for each endpoint and status, as long as there were runs: one byte is added for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, endpoint: str, status: str) -> None:
        """One more run of the endpoint ended so."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path(endpoint, status), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, b".")
        finally:
            os.close(descriptor)

    def of(self, endpoint: str, status: str) -> int:
        """How many runs of the endpoint ended so."""
        try:
            return self._path(endpoint, status).stat().st_size
        except FileNotFoundError:
            return 0

    def _path(self, endpoint: str, status: str) -> Path:
        # An endpoint's name may be longer than a file's, and hold anything.
        return self._folder / f"{hashlib.sha256(endpoint.encode()).hexdigest()[:32]}.{status}"
