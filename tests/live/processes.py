"""Starting gunicorn: by the command that users type, or in a process that is forked with all libraries imported.

Imports are most of a start, of a first training, and of the first use of a text model in each process: six seconds of
processor time for a server, twelve with a text model, and these tests start some two hundred.
"""

import gc
import importlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parents[2]
# `wsgi` is not among them: it is the application itself.
PRELOADED = (
    __name__,
    "gunicorn.app.wsgiapp",
    "server.cli",
    "server.service.registry",
    "server.estimators.finetuning",
    # What these libraries, and the server, import at their first use.
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
    "mlflow.store.tracking.sqlalchemy_store",
    "statsmodels.tsa.statespace.sarimax",
)
COMMANDS = {"gunicorn": "gunicorn.app.wsgiapp:run", "flask": "flask.cli:main"}
Environment = Mapping[str, str]


class ServerProcess(Protocol):
    """As much of a subprocess.Popen as is asked of a server."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def terminate(self) -> None: ...


def begin(app: str, environment: Environment, log: Path) -> ServerProcess:
    """gunicorn's own command, in a process group of its own.

    Args:
        app: the application as gunicorn takes it.
        environment: all variables that it sees.
        log: the file to which its output is appended.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "gunicorn", app],
            cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip


def begin_prepared(app: str, environment: Environment, log: Path) -> ServerProcess:
    """The same, forked from a process that holds the libraries."""
    return _forked(["gunicorn", app], environment, log, log)


def finished(arguments: list[str], environment: Environment, folder: Path) -> subprocess.CompletedProcess[str]:
    """One of COMMANDS with its arguments, forked from that process, too, once it has ended; its output goes there."""
    output, errors = folder / "output", folder / "errors"
    for path in (output, errors):
        path.unlink(missing_ok=True)
    status = _forked(arguments, environment, output, errors).wait(60)
    return subprocess.CompletedProcess(arguments, status, output.read_text(), errors.read_text())


def _forked(arguments: list[str], environment: Environment, output: Path, errors: Path) -> "_Forked":
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    process = context.Process(target=_run, args=(arguments, dict(environment), str(output), str(errors)))
    process.start()
    return _Forked(process)


class _Forked:
    """A process of multiprocessing with the methods of a Popen."""

    def __init__(self, process: ForkServerProcess) -> None:
        assert process.pid is not None
        self._process, self.pid = process, process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("gunicorn", timeout or 0)
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()


def _run(arguments: list[str], environment: dict[str, str], output: str, errors: str) -> None:
    os.setsid()
    # What the libraries hold is not to be looked through by each server before it forks: that took half of its start.
    gc.freeze()
    for path, stream in ((output, sys.stdout), (errors, sys.stderr)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(file, stream.fileno())
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    # What these libraries read when they are imported, which was before.
    if threads := environment.get("OMP_NUM_THREADS"):
        importlib.import_module("torch").set_num_threads(int(threads))
    importlib.reload(importlib.import_module("huggingface_hub.constants"))
    os.chdir(ROOT)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = arguments
    # The process of the tests itself needs neither.
    module, _, name = COMMANDS[arguments[0]].partition(":")
    getattr(importlib.import_module(module), name)()
