"""Old requests go: a few at a time, by one process of all, beside the answering of new ones."""

import logging
import threading
from datetime import UTC, datetime, timedelta

from server.errors import ServerError
from server.storage.registry import requests
from server.storage.registry.connection import RegistryDatabase

logger = logging.getLogger(__name__)
BATCH = 500
# Seconds between two batches, in which others write, and between two rounds.
PAUSE, EVERY = 0.05, 600.0


class Retention:
    """Removes requests that are older than `keep_days`; never those of a running test."""

    def __init__(self, database: RegistryDatabase, keep_days: float | None) -> None:
        self._database = database
        self._keep_days = keep_days
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin, in a thread of this process, if requests are to go at all."""
        if self._keep_days is not None:
            threading.Thread(target=self._run, name="retention of requests", daemon=True).start()

    def stop(self) -> None:
        """End the thread soon."""
        self._ended.set()

    def remove_old(self) -> int:
        """Remove what is too old now; how many requests went. While another process does that, none.

        Raises:
            RegistryUnavailable: the database cannot be reached.
        """
        if self._keep_days is None:
            return 0
        moment = datetime.now(UTC) - timedelta(days=self._keep_days)
        removed = 0
        behind = None
        with self._database.alone("retention", wait=False) as mine:
            while mine and not self._ended.is_set():
                # To pass over millions of a running test takes seconds, in which nobody else could write.
                with self._database.reading() as connection:
                    found = requests.old(connection, moment, behind, BATCH)
                with self._database.writing() as connection:
                    removed += requests.remove(connection, [one.id for one in found])
                if len(found) < BATCH:
                    break
                behind = found[-1]
                self._ended.wait(PAUSE)
        return removed

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                removed = self.remove_old()
            except ServerError as error:
                logger.warning("old requests could not be removed: %s", error.detail)
            else:
                if removed:
                    logger.info("%d requests older than %g days were removed", removed, self._keep_days)
            self._ended.wait(EVERY)
