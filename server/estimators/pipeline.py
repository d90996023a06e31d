"""The pipeline around a scikit-learn class: imputers, one-hot encoders, scaler, estimator."""

from collections.abc import Sequence
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

from server.schema import NUMERIC, Column, Kind

# Beyond this many categories a dense one-hot matrix costs more than a sparse one.
DENSE_CATEGORIES = 200
# The step of the categories that are numbers.
CODES = "codes"


def is_categorical(column: Column, cats: Sequence[str], nums: Sequence[str]) -> bool:
    """Whether the column is one-hot encoded: named in cats, or not numeric and not named in nums."""
    return column.name in cats or (column.name not in nums and column.kind not in NUMERIC)


def make_model(estimator: Any, categorical: Sequence[Column], numeric: Sequence[Column]) -> Pipeline:
    """An unfitted pipeline for these columns.

    Missing cells become the mean (numbers) or the most frequent value (categories) of the training
    rows; a category that training did not see is encoded as none of them.
    """
    # Text and numbers apart: together they would become one slow array of objects.
    texts = [column.name for column in categorical if column.kind not in (*NUMERIC, Kind.BOOLEAN)]
    codes = [column.name for column in categorical if column.name not in texts]
    sparse = _few_ones(estimator, categorical)
    steps = [
        ("texts", _encoder(sparse), texts),
        (CODES, _encoder(sparse), codes),
        ("numbers", _scaler(), [column.name for column in numeric]),
    ]
    columns = ColumnTransformer([step for step in steps if step[2]], sparse_threshold=1.0 if sparse else 0.0)
    return Pipeline([("columns", columns), ("estimator", estimator)])


def _few_ones(estimator: Any, categorical: Sequence[Column]) -> bool:
    counts = [len(column.categories) if column.categories is not None else DENSE_CATEGORIES for column in categorical]
    return sum(counts) >= DENSE_CATEGORIES and bool(get_tags(estimator).input_tags.sparse)


def _encoder(sparse: bool) -> Pipeline:
    return make_pipeline(
        SimpleImputer(strategy="most_frequent", keep_empty_features=True),
        OneHotEncoder(handle_unknown="ignore", sparse_output=sparse),
    )


def _scaler() -> Pipeline:
    return make_pipeline(SimpleImputer(strategy="mean", keep_empty_features=True), StandardScaler())
