"""A job on a worker of a Dask cluster: a process of its own beside the worker's, which dies with it."""

import pickle
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from server.errors import NotReady, ServerError
from server.jobs.launcher import Afterwards
from server.jobs.runner import ProcessRunner

# What must be the same where a model is trained and where it serves, and for the two to understand one another.
LIBRARIES = ("scikit-learn", "statsmodels", "pandas", "numpy", "scipy", "joblib", "distributed")
_RUNNERS: dict[tuple[str, ...], ProcessRunner] = {}


def versions() -> dict[str, str]:
    """The versions of Python (without the last number) and of the libraries on this machine."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, **{name: version(name) for name in LIBRARIES}}


def carry_out(job: bytes, modules: tuple[str, ...], asker: Mapping[str, str]) -> tuple[str, Any]:
    """Run the pickled function and arguments in a process that has the modules loaded.

    Returns ("done", its result) or ("error", the ServerError that it raised).
    The worker's slot is free meanwhile: the tasks into which scikit-learn divides its work may need it.
    """
    # Only on a worker.
    from distributed import get_worker, secede

    secede()
    worker = get_worker()
    try:
        _check_versions(asker, worker.address)
        runner = _RUNNERS.setdefault(modules, ProcessRunner([*modules, "server.jobs.parallel"], bound=True))
        return "done", runner.run(_in_child, job, worker.scheduler.address)
    except ServerError as error:
        return "error", error


def _check_versions(asker: Mapping[str, str], address: str) -> None:
    own = versions()
    differing = [f"{name} {own.get(name)} instead of {wanted}" for name, wanted in asker.items() if own[name] != wanted]
    if differing:
        raise NotReady(
            f"the Dask worker {address} has {', '.join(differing)}; install the server's requirements there "
            "(server.compute)"
        )


def _in_child(job: bytes, scheduler: str) -> Any:
    # Unpickling loads what a worker does not need, and joblib's part for Dask is needed here only.
    from server.jobs.parallel import spread

    function, arguments = pickle.loads(job)
    with spread(scheduler):
        result = function(*arguments)
    if not isinstance(result, Afterwards):
        return result
    work = result.work

    def work_spread() -> None:
        with spread(scheduler):
            work()

    return Afterwards(result.result, work_spread)
