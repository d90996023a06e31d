"""One training: the plain function that the training process runs."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from server.config import Config
from server.errors import ModelUnreadable, NotReady, UntrainableRows
from server.jobs import Afterwards
from server.schema import Schema
from server.service.capacity import running
from server.service.description import configured_model
from server.service.fitting import Fitted, fit, row_path_of
from server.service.preparation import prepare, raw_columns
from server.service.recipe import Recipe, changed, effective
from server.service.run_book import RunBook
from server.service.run_details import RunDetails
from server.service.run_folder import active_runs
from server.service.run_log import RunLog, at_work, check_folder, open_run, reporter, this_process
from server.service.serving import ModelCache
from server.service.source import fill_once, fingerprint, refill
from server.service.stores import open_models, open_store
from server.service.versions import versions
from server.storage.endpoint_store import EndpointStore, own
from server.tables.transform import Transform, find_transform

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingTask:
    """What to train. `given` are options and parameters of the request, stored if the training succeeds.

    `key` is that of the lock file which tells that somebody works on the run. `run` is None for the training
    that an endpoint starts by itself: it becomes a run, and does anything, only if no other runs or has run.
    `reload_source` reads the data source again. `folder` is the identity of models_dir, if another machine may train.
    """

    endpoint: str
    config: Config
    key: str
    run: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    reload_source: bool = False
    asked_by: tuple[str, int] = field(default_factory=this_process)
    folder: str | None = None


def current_recipe(
    config: Config,
    endpoint: str,
    store: EndpointStore,
    models: ModelCache,
    settings: Mapping[str, Any] | None = None,
) -> Recipe:
    """What would be trained now, or with these settings."""
    entry = config.models[endpoint]
    model, source = entry.kwargs.model, entry.kwargs.data
    if source is not None and getattr(model, "index_col", source.index_col) is None:
        model = model.model_copy(update={"index_col": source.index_col})

    def existing() -> tuple[str, dict[str, Any]] | None:
        try:
            served = models.current()
        except ModelUnreadable:
            return None
        return (served.estimator.class_name, served.estimator.parameters()) if served else None

    if settings is None:
        try:
            settings = store.settings()
        except ValueError as error:
            raise NotReady(f"config.json of {endpoint} cannot be read: {error}") from error
    return effective(model, entry.model_class, settings, existing)


def train(task: TrainingTask, book: RunBook) -> Afterwards:
    """Train, publish, and answer {"score": …} or the learned attributes of a transformer.

    Nothing of the endpoint changes unless everything succeeds. Another training of the same endpoint is
    waited for, and others as long as too many run. An empty answer means that a first training was not needed
    any more. A run that was published by a process whose worker was lost before it could answer is answered,
    and not trained again.

    Raises:
        TrainingFailed: this machine does not have the server's models_dir.
        UntrainableRows: the class cannot learn from these rows.
        BadRequest: the recipe cannot be followed.
        StorageFull: the disk is full.
        TrackingUnavailable: the run cannot be recorded.
        TrainingCancelled: it was cancelled before it began.
    """
    active = active_runs(task.config)
    check_folder(task.config, task.folder)
    store = open_store(task.config, task.endpoint)
    is_first = task.run is None and not task.reload_source
    answer = None if active.exists(task.key) else _published_answer(task, store)
    if answer is not None:
        return Afterwards(answer, nothing)
    with at_work(active, task.key, task.run is None, task.asked_by), store.training.held(wait=not is_first) as held:
        store.recover()
        if held:
            store.begin_training()
        if not held or (is_first and store.model.signature() is not None):
            if "run" not in active.facts(task.key):
                active.forget(task.key)
            return Afterwards({}, nothing)
        log = RunLog(book, task.key, task.run or open_run(book, task.key, task.endpoint, _class_name(task, store)))
        try:
            with running(task.config, [task.key]), log.ending():
                answer = _published_answer(task, store)
                return _train(task, store, log) if answer is None else Afterwards(answer, nothing)
        finally:
            store.discard_unpublished(log.run)


def _published_answer(task: TrainingTask, store: EndpointStore) -> dict[str, Any] | None:
    """What the training answers, if an earlier try has published its model and that still serves."""
    if task.run is None or (store.model.facts() or {}).get("run") != task.run:
        return None
    served = open_models(task.config, task.endpoint, store).current()
    assert served is not None
    answer: dict[str, Any] | None = served.facts.get("answer")
    return served.estimator.attributes() if answer is None else answer


def nothing() -> None:
    """What is done after a training that was not needed."""


def _class_name(task: TrainingTask, store: EndpointStore) -> str:
    models = open_models(task.config, task.endpoint, store)
    return current_recipe(task.config, task.endpoint, store, models).class_name or "none"


def _train(task: TrainingTask, store: EndpointStore, log: RunLog) -> Afterwards:
    started = time.monotonic()
    # What a training that was killed told last is told no more.
    store.save_progress(log.run, {})
    models = open_models(task.config, task.endpoint, store)
    allowed = task.config.server.classes
    recipe = current_recipe(task.config, task.endpoint, store, models)

    def change(settings: Mapping[str, Any]) -> dict[str, Any]:
        now = current_recipe(task.config, task.endpoint, store, models, settings)
        return changed(settings, now, task.given, allowed, task.config.server.limits.parameters)

    if task.given:
        settings = own(change(store.settings()))
        recipe = current_recipe(task.config, task.endpoint, store, models, settings)
    rows, data_version = _rows(task, log.run, store, recipe)
    transform = _transform(task)
    prepared = prepare(rows, recipe.options, task.endpoint, transform, recipe.text_col)
    log.planned(recipe, len(prepared.rows), data_version)
    fitted = fit(prepared, recipe, allowed, reporter(log, store))
    facts = _facts(task, log.run, recipe, fitted) | {
        "rows": len(prepared.rows),
        "data_version": data_version,
        "seconds": round(time.monotonic() - started, 3),
    }
    if transform is None and task.config.server.row_path:
        facts["row_path"] = row_path_of(fitted, prepared)
    if transform is not None:
        raw = Schema(raw_columns(rows)).to_dict()["features"]
        facts |= {"transform": transform.text, "transform_digest": transform.digest(), "raw": raw}
    store.stage_model(log.run, fitted.estimator.save, facts, fitted.estimator.is_folder)
    log.trained(fitted, facts["seconds"], store.staged_model(log.run, fitted.estimator.is_folder))
    details = RunDetails(log, store.details, prepared, recipe, allowed, fitted, facts["seconds"])
    details.hold_out_if_quick()
    store.publish(log.run, change if task.given else None)
    store.end_training()
    if data_version is None:
        log.stored_as(store.data.version_of(log.run))
    logger.info("%s: trained %s on %d rows", task.endpoint, fitted.estimator.class_name, len(prepared.rows))
    return Afterwards(fitted.answer, details.complete)


def _transform(task: TrainingTask) -> Transform | None:
    source = task.config.models[task.endpoint].kwargs.data
    if source is None or source.transform is None:
        return None
    return find_transform(source.transform, task.config.folder)


def _rows(task: TrainingTask, run: str, store: EndpointStore, recipe: Recipe) -> tuple[pd.DataFrame, int | None]:
    """The rows to train on, and the version of the training data that they are (None: posted just now)."""
    posted = store.staged_rows(run)
    if posted is not None:
        return posted, None
    source = task.config.models[task.endpoint].kwargs.data
    limits = task.config.server.limits
    if task.reload_source and source and not refill(store, source, limits, recipe):
        logger.warning("%s: data.url has changed, but rows were added since; they are kept", task.endpoint)
    fill_once(store, source, limits, lambda: recipe)
    version = store.data.version()
    rows = store.data.read(version)
    if rows.empty:
        raise UntrainableRows("there is no training data; post rows with _action=train, or append some first")
    return rows, version


def _facts(task: TrainingTask, run: str, recipe: Recipe, fitted: Fitted) -> dict[str, Any]:
    entry = task.config.models[task.endpoint]
    return {
        "run": run,
        "endpoint": task.endpoint,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "class": recipe.class_name,
        "params": recipe.params,
        "options": recipe.options.to_dict(),
        "schema": fitted.schema.to_dict(),
        "score": fitted.score,
        "answer": None if fitted.score is None else fitted.answer,
        "versions": versions(),
        "configured": configured_model(entry),
        "source": fingerprint(entry.kwargs.data),
    }
