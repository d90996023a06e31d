"""Prepared rows and a recipe → a fitted model, its schema, and what the training answers; one way per family."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from server.errors import BadRequest, InvalidRows, NoScore, UntrainableRows, did_you_mean
from server.estimators.base import Estimator, ModelKind, Report, ignore
from server.estimators.documents import DocumentEstimator
from server.estimators.entities import NER
from server.estimators.pipeline import is_categorical
from server.estimators.sarimax import SARIMAX
from server.estimators.tabular import TabularEstimator
from server.estimators.texts import TEXT_FAMILIES
from server.estimators.timeline import frequency_of
from server.estimators.timeseries import TimeSeriesEstimator
from server.schema import Column, Kind, Schema
from server.service.one_row import verified
from server.service.preparation import Prepared
from server.service.recipe import Options, Recipe

# Rows of the training that its row path is compared on, or up to twice as many.
COMPARED = 100
PREDICTING = (ModelKind.CLASSIFIER, ModelKind.REGRESSOR, ModelKind.FORECASTER, ModelKind.RECOGNIZER)


@dataclass(frozen=True)
class Fitted:
    """A fitted model; `answer` holds its score and what belongs to it, or what it learned if it has no score."""

    estimator: Estimator
    schema: Schema
    answer: dict[str, Any]
    score: float | None = None


def fit(prepared: Prepared, recipe: Recipe, allowed: tuple[str, ...], report: Report = ignore) -> Fitted:
    """Train on the rows; `report` is told how far it is.

    Raises:
        UntrainableRows: the class cannot learn from these rows.
        InvalidParameter: the parameters do not fit the class.
    """
    cls = recipe.find_class(allowed)
    make = FAMILIES.get(cls) or (_documents if recipe.text_col else _tabular)
    rows = prepared.rows
    estimator, schema = make(prepared, recipe, cls)
    if estimator.kind in PREDICTING and schema.target is None:
        raise UntrainableRows(_no_target(prepared.names, recipe.options, estimator.class_name))
    if estimator.kind is not ModelKind.RECOGNIZER and schema.target is not None and schema.target.kind is Kind.NESTED:
        raise UntrainableRows(f"the target column {schema.target.name!r} holds lists or objects, not values")
    try:
        features = schema.parse_features(rows)
        target = schema.parse_target(rows) if schema.target else None
    except InvalidRows as error:
        raise UntrainableRows(error.detail, error.problems) from error
    estimator.fit(features, target, report)
    if estimator.kind is ModelKind.TRANSFORMER:
        return Fitted(estimator, schema, _learned(estimator, features))
    return _scored(estimator, schema, features, target)


def row_path_of(fitted: Fitted, prepared: Prepared) -> dict[str, Any]:
    """Whether single rows can be answered without the pipeline, compared with it now, and what by or why not."""
    some = prepared.rows.iloc[:: max(1, len(prepared.rows) // COMPARED)]
    return verified(fitted.estimator, fitted.schema, fitted.schema.parse_features(some)).to_facts()


def _tabular(prepared: Prepared, recipe: Recipe, cls: type) -> tuple[Estimator, Schema]:
    rows, options = prepared.rows, recipe.options
    features = _features(rows, options)
    categorical = [column for column in features if is_categorical(column, options.cats, options.nums)]
    numeric = [column for column in features if column not in categorical]
    if not options.pipeline:
        features = numeric
    if not features:
        raise UntrainableRows("no feature columns are left; check include, exclude and pipeline")
    estimator = TabularEstimator.create(cls, recipe.params, categorical, numeric, options.pipeline)
    return estimator, Schema(tuple(features), _target(rows, options))


def _features(rows: pd.DataFrame, options: Options) -> list[Column]:
    features = []
    for name in rows.columns:
        if name in (options.target_col, options.index_col):
            continue
        column = Column.of(name, rows[name])
        if column.kind is Kind.NESTED:
            raise UntrainableRows(f"the column {name!r} holds lists or objects, not values; exclude it")
        if is_categorical(column, options.cats, options.nums):
            column = Column.of(name, rows[name], categorical=True)
        elif name in options.nums:
            column = replace(column, kind=Kind.NUMBER)
        features.append(column)
    return features


def _target(rows: pd.DataFrame, options: Options) -> Column | None:
    name = options.target_col
    if name not in rows.columns or name is None:
        return None
    few = Column.of(name, rows[name]).kind is not Kind.NESTED and rows[name].nunique() <= 100
    return Column.of(name, rows[name], categorical=few)


def _time_series(prepared: Prepared, recipe: Recipe, cls: type) -> tuple[Estimator, Schema]:
    rows, options = prepared.rows, recipe.options
    name = options.index_col
    if name is None:
        raise UntrainableRows(f"{cls.__name__} needs the column of timestamps; name it with index_col")
    if prepared.timestamps is None:
        near = did_you_mean(name, rows.columns)
        raise UntrainableRows(f"the column of timestamps {name!r} is not in the training data{near}")
    features = tuple(Column.of(other, rows[other]) for other in rows.columns if other not in (name, options.target_col))
    index = Column.of(name, rows[name])
    freq = recipe.params.get("freq") or _frequency(prepared.timestamps, index)
    estimator = TimeSeriesEstimator.create(recipe.params | {"freq": freq})
    return estimator, Schema(features, _target(rows, options), index=index)


def _frequency(timestamps: pd.Series, index: Column) -> str | None:
    """The frequency of all timestamps, those of rows that were left out among them; None if they do not tell one."""
    present = timestamps.dropna().drop_duplicates()
    try:
        moments = Schema((), index=index).parse_features(present.to_frame()).index
    except InvalidRows:
        # Such as a remark below the table, which dropna leaves out.
        return None
    return frequency_of(pd.DatetimeIndex(moments).unique().sort_values())


def _texts(prepared: Prepared, recipe: Recipe, cls: type) -> tuple[Estimator, Schema]:
    schema = _text_schema(prepared, recipe)
    if cls is NER and schema.target is not None:
        # Lists of entities may come as JSON text.
        schema = replace(schema, target=Column(schema.target.name, Kind.NESTED))
    return TEXT_FAMILIES[cls].from_texts(recipe.params), schema


def _documents(prepared: Prepared, recipe: Recipe, cls: type) -> tuple[Estimator, Schema]:
    schema = _text_schema(prepared, recipe)
    return DocumentEstimator.from_texts(cls, recipe.params, recipe.vectorizer_params), schema


def _text_schema(prepared: Prepared, recipe: Recipe) -> Schema:
    rows, name = prepared.rows, recipe.text_col or ""
    if name not in rows.columns:
        near = did_you_mean(name, prepared.names)
        raise UntrainableRows(f"the column of texts {name!r} is not in the training data{near}")
    if recipe.options.target_col == name:
        raise UntrainableRows(f"{name!r} is the column of texts; target_col names what they say")
    return Schema((Column(name, Kind.TEXT),), _target(rows, recipe.options))


# Every other class learns from a table.
FAMILIES: dict[type, Callable[[Prepared, Recipe, type], tuple[Estimator, Schema]]] = {
    SARIMAX: _time_series,
    **dict.fromkeys(TEXT_FAMILIES, _texts),
}


def _no_target(names: Sequence[str], options: Options, class_name: str) -> str:
    if options.target_col is None:
        return f"{class_name} learns to predict a column; name it with target_col"
    near = did_you_mean(options.target_col, names)
    return f"the target column {options.target_col!r} is not in the training data{near}"


def _scored(estimator: Estimator, schema: Schema, features: pd.DataFrame, target: np.ndarray | None) -> Fitted:
    """The model with its scores; one that cannot even answer for its own rows is not published."""
    try:
        scores = estimator.scores(features, target)
    except NoScore:
        if estimator.kind in PREDICTING:
            # R² of a single row is undefined, and yet the model is trained.
            return Fitted(estimator, schema, {"score": None})
        return Fitted(estimator, schema, _learned(estimator, features))
    except BadRequest as error:
        raise UntrainableRows(f"{estimator.class_name} cannot predict the rows it learned: {error.detail}") from error
    return Fitted(estimator, schema, scores, next(iter(scores.values())))


def _learned(estimator: Estimator, features: pd.DataFrame) -> dict[str, Any]:
    """What a model without a score learned, once it has answered for its own rows."""
    try:
        estimator.predict(features)
    except InvalidRows as error:
        raise UntrainableRows(f"{estimator.class_name} cannot predict the rows it learned: {error.detail}") from error
    return estimator.attributes()
