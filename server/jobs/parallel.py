"""scikit-learn's own parallelism over a Dask cluster, through joblib.

Imported by jobs on a cluster only: it needs `distributed`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from distributed import Client
from joblib import parallel_config
from joblib._dask import DaskDistributedBackend
from joblib.parallel import FallbackToBackend, ParallelBackendBase, SequentialBackend

from server.jobs.scheduler import connect


@contextmanager
def spread(scheduler: str) -> Iterator[None]:
    """Within, what scikit-learn can do in parallel is done by the whole cluster, unless `n_jobs` is 1.

    The cluster is connected to when the first such thing is done.
    """
    with parallel_config(_Spread(scheduler)):
        yield


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

    @cached_property
    def _cluster(self) -> DaskDistributedBackend:
        return DaskDistributedBackend(client=connect(self._scheduler, _Copying))


class _Copying(Client):
    """Gives each worker a copy of the rows: those that only a lost worker had could not be had again."""

    def scatter(self, data: Any, *arguments: Any, **named: Any) -> Any:
        return super().scatter(data, *arguments, **{**named, "broadcast": True})
