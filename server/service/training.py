"""One training: the plain function that the training process runs."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from server.config import Config
from server.errors import BadRequest, InvalidRows, ModelUnreadable, NoScore, NotReady, UntrainableRows, did_you_mean
from server.estimators.base import ModelKind
from server.estimators.pipeline import is_categorical
from server.estimators.tabular import TabularEstimator
from server.schema import Column, Kind, Schema
from server.service.description import configured_model
from server.service.recipe import Options, Recipe, changed, effective
from server.service.serving import ModelCache, versions
from server.service.source import fill_once, fingerprint, refill
from server.storage.endpoint_store import EndpointStore, own
from server.tables.preparation import select_columns, select_rows, unknown_columns

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
    path = config.url[endpoint].kwargs.model.path
    return EndpointStore(config.state_folder(endpoint), Path(path) if path else None)


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
    if model.index_col is None and source is not None:
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
    models = ModelCache(store.model, None)
    allowed = task.config.server.classes
    recipe = current_recipe(task.config, task.endpoint, store, models)

    def change(settings: Mapping[str, Any]) -> dict[str, Any]:
        now = current_recipe(task.config, task.endpoint, store, models, settings)
        return changed(settings, now, task.given, allowed)

    if task.given:
        settings = own(change(store.settings()))
        recipe = current_recipe(task.config, task.endpoint, store, models, settings)
    rows, data_version = _rows(task, store)
    prepared = prepare(rows, recipe.options, task.endpoint)
    estimator, schema, answer = fit(prepared, recipe, allowed)
    facts = _facts(task, recipe, schema, answer, len(prepared), data_version, time.monotonic() - started)
    store.stage_model(task.run, estimator.save, facts)
    store.publish(task.run, change if task.given else None)
    logger.info("%s: trained %s on %d rows", task.endpoint, estimator.class_name, len(prepared))
    return answer


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


def prepare(rows: pd.DataFrame, options: Options, endpoint: str) -> pd.DataFrame:
    """The rows and columns to train on.

    Raises:
        UntrainableRows: none are left.
    """
    named = {name: value for name, value in options.to_dict().items() if name != "target_col"}
    for option, names in unknown_columns(rows, named).items():
        logger.warning("%s: %s names columns that the data does not have: %s", endpoint, option, ", ".join(names))
    selected = select_columns(rows, options.include, options.exclude, options.target_col)
    prepared = select_rows(selected, options.dropna, options.drop_duplicates)
    if prepared.empty:
        raise UntrainableRows(
            f"no rows are left of {len(rows)} after dropna and drop_duplicates; "
            "exclude columns with many missing cells, or set dropna=false"
        )
    return prepared


def fit(
    rows: pd.DataFrame, recipe: Recipe, allowed: tuple[str, ...]
) -> tuple[TabularEstimator, Schema, dict[str, Any]]:
    """A fitted model, its schema, and what a training answers: a score or learned attributes.

    Raises:
        UntrainableRows: the class cannot learn from these rows.
        InvalidParameter: the parameters do not fit the class.
    """
    cls = recipe.find_class(allowed)
    options = recipe.options
    schema = _schema(rows, options)
    categorical = [column for column in schema.features if is_categorical(column, options.cats, options.nums)]
    numeric = [column for column in schema.features if column not in categorical]
    if not options.pipeline:
        schema = replace(schema, features=tuple(numeric))
    if not schema.features:
        raise UntrainableRows("no feature columns are left; check include, exclude and pipeline")
    estimator = TabularEstimator.create(cls, recipe.params, categorical, numeric, options.pipeline)
    if estimator.kind in (ModelKind.CLASSIFIER, ModelKind.REGRESSOR) and schema.target is None:
        raise UntrainableRows(_no_target(rows, options, estimator.class_name))
    try:
        features = schema.parse_features(rows)
        target = schema.parse_target(rows) if schema.target else None
    except InvalidRows as error:
        raise UntrainableRows(error.detail, error.problems) from error
    estimator.fit(features, target)
    return estimator, schema, _answer(estimator, features, target)


def _schema(rows: pd.DataFrame, options: Options) -> Schema:
    target = options.target_col if options.target_col in rows.columns else None
    features = []
    for name in rows.columns:
        if name in (target, options.index_col):
            continue
        column = Column.of(name, rows[name])
        if column.kind is Kind.NESTED:
            raise UntrainableRows(f"the column {name!r} holds lists or objects, not values; exclude it")
        if is_categorical(column, options.cats, options.nums):
            column = Column.of(name, rows[name], categorical=True)
        elif name in options.nums:
            column = replace(column, kind=Kind.NUMBER)
        features.append(column)
    described = None
    if target is not None:
        described = Column.of(target, rows[target], categorical=rows[target].nunique() <= 100)
    return Schema(tuple(features), described)


def _no_target(rows: pd.DataFrame, options: Options, class_name: str) -> str:
    if options.target_col is None:
        return f"{class_name} learns to predict a column; name it with target_col"
    near = did_you_mean(options.target_col, rows.columns)
    return f"the target column {options.target_col!r} is not in the training data{near}"


def _answer(estimator: TabularEstimator, features: pd.DataFrame, target: np.ndarray | None) -> dict[str, Any]:
    """What the training answers; a model that cannot even answer for its own rows is not published."""
    try:
        if estimator.kind is not ModelKind.TRANSFORMER:
            return {"score": estimator.score(features, target)}
    except NoScore:
        if estimator.kind in (ModelKind.CLASSIFIER, ModelKind.REGRESSOR):
            # R² of a single row is undefined, and yet the model is trained.
            return {"score": None}
    except BadRequest as error:
        raise UntrainableRows(f"{estimator.class_name} cannot predict the rows it learned: {error.detail}") from error
    try:
        estimator.predict(features)
    except InvalidRows as error:
        raise UntrainableRows(f"{estimator.class_name} cannot predict the rows it learned: {error.detail}") from error
    return estimator.attributes()


def _facts(
    task: TrainingTask,
    recipe: Recipe,
    schema: Schema,
    answer: dict[str, Any],
    rows: int,
    data_version: int | None,
    seconds: float,
) -> dict[str, Any]:
    entry = task.config.url[task.endpoint]
    return {
        "run": task.run,
        "endpoint": task.endpoint,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "class": recipe.class_name,
        "params": recipe.params,
        "options": recipe.options.to_dict(),
        "schema": schema.to_dict(),
        "rows": rows,
        "data_version": data_version,
        "score": answer.get("score"),
        "versions": versions(),
        "configured": configured_model(entry),
        "source": fingerprint(entry.kwargs.data),
    }
