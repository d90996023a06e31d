"""What a training tells of itself to the run book, from its own process."""

import json
import logging
import math
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.config import Config
from server.errors import NotReady, ServerError, TrainingFailed
from server.estimators.base import Progress, Report
from server.service.fitting import Fitted
from server.service.recipe import Recipe
from server.service.run_book import MODEL, RunBook
from server.service.run_folder import active_runs
from server.service.versions import versions
from server.storage.active_runs import ActiveRuns
from server.storage.endpoint_store import EndpointStore
from server.tracking import Status

logger = logging.getLogger(__name__)
OPTION = "options."
VERSIONS = "restimator.versions"
# Seconds between two looks whether the run was cancelled by another machine.
BETWEEN_LOOKS = 1.0
BETWEEN_REPORTS = 0.5


def open_run(book: RunBook, key: str, endpoint: str, class_name: str) -> str:
    """Begin a run of the endpoint's, whose key is held; its id."""
    name = f"{class_name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    return book.open(key, endpoint, endpoint, name, {})


def this_process() -> tuple[str, int]:
    """What tells this process from others, also from those of other machines."""
    return socket.gethostname(), os.getpid()


def check_folder(config: Config, identity: str | None) -> None:
    """See to it that models_dir here is the one of that identity; None is any.

    Raises:
        TrainingFailed: it is another.
    """
    if identity is not None and not active_runs(config).has_identity(identity):
        raise TrainingFailed(
            f"{socket.gethostname()} does not have the server's models_dir, {config.server.models_dir}; "
            "it must be the same folder, at the same path, on all machines of server.compute"
        )


@contextmanager
def at_work(active: ActiveRuns, key: str, is_new: bool, asked_by: tuple[str, int]) -> Iterator[None]:
    """Hold the run's lock file, and say which process is to be stopped to cancel it.

    Raises:
        TrainingCancelled: it was cancelled before, or given up.
    """
    with active.opened(key) if is_new else active.joined(key):
        if this_process() != asked_by:
            host, pid = this_process()
            active.note(key, {"pid": pid, "host": host})
            threading.Thread(target=_look, args=(active, key), daemon=True).start()
        yield


def _look(active: ActiveRuns, key: str) -> None:
    """End this process when the run is cancelled from a machine that cannot signal it."""
    over = threading.Event()
    while not over.wait(BETWEEN_LOOKS):
        if active.is_cancelled(key):
            os._exit(1)
        if not active.exists(key):
            return


class RunLog:
    """One run that this process works on."""

    def __init__(self, book: RunBook, key: str, run: str) -> None:
        self.run = run
        self._book = book
        self._key = key
        self._given: dict[str, str] = {}

    @contextmanager
    def ending(self) -> Iterator[None]:
        """The run runs within, and ends as what is within ends."""
        self._book.begin(self.run)
        try:
            yield
        except ServerError as error:
            self._end(Status.FAILED, error.detail)
            raise
        except BaseException as error:
            self._end(Status.FAILED, f"{type(error).__name__}: {error}")
            raise
        self._end(Status.FINISHED)

    def _end(self, status: Status, reason: str | None = None) -> None:
        try:
            if self._given:
                # The defaults of a class are known once it could be made.
                self.record(self._given)
            self._book.end(self._key, self.run, status, reason)
        except NotReady as error:
            # Model and answer are what they are. The lock file stays, and so the run is ended later.
            logger.warning("run %s ended %s, which could not be recorded yet: %s", self.run, status, error.detail)

    def progress(self, progress: Progress) -> None:
        """Record the loss of a step."""
        if progress.loss is not None and math.isfinite(progress.loss):
            self._book.report(self.run, {"loss": progress.loss}, progress.step)

    def record(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        """Record anything; `files` go into folders of the run's artifacts, by the folders' names."""
        self._book.record(self.run, params, metrics, tags, files)

    def planned(self, recipe: Recipe, rows: int, data_version: int | None) -> None:
        """Record what is to be trained on how many rows: a run that fails tells it, too."""
        params: dict[str, Any] = {"class": recipe.class_name, "rows": rows}
        params |= {OPTION + name: text_of(value) for name, value in recipe.options.to_dict().items()}
        if data_version is not None:
            params["data_version"] = data_version
        self._given = {name: text_of(value) for name, value in recipe.params.items()}
        self._book.record(self.run, params, tags={VERSIONS: json.dumps(versions())})

    def trained(self, fitted: Fitted, seconds: float, model: Path) -> None:
        """Record all parameters, how good the model became, and the model itself."""
        params = {name: text_of(value) for name, value in fitted.estimator.parameters().items()}
        metrics = {"fit_seconds": seconds} | metrics_of(fitted)
        self._book.record(self.run, params, metrics, {}, {MODEL: model})
        self._given = {}

    def stored_as(self, version: int | None) -> None:
        """Record which version of the training data the rows became that came with the request."""
        if version is not None:
            self.record({"data_version": version})

    def score(self, name: str, value: float) -> None:
        """Record one more score."""
        if math.isfinite(value):
            self.record(metrics={name: value})

    def artifact(self, folder: str, path: Path) -> None:
        """Keep a file, or all in a folder, in this folder of the run's artifacts."""
        self.record(files={folder: path})


def reporter(log: RunLog, store: EndpointStore) -> Report:
    """What writes down how far the run is, now and then."""
    told = 0.0

    def report(progress: Progress) -> None:
        nonlocal told
        if progress.step == progress.of or time.monotonic() - told >= BETWEEN_REPORTS:
            told = time.monotonic()
            store.save_progress(log.run, asdict(progress))
            log.progress(progress)

    return report


def text_of(value: Any) -> str:
    """A parameter as MLflow keeps it: JSON, but plain where a text is no other JSON value."""
    if isinstance(value, str) and not _is_json(value):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def value_of(text: str) -> Any:
    """The inverse of `text_of`."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def metrics_of(fitted: Fitted) -> dict[str, float]:
    """The numbers of a training's answer, those within others by a dotted name; none of what was only learned."""
    if fitted.score is None:
        return {}

    def flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float]]:
        for name, value in values.items():
            if isinstance(value, Mapping):
                yield from flat(value, f"{before}{name}.")
            elif isinstance(value, (int, float)) and math.isfinite(value):
                yield before + name, float(value)

    return {"score": fitted.score} | dict(flat(fitted.answer))
