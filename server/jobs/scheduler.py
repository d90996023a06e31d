"""The connection to the scheduler of a Dask cluster."""

import logging
from typing import TYPE_CHECKING

from server.errors import NotReady

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)
# Seconds: to find the scheduler, and until who was refused may ask again.
CONNECTING, RETRY_AFTER = 5.0, 10


def connect(scheduler: str, kind: "type[Client] | None" = None) -> "Client":
    """A client of the scheduler.

    Raises:
        NotReady: it cannot be reached.
    """
    # By the first job: it takes a second, and web workers that train nothing do without.
    from distributed import Client

    try:
        return (kind or Client)(scheduler, timeout=CONNECTING, set_as_default=False)
    except OSError as error:
        logger.warning("no connection to the Dask scheduler: %s", error)
        raise not_ready(scheduler, "cannot be reached") from error


def not_ready(scheduler: str, what: str) -> NotReady:
    """The error for a cluster that cannot train now."""
    return NotReady(f"the Dask scheduler {scheduler} (server.compute) {what}", retry_after=RETRY_AFTER)
