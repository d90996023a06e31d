"""The trainings of one endpoint: begun here, carried out by a process of their own, each a run."""

import logging
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pandas as pd

from server.config import Config
from server.errors import NotReady, ServerError, TrainingCancelled, TrainingFailed, TrainingTooLong, UntrainableRows
from server.jobs import Runner
from server.service.capacity import admitted
from server.service.run_book import RunBook
from server.service.run_folder import active_runs, shared_folder
from server.service.run_log import open_run
from server.service.settings import Settings
from server.service.text_rows import storable
from server.service.training import TrainingTask, train
from server.storage.endpoint_store import EndpointStore
from server.tracking import Status

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """A training that goes on, or has ended; `run` is its id."""

    run: str
    _future: Future[dict[str, Any]]

    def answer(self, wait: float | None = None) -> dict[str, Any] | None:
        """The score, or what was learned; None if the training goes on after so many seconds.

        Raises:
            UntrainableRows, BadRequest: nothing could be trained from this.
            TrainingFailed, TrainingCancelled: its process failed, or was stopped.
            TrainingTooLong: it was stopped because it took longer than one may.
        """
        try:
            return self._future.result(wait)
        except TimeoutError:
            if self._future.done():
                raise
            return None


class Trainings:
    """Begins them, and sees to it that what dies has an end."""

    def __init__(
        self, name: str, config: Config, runner: Runner, book: RunBook, store: EndpointStore, settings: Settings
    ) -> None:
        self._name = name
        self._config = config
        self._runner = runner
        self._book = book
        self._store = store
        self._settings = settings
        self._active = active_runs(config)

    def begin(self, rows: pd.DataFrame | None, given: Mapping[str, Any]) -> Training:
        """Begin to train on the rows, which become the training data, or without any on the stored ones.

        Options and parameters given apply to this training, and are kept if it succeeds.

        Raises:
            UntrainableRows, BadRequest: nothing can be trained from this; there is no run then.
            TrackingUnavailable: the run cannot be recorded.
            TooMany: as many trainings wait as may.
        """
        recipe = self._settings.with_given(given)
        recipe.find_class(self._config.server.classes)
        if rows is not None:
            if rows.empty:
                raise UntrainableRows("there are no rows to train on")
            rows = storable(rows, recipe)
        key = uuid.uuid4().hex
        with ExitStack() as working:
            working.enter_context(admitted(self._config, key))
            # Entered later, left earlier: while this process holds the key, nobody takes the run for abandoned.
            run = open_run(self._book, key, self._name, recipe.class_name or "none")
            if rows is not None:
                self._stage(rows, key, run)
            task = TrainingTask(self._name, self._config, key, run, dict(given), folder=shared_folder(self._config))
            future: Future[dict[str, Any]] = Future()
            thread = threading.Thread(
                target=self._carry_out, args=(task, working.pop_all(), future), name=f"run {run}", daemon=True
            )
            thread.start()
        return Training(run, future)

    def is_running(self) -> bool:
        """Whether one of the endpoint's trainings is at work, in whichever process; others of it wait."""
        return self._store.training.is_held()

    def start_first(self, retrain: bool) -> None:
        """Train because the endpoint has no model yet, or because its configuration has changed; wait for the end."""
        key = uuid.uuid4().hex
        task = TrainingTask(self._name, self._config, key, reload_source=retrain, folder=shared_folder(self._config))
        try:
            # Held here, too: why the process was ended is not forgotten before it was told.
            with self._active.opened(key):
                self._run_first(task)
        finally:
            self._settle(key)

    def _run_first(self, task: TrainingTask) -> None:
        try:
            self._run(task)
        except ServerError as error:
            failure = self._why_ended(error, task)
            self._active.give_up(task.key, failure.detail)
            raise failure from error

    def _run(self, task: TrainingTask) -> dict[str, Any]:
        return self._runner.run(train, task, self._book, wanted=lambda: not self._active.is_cancelled(task.key))

    def _stage(self, rows: pd.DataFrame, key: str, run: str) -> None:
        try:
            self._store.stage_rows(run, rows)
        except ServerError as error:
            self._book.end(key, run, Status.FAILED, error.detail)
            raise

    def _carry_out(self, task: TrainingTask, working: ExitStack, future: Future[dict[str, Any]]) -> None:
        """Train, and tell who waits, whatever goes wrong meanwhile."""
        answer: dict[str, Any] = {}
        failure: BaseException | None = None
        try:
            with working:
                answer = self._carried_out(task)
        except BaseException as error:  # noqa: BLE001 - who waits for the answer is told
            failure = error
        try:
            self._settle(task.key)
        except Exception:
            # Whoever looks next does it.
            logger.exception("the end of run %s is not recorded yet", task.run)
        if failure is None:
            future.set_result(answer)
        else:
            future.set_exception(failure)

    def _carried_out(self, task: TrainingTask) -> dict[str, Any]:
        try:
            return self._run(task)
        except ServerError as error:
            failure = self._why_ended(error, task)
            # The process of a lost cluster may still work on it.
            self._active.give_up(task.key, error.detail)
            raise failure from error
        finally:
            self._store.discard_unpublished(task.run or "")

    def _why_ended(self, error: ServerError, task: TrainingTask) -> ServerError:
        """What became of the training: who was ended on purpose could not tell why."""
        if not isinstance(error, TrainingFailed) or not self._active.is_cancelled(task.key):
            return error
        reason = self._active.facts(task.key).get("reason")
        if reason is not None:
            return TrainingTooLong(f"{reason}; the model is as it was")
        return TrainingCancelled(f"run {task.run} was cancelled; the model is as it was")

    def _settle(self, key: str) -> None:
        if self._active.exists(key):
            try:
                self._book.settle(key)
            except NotReady:
                # Whoever looks next does it.
                return
