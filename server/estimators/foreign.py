"""The schema of a model that somebody else trained, read off the fitted object."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from server.schema import Column, Kind, Schema


def schema_of(model: Any, target: str | None) -> Schema:
    """The columns that a fitted model names; kinds as far as its encoders tell them.

    A model that was fitted on unnamed columns gets x0, x1, … and takes rows by position.
    """
    known: dict[str, Column] = {}
    for name, column in _encoded(model):
        known[name] = _with_categories(column, known[name].categories) if name in known else column
    named = _first_with(model, "feature_names_in_")
    if named is not None:
        names, positional = [str(name) for name in named], False
    else:
        count = _first_with(model, "n_features_in_")
        names, positional = [f"x{index}" for index in range(int(count or 0))], True
    # scikit-learn's own estimators take numbers; what else a user brought may take text.
    plain = type(model).__module__.startswith("sklearn.") and not _has_steps(model)
    features = tuple(known.get(name, Column(name, Kind.NUMBER if plain else Kind.ANY)) for name in names)
    return Schema(features, target_of(model, target), positional=positional)


def _with_categories(column: Column, others: Sequence[Any] | None) -> Column:
    """The column with these categories, too: each fold of a calibrated model knows its own."""
    return replace(column, categories=tuple(dict.fromkeys((*(others or ()), *(column.categories or ())))) or None)


def _has_steps(model: Any) -> bool:
    """Whether some columns may be treated apart from others, and so may hold text."""
    return any(isinstance(part, ColumnTransformer) for part in _parts(model))


def _first_with(model: Any, attribute: str) -> Any:
    for candidate in _parts(model):
        value = getattr(candidate, attribute, None)
        if value is not None:
            return value
    return None


def _parts(model: Any) -> Iterator[Any]:
    yield model
    if isinstance(model, Pipeline):
        yield from (step for _, step in model.steps)
    for fitted in _answering(model):
        yield from _parts(fitted)


def _answering(model: Any) -> list[Any]:
    """The pipelines within a model that answer for it: the best of a search, those of an ensemble, calibrated ones."""
    found = [getattr(model, name, None) for name in ("best_estimator_", "estimator_")]
    several = getattr(model, "estimators_", None)
    found += several if isinstance(several, list) else []
    found += [getattr(one, "estimator", None) for one in getattr(model, "calibrated_classifiers_", ())]
    return [one for one in found if isinstance(one, Pipeline)]


def _encoded(model: Any) -> Iterator[tuple[str, Column]]:
    """The columns that encoders within the model were fitted on, with their categories."""
    for fitted in _answering(model):
        yield from _encoded(fitted)
    if isinstance(model, Pipeline):
        for _, step in model.steps:
            yield from _encoded(step)
    elif hasattr(model, "categories_") and hasattr(model, "feature_names_in_"):
        yield from _columns(model, [str(name) for name in model.feature_names_in_])
    elif isinstance(model, ColumnTransformer) and hasattr(model, "transformers_"):
        for _, transformer, columns in model.transformers_:
            if isinstance(transformer, str) or not isinstance(columns, (list, np.ndarray)):
                continue
            yield from _columns(transformer, [str(column) for column in columns])


def _columns(transformer: Any, names: list[str]) -> Iterator[tuple[str, Column]]:
    encoder = next((part for part in _parts(transformer) if hasattr(part, "categories_")), None)
    if encoder is None:
        for name in names:
            yield name, Column(name, Kind.NUMBER)
    elif len(encoder.categories_) == len(names):
        for name, values in zip(names, encoder.categories_, strict=True):
            plain = tuple(value for value in np.asarray(values).tolist() if value is not None and value == value)
            texts = bool(plain) and all(isinstance(value, str) for value in plain)
            yield name, Column(name, Kind.TEXT if texts else Kind.ANY, categories=plain)


def target_of(model: Any, name: str | None) -> Column:
    """The target of a fitted model, as far as its classes tell of it."""
    classes = getattr(model[-1] if isinstance(model, Pipeline) else model, "classes_", None)
    values = np.asarray(classes) if classes is not None and not isinstance(classes, list) else np.empty(0)
    kinds = {"i": Kind.INTEGER, "u": Kind.INTEGER, "f": Kind.NUMBER, "b": Kind.BOOLEAN, "U": Kind.TEXT, "O": Kind.TEXT}
    kind = kinds.get(values.dtype.kind, Kind.NUMBER) if values.size else Kind.NUMBER
    return Column(name or "prediction", kind, categories=tuple(values.tolist()) if values.size else None)
