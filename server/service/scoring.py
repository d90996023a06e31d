"""A served model's score on rows that hold the truth."""

from dataclasses import replace
from typing import Any

import pandas as pd

from server.errors import BadRequest, InvalidParameter, did_you_mean
from server.schema import Column, Kind, Schema
from server.service.served_model import ServedModel


def scored(served: ServedModel, rows: pd.DataFrame, metric: str | None, target: str | None) -> dict[str, Any]:
    """The model's own score and what belongs to it, or the metric's, on transformed rows.

    Raises:
        BadRequest: there are no rows, the target column is missing, or the score cannot be had.
    """
    if rows.empty:
        raise BadRequest("there are no rows to score")
    schema = _schema(served, rows, target)
    features = schema.parse_features(rows)
    values = schema.parse_target(rows) if schema.target else None
    return served.estimator.scores(features, values, metric)


def _schema(served: ServedModel, rows: pd.DataFrame, name: str | None) -> Schema:
    """The model's schema with the target in the column of this name."""
    known = served.schema.target
    if name is None:
        return replace(served.schema, target=None)
    if known is not None and served.facts and known.name != name and name not in rows.columns:
        raise InvalidParameter(f"there is no column {name!r}{did_you_mean(name, rows.columns)}")
    if known is None:
        column = Column.of(name, rows[name]) if name in rows.columns else Column(name, Kind.NUMBER)
        return replace(served.schema, target=column)
    return replace(served.schema, target=replace(known, name=name))
