"""Jobs on the workers of a Dask cluster.

A job whose worker is lost begins anew on another one, by Dask's own rule (`distributed.scheduler.allowed-failures`).
"""

import contextlib
import logging
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from server.errors import NotReady, Problem, TrainingFailed
from server.jobs.cluster_job import versions
from server.jobs.kept import Keepable
from server.jobs.runner import ProcessRunner, always
from server.jobs.scheduler import RETRY_AFTER, connect, not_ready

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)
# Seconds: to leave a scheduler that was lost, between two looks at a job, until one is given up for want of workers.
CLOSING, BETWEEN_LOOKS, ALONE = 1.0, 1.0, 30.0


class ClusterRunner:
    """Runs each function on a worker of the cluster; what is kept stays on this machine.

    Args:
        scheduler: the address of Dask's scheduler, as in tcp://host:8786.
        modules: what the processes of jobs have loaded.
    """

    def __init__(self, scheduler: str, modules: Sequence[str]) -> None:
        self._scheduler = scheduler
        self._modules = tuple(modules)
        self._here = ProcessRunner(modules)
        self._connecting = threading.Lock()
        self._client: Client | None = None

    def fork_launcher(self) -> None:
        """See Runner."""
        self._here.fork_launcher()

    def leave_launcher(self) -> None:
        """See Runner."""
        self._here.leave_launcher()

    def keep(self, make: Callable[..., Keepable], *arguments: Any) -> Any:
        """See Runner."""
        return self._here.keep(make, *arguments)

    def run(self, function: Callable[..., Any], *arguments: Any, wanted: Callable[[], bool] = always) -> Any:
        """See Runner.

        Raises:
            NotReady: the scheduler cannot be reached, or was lost; or there are no workers, or none that fits.
        """
        client = self._connected()
        job = pickle.dumps((function, arguments))
        key = f"{function.__name__}-{uuid.uuid4().hex}"
        try:
            future = client.submit(_beginning(), job, self._modules, versions(), key=key)
            kind, value = self._waited(client, future, wanted)
        except OSError as error:
            raise self._lost(error) from error
        if kind == "error":
            raise value
        return value

    def close(self) -> None:
        """Let go of the cluster, and of the launcher on this machine."""
        if self._client is not None:
            self._client.close()
        self._here.close()

    def _connected(self) -> "Client":
        with self._connecting:
            if self._client is None or self._client.status != "running":
                lost, self._client = self._client, None
                if lost is not None:
                    with contextlib.suppress(TimeoutError):
                        lost.close(timeout=CLOSING)
                self._client = connect(self._scheduler)
            return self._client

    def _waited(self, client: "Client", future: "Future", wanted: Callable[[], bool]) -> tuple[str, Any]:
        # Loaded by the first job.
        from distributed import CancelledError, KilledWorker

        seen = time.monotonic()
        while True:
            try:
                return future.result(BETWEEN_LOOKS)
            except TimeoutError:
                if not wanted():
                    future.cancel()
                    raise TrainingFailed("nobody wants the training any more") from None
                if client.ncores():
                    seen = time.monotonic()
                elif time.monotonic() - seen > ALONE:
                    future.cancel()
                    raise self._not_ready("has no workers; start one (docs/cluster.md)") from None
            except CancelledError as error:
                raise self._lost(error) from error
            except KilledWorker as error:
                raise TrainingFailed(
                    "the training was given up: each Dask worker that began it was lost; "
                    "was it killed, or did memory run out?"
                ) from error
            except OSError:
                raise
            except Exception as error:
                logger.exception("a Dask worker cannot begin a training")
                reason = f"{type(error).__name__}: {error}"
                raise NotReady(
                    f"a Dask worker cannot begin the training: {reason}; workers are started in the server's folder",
                    retry_after=RETRY_AFTER,
                ) from error

    def _lost(self, error: BaseException) -> NotReady:
        logger.warning("the connection to the Dask scheduler was lost: %s", error)
        return self._not_ready("was lost, and the training with it")

    def _not_ready(self, what: str) -> NotReady:
        return not_ready(self._scheduler, what)


def _beginning() -> Callable[..., tuple[str, Any]]:
    """`cluster_job.carry_out`, imported once it is called.

    Dask sends an inner function as code, others by name; a worker that cannot import the name of a task breaks down.
    """

    def begin(*arguments: Any) -> tuple[str, Any]:
        from server.jobs.cluster_job import carry_out

        return carry_out(*arguments)

    return begin


def cluster_problems(scheduler: str | None) -> list[Problem]:
    """What a cluster needs and this installation lacks."""
    if scheduler is None or find_spec("distributed") is not None:
        return []
    return [Problem("server.compute", "a cluster needs Dask, which is not installed; install requirements.txt")]
