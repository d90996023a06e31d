"""Passengers as features, and models of them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from server.estimators.tabular import TabularEstimator
from server.schema import Column, Schema
from tests.conftest import ROOT

CATEGORICAL = ["Embarked", "SibSp", "Parch", "Sex", "Pclass"]


def fitted(
    cls: type, target: str = "Survived", pipeline: bool = True, **params: Any
) -> tuple[TabularEstimator, Schema, pd.DataFrame]:
    """A model of this class as the server makes it, its schema, and the features that it was trained on."""
    rows = pd.read_csv(ROOT / "data" / "titanic.csv").drop(columns=["PassengerId", "Ticket", "Cabin", "Name"])
    rows = rows.dropna().drop_duplicates()
    columns = [Column.of(name, rows[name], categorical=name in CATEGORICAL) for name in rows.columns.drop(target)]
    numeric = [column for column in columns if column.name not in CATEGORICAL]
    categorical = [column for column in columns if column.name in CATEGORICAL]
    schema = Schema(tuple(columns if pipeline else numeric), Column.of(target, rows[target], categorical=True))
    features = schema.parse_features(rows)
    estimator = TabularEstimator.create(cls, params, categorical, numeric, pipeline)
    estimator.fit(features, schema.parse_target(rows))
    return estimator, schema, features


def around(model: Any, features: pd.DataFrame, target: Sequence[Any]) -> tuple[TabularEstimator, Schema]:
    """A pipeline that a user brought, fitted on the features, with the schema that is read off it."""
    estimator = TabularEstimator(model.fit(features, target))
    return estimator, estimator.schema("prediction")
