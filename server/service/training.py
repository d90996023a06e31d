"""One training: the plain function that the training process runs."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from server.config import Config, TextModelOptions
from server.errors import ModelUnreadable, NotReady, UntrainableRows
from server.estimators.base import Progress, Report
from server.estimators.catalogue import TEXT_CLASSES
from server.estimators.pretrained import Pretrained
from server.schema import Schema
from server.service.description import configured_model
from server.service.fitting import Fitted, fit
from server.service.preparation import prepare, raw_columns
from server.service.recipe import Recipe, changed, effective
from server.service.serving import Brought, ModelCache, versions
from server.service.source import fill_once, fingerprint, refill
from server.storage.endpoint_store import EndpointStore, own
from server.tables.transform import Transform, find_transform

logger = logging.getLogger(__name__)
# Seconds.
BETWEEN_REPORTS = 0.5


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
    path, vectorizer = (Path(name) if name else None for name in (model.path, getattr(model, "vectorizer", None)))
    folder = config.state_folder(endpoint)
    if config.url[endpoint].model_class in TEXT_CLASSES or (path and path.is_dir()):
        return EndpointStore(folder, model_folder=path)
    return EndpointStore(folder, path, vectorizer)


def open_models(config: Config, endpoint: str, store: EndpointStore) -> ModelCache:
    """The endpoint's serving model, read when it is asked for."""
    entry = config.url[endpoint]
    model, source = entry.kwargs.model, entry.kwargs.data
    text_class = TEXT_CLASSES.get(entry.model_class or "")
    only_texts = isinstance(model, TextModelOptions)
    brought = Brought(
        target=model.target_col or (text_class.target_col if text_class else None),
        text_col=getattr(model, "text_col", None) if only_texts or text_class else None,
        index_col=getattr(model, "index_col", None) or (source.index_col if source else None),
        transform=source.transform if source else None,
        folder=config.folder,
        only_texts=only_texts,
        head=text_class.head if text_class else None,
        params=model.params if text_class else {},
    )
    if text_class is None or model.path:
        return ModelCache(store.model, brought)
    pretrained = Pretrained(text_class(model.params.get("model")).model)
    return ModelCache(store.model, brought, pretrained, lambda: store.state().get("state") != "deleted")


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
    # What a training that was killed told last is told no more.
    store.save_progress(task.run, {})
    models = open_models(task.config, task.endpoint, store)
    allowed = task.config.server.classes
    recipe = current_recipe(task.config, task.endpoint, store, models)

    def change(settings: Mapping[str, Any]) -> dict[str, Any]:
        now = current_recipe(task.config, task.endpoint, store, models, settings)
        return changed(settings, now, task.given, allowed)

    if task.given:
        settings = own(change(store.settings()))
        recipe = current_recipe(task.config, task.endpoint, store, models, settings)
    rows, data_version = _rows(task, store, recipe)
    transform = _transform(task)
    prepared = prepare(rows, recipe.options, task.endpoint, transform, recipe.text_col)
    fitted = fit(prepared, recipe, allowed, _reporter(task, store))
    facts = _facts(task, recipe, fitted) | {
        "rows": len(prepared.rows),
        "data_version": data_version,
        "seconds": round(time.monotonic() - started, 3),
    }
    if transform is not None:
        raw = Schema(raw_columns(rows)).to_dict()["features"]
        facts |= {"transform": transform.text, "transform_digest": transform.digest(), "raw": raw}
    store.stage_model(task.run, fitted.estimator.save, facts, fitted.estimator.is_folder)
    store.publish(task.run, change if task.given else None)
    logger.info("%s: trained %s on %d rows", task.endpoint, fitted.estimator.class_name, len(prepared.rows))
    return fitted.answer


def _reporter(task: TrainingTask, store: EndpointStore) -> Report:
    """What writes down how far the training is, now and then."""
    told = 0.0

    def report(progress: Progress) -> None:
        nonlocal told
        if progress.step == progress.of or time.monotonic() - told >= BETWEEN_REPORTS:
            told = time.monotonic()
            store.save_progress(task.run, asdict(progress))

    return report


def _transform(task: TrainingTask) -> Transform | None:
    source = task.config.url[task.endpoint].kwargs.data
    if source is None or source.transform is None:
        return None
    return find_transform(source.transform, task.config.folder)


def _rows(task: TrainingTask, store: EndpointStore, recipe: Recipe) -> tuple[pd.DataFrame, int | None]:
    """The rows to train on, and the version of the training data that they are (None: posted just now)."""
    posted = store.staged_rows(task.run)
    if posted is not None:
        return posted, None
    source = task.config.url[task.endpoint].kwargs.data
    limits = task.config.server.limits
    if task.reload_source and source and not refill(store, source, limits, recipe):
        logger.warning("%s: data.url has changed, but rows were added since; they are kept", task.endpoint)
    fill_once(store, source, limits, lambda: recipe)
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
        "score": fitted.score,
        "versions": versions(),
        "configured": configured_model(entry),
        "source": fingerprint(entry.kwargs.data),
    }
