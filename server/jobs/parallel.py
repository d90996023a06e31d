"""scikit-learn's own parallelism over a Dask cluster, through joblib.

Imported by jobs on a cluster only: it needs `distributed`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import distributed
from distributed import Client
from distributed.protocol.pickle import dumps
from joblib import parallel_config
from joblib._dask import DaskDistributedBackend
from joblib.parallel import FallbackToBackend, ParallelBackendBase, SequentialBackend

from server.errors import TrainingFailed
from server.jobs.scheduler import connect

logger = logging.getLogger(__name__)
# Seconds for the rows to reach all workers.
COPYING = 60.0


@contextmanager
def spread(scheduler: str) -> Iterator[None]:
    """Within, what scikit-learn can do in parallel is done by the whole cluster, unless `n_jobs` is 1.

    The cluster is connected to when the first such thing is done.
    """
    spreading = _Spread(scheduler)
    try:
        with parallel_config(spreading):
            yield
    finally:
        spreading.close()


class _Spread(ParallelBackendBase):
    """Chooses a backend once it is known whether there is anything to do in parallel."""

    # "None means 1 unless in a joblib.parallel_backend context" (scikit-learn, glossary, n_jobs).
    default_n_jobs = -1
    supports_retrieve_callback = True

    def __init__(self, scheduler: str) -> None:
        super().__init__()
        self._scheduler = scheduler

    def effective_n_jobs(self, n_jobs: int) -> int:
        return 1 if n_jobs == 1 else self._cluster.effective_n_jobs(n_jobs)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        chosen = SequentialBackend() if n_jobs == 1 else self._cluster
        chosen.nesting_level = self.nesting_level
        raise FallbackToBackend(chosen)

    def close(self) -> None:
        """Let go of the cluster, if it was needed."""
        if "_cluster" in vars(self):
            self._cluster.client.close()

    @cached_property
    def _cluster(self) -> DaskDistributedBackend:
        return _OneLevel(client=connect(self._scheduler, _Copying))


class _OneLevel(DaskDistributedBackend):
    """Divides what is to be done among the workers, which do not divide it again.

    Else each of a search's hundred fits would ask the cluster for its own few parts.
    """

    async def _to_func_args(self, func: Any) -> tuple[Any, Any]:
        _, tasks = await super()._to_func_args(func)
        return _one_after_the_other(), [_packed(*task) for task in tasks]

    def submit(self, func: Any, callback: Any = None) -> Any:
        """See ParallelBackendBase; a part that Dask could not do is told, too: joblib would wait for it for ever."""

        def tell(part: Future[Any]) -> None:
            error = part.exception()
            if error is not None:
                callback(error)

        part = super().submit(func, callback)
        part.add_done_callback(tell)
        return part

    def retrieve_result_callback(self, out: Any) -> Any:
        """The results of a part.

        Raises:
            TrainingFailed: the cluster could not do it.
        """
        if isinstance(out, BaseException):
            raise TrainingFailed(f"the cluster could not do a part of the training: {type(out).__name__}: {out}")
        return super().retrieve_result_callback(out)


Packed = tuple[bytes, dict[int | str, Any]]


def _packed(function: Callable[..., Any], arguments: Sequence[Any], named: Mapping[str, Any]) -> Packed:
    """A call as bytes, but for what is on the workers already: the scheduler, which may not have the server's code
    or the user's, reads all else."""
    values = dict(enumerate(arguments)) | dict(named)
    sent = {place: value for place, value in values.items() if isinstance(value, distributed.Future)}
    plain = {place: value for place, value in values.items() if place not in sent}
    return dumps((function, len(arguments), plain)), sent


def _one_after_the_other() -> Callable[[list[Packed]], list[Any]]:
    """What makes some of the calls; an inner function, sent as code, for the same reason."""

    def part(tasks: list[Packed]) -> list[Any]:
        from distributed.protocol.pickle import loads
        from joblib import parallel_config

        results = []
        with parallel_config("sequential"):
            for packed, sent in tasks:
                function, count, plain = loads(packed)
                values = plain | sent
                arguments = [values.pop(place) for place in range(count)]
                results.append(function(*arguments, **values))
        return results

    return part


class _Copying(Client):
    """Gives each worker a copy of the rows: those that only a lost worker had could not be had again.

    If that fails, because a worker is lost meanwhile, the rows go with each part; joblib would wait for ever.
    """

    def scatter(self, data: Any, *arguments: Any, **named: Any) -> Any:
        copying = super().scatter(data, *arguments, **{**named, "broadcast": True})
        return _or_itself(copying, data) if named.get("asynchronous") else copying


async def _or_itself(copying: Awaitable[Any], data: Any) -> Any:
    try:
        return await asyncio.wait_for(copying, COPYING)
    except Exception as error:  # noqa: BLE001 - whatever failed, the rows can be had in another way
        logger.warning("the rows could not be copied to all workers: %r", error)
        return data
