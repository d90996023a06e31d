"""One training: the plain function that the training process runs."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from server.config import Config
from server.errors import ModelUnreadable, NotReady, UntrainableRows
from server.schema import Schema
from server.service.description import configured_model
from server.service.fitting import Fitted, fit
from server.service.preparation import prepare, raw_columns
from server.service.recipe import Recipe, changed, effective
from server.service.serving import ModelCache, versions
from server.service.source import fill_once, fingerprint, refill
from server.storage.endpoint_store import EndpointStore, own
from server.tables.transform import Transform, find_transform

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingTask:
    """What to train. `given` are options and parameters of the request, stored if the training succeeds.

    `first` is the training that an endpoint starts by itself: it does nothing if another one runs or has
    run. `reload_source` reads the data source again.
    """

    endpoint: str
    config: Config
    run: str
    given: Mapping[str, Any] = field(default_factory=dict)
    first: bool = False
    reload_source: bool = False


def open_store(config: Config, endpoint: str) -> EndpointStore:
    """The endpoint's state."""
    model = config.url[endpoint].kwargs.model
    files = [Path(path) if path else None for path in (model.path, getattr(model, "vectorizer", None))]
    return EndpointStore(config.state_folder(endpoint), *files)


def open_models(config: Config, endpoint: str, store: EndpointStore) -> ModelCache:
    """The endpoint's serving model, read when it is asked for."""
    kwargs = config.url[endpoint].kwargs
    transform = kwargs.data.transform if kwargs.data else None
    text_col = getattr(kwargs.model, "text_col", None)
    index_col = getattr(kwargs.model, "index_col", None) or (kwargs.data.index_col if kwargs.data else None)
    return ModelCache(store.model, kwargs.model.target_col, text_col, transform, config.folder, index_col)


def current_recipe(
    config: Config,
    endpoint: str,
    store: EndpointStore,
    models: ModelCache,
    settings: Mapping[str, Any] | None = None,
) -> Recipe:
    """What would be trained now, or with these settings."""
    entry = config.url[endpoint]
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


def train(task: TrainingTask) -> dict[str, Any]:
    """Train, publish, and answer {"score": …} or the learned attributes of a transformer.

    Nothing of the endpoint changes unless everything succeeds. Another training of the same endpoint is
    waited for. An empty answer means that a first training was not needed any more.

    Raises:
        UntrainableRows: the class cannot learn from these rows.
        BadRequest: the recipe cannot be followed.
        StorageFull: the disk is full.
    """
    store = open_store(task.config, task.endpoint)
    try:
        with store.training.held(wait=not task.first) as held:
            store.recover()
            if not held or (task.first and store.model.signature() is not None):
                return {}
            return _train(task, store)
    finally:
        store.discard_unpublished(task.run)


def _train(task: TrainingTask, store: EndpointStore) -> dict[str, Any]:
    started = time.monotonic()
    models = open_models(task.config, task.endpoint, store)
    allowed = task.config.server.classes
    recipe = current_recipe(task.config, task.endpoint, store, models)

    def change(settings: Mapping[str, Any]) -> dict[str, Any]:
        now = current_recipe(task.config, task.endpoint, store, models, settings)
        return changed(settings, now, task.given, allowed)

    if task.given:
        settings = own(change(store.settings()))
        recipe = current_recipe(task.config, task.endpoint, store, models, settings)
    rows, data_version = _rows(task, store)
    transform = _transform(task)
    prepared = prepare(rows, recipe.options, task.endpoint, transform, recipe.text_col)
    fitted = fit(prepared, recipe, allowed)
    facts = _facts(task, recipe, fitted) | {
        "rows": len(prepared.rows),
        "data_version": data_version,
        "seconds": round(time.monotonic() - started, 3),
    }
    if transform is not None:
        raw = Schema(raw_columns(rows)).to_dict()["features"]
        facts |= {"transform": transform.text, "transform_digest": transform.digest(), "raw": raw}
    store.stage_model(task.run, fitted.estimator.save, facts)
    store.publish(task.run, change if task.given else None)
    logger.info("%s: trained %s on %d rows", task.endpoint, fitted.estimator.class_name, len(prepared.rows))
    return fitted.answer


def _transform(task: TrainingTask) -> Transform | None:
    source = task.config.url[task.endpoint].kwargs.data
    if source is None or source.transform is None:
        return None
    return find_transform(source.transform, task.config.folder)


def _rows(task: TrainingTask, store: EndpointStore) -> tuple[pd.DataFrame, int | None]:
    """The rows to train on, and the version of the training data that they are (None: posted just now)."""
    posted = store.staged_rows(task.run)
    if posted is not None:
        return posted, None
    source = task.config.url[task.endpoint].kwargs.data
    limits = task.config.server.limits
    if task.reload_source and source and not refill(store, source, limits):
        logger.warning("%s: data.url has changed, but rows were added since; they are kept", task.endpoint)
    fill_once(store, source, limits)
    version = store.data.version()
    rows = store.data.read(version)
    if rows.empty:
        raise UntrainableRows("there is no training data; post rows with _action=train, or append some first")
    return rows, version


def _facts(task: TrainingTask, recipe: Recipe, fitted: Fitted) -> dict[str, Any]:
    entry = task.config.url[task.endpoint]
    return {
        "run": task.run,
        "endpoint": task.endpoint,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "class": recipe.class_name,
        "params": recipe.params,
        "options": recipe.options.to_dict(),
        "schema": fitted.schema.to_dict(),
        "score": fitted.answer.get("score"),
        "versions": versions(),
        "configured": configured_model(entry),
        "source": fingerprint(entry.kwargs.data),
    }
