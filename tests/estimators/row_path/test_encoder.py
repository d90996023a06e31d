"""The encoder makes of a row what ColumnTransformer makes of it, to the last bit."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from server.estimators.row_path import NotUnderstood, RowPath, difference
from server.estimators.row_path.probes import cells_of, features_of, ordinary_rows
from server.schema.cells import Unusual
from tests.estimators.row_path.passengers import CATEGORICAL, around, fitted

pytestmark = pytest.mark.slow

NUMBERS = ["Age", "Fare"]
TEXTS = ["Sex", "Embarked"]
USUAL = SimpleImputer(strategy="most_frequent")
ENCODERS = {
    "one-hot": make_pipeline(USUAL, OneHotEncoder(handle_unknown="ignore")),
    "one-hot, first dropped": make_pipeline(USUAL, OneHotEncoder(handle_unknown="ignore", drop="first")),
    "one-hot of two dropped": OneHotEncoder(drop="if_binary"),
    "one-hot of the rare": OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=50),
    "one-hot of the rare, one dropped": OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=3, drop="first"
    ),
    "one-hot that refuses": make_pipeline(USUAL, OneHotEncoder()),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "ordinal, missing told": OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    ),
    "ordinal of the rare": OrdinalEncoder(max_categories=2),
    "ordinal, scaled": make_pipeline(USUAL, OrdinalEncoder(), StandardScaler()),
}
SCALERS = {
    "passthrough": "passthrough",
    "standard": make_pipeline(SimpleImputer(), StandardScaler()),
    "standard without mean": StandardScaler(with_mean=False),
    "minmax": make_pipeline(SimpleImputer(strategy="median"), MinMaxScaler((-1, 2), clip=True)),
    "robust": make_pipeline(StandardScaler(), SimpleImputer(), RobustScaler(unit_variance=True)),
    "any other": make_pipeline(SimpleImputer(), PolynomialFeatures(2)),
}


@pytest.fixture(scope="module")
def passengers():
    estimator, _, features = fitted(LogisticRegression)
    return features, estimator.predict(features)


def assert_encodes_alike(path, estimator, schema, features):
    compared = 0
    for row in [*cells_of(features.head(40)), *ordinary_rows(schema, cells_of(features.tail(40)), 40)]:
        made = estimator.model[:-1].transform(features_of([row], schema))
        dense = made.toarray() if sparse.issparse(made) else made
        if np.isfinite(dense).all():
            assert path.encode(row).tobytes() == np.asarray(dense, dtype=np.float64)[0].tobytes()
            compared += 1
    assert compared > 40


@pytest.mark.parametrize("encoder", ENCODERS)
def test_categories_are_encoded_as_by_the_column_transformer(encoder, passengers):
    features, target = passengers
    columns = ColumnTransformer([("numbers", "passthrough", NUMBERS), ("texts", ENCODERS[encoder], TEXTS)])
    estimator, schema = around(make_pipeline(columns, LinearRegression()), features, target)
    path = RowPath(estimator.model, schema)
    assert_encodes_alike(path, estimator, schema, features)
    assert difference(path, estimator, schema, features) is None


@pytest.mark.parametrize("scaler", SCALERS)
def test_numbers_are_scaled_as_by_the_column_transformer(scaler, passengers):
    features, target = passengers
    one_hot = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("texts", one_hot, TEXTS), ("numbers", SCALERS[scaler], NUMBERS)], sparse_threshold=0)
    estimator, schema = around(make_pipeline(columns, LinearRegression()), features, target)
    path = RowPath(estimator.model, schema)
    assert_encodes_alike(path, estimator, schema, features)
    assert difference(path, estimator, schema, features) is None


def test_a_remainder_passes_through_and_another_is_dropped(passengers):
    features, target = passengers
    for remainder in ("passthrough", "drop"):
        columns = ColumnTransformer(
            [("texts", OneHotEncoder(), TEXTS), ("none", "drop", ["SibSp"])], remainder=remainder
        )
        estimator, schema = around(make_pipeline(columns, LinearRegression()), features, target)
        assert_encodes_alike(RowPath(estimator.model, schema), estimator, schema, features)


def test_many_categories_make_a_sparse_row_that_is_added_as_a_sparse_matrix_is(passengers):
    features, target = passengers
    columns = ColumnTransformer([("all", OneHotEncoder(handle_unknown="ignore"), [*TEXTS, "Fare", "Age"])])
    estimator, schema = around(make_pipeline(columns, LogisticRegression()), features, target)
    path = RowPath(estimator.model, schema)
    assert path.kernel.is_sparse
    assert_encodes_alike(path, estimator, schema, features)
    for row in cells_of(features.head(20)):
        expected = estimator.model.predict_proba(features_of([row], schema))[0]
        assert path.probabilities(row).tolist() == expected.tolist()


def test_a_pipeline_made_here_is_encoded_alike():
    estimator, schema, features = fitted(LogisticRegression)
    assert_encodes_alike(RowPath(estimator.model, schema), estimator, schema, features)


def test_a_category_that_is_refused_is_left_to_the_pipeline(passengers):
    features, target = passengers
    columns = ColumnTransformer([("texts", OneHotEncoder(), TEXTS)])
    estimator, schema = around(make_pipeline(columns, LinearRegression()), features, target)
    row = cells_of(features.head(1))[0]
    row[schema.names.index("Sex")] = "unknown"
    with pytest.raises(Unusual):
        RowPath(estimator.model, schema).answer(row)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (ColumnTransformer([("a", PolynomialFeatures(), NUMBERS)]), "PolynomialFeatures is not taken apart"),
        (ColumnTransformer([("a", SimpleImputer(add_indicator=True), NUMBERS)]), "SimpleImputer marks missing cells"),
        (ColumnTransformer([("a", OneHotEncoder(dtype="float32"), CATEGORICAL)]), "OneHotEncoder makes float32"),
        (
            ColumnTransformer([("a", "passthrough", NUMBERS)], transformer_weights={"a": 2.0}),
            "ColumnTransformer weighs its transformers",
        ),
    ],
)
def test_what_is_not_understood_is_named(columns, reason, passengers):
    features, target = passengers
    estimator, schema = around(make_pipeline(columns, LinearRegression()), features, target)
    with pytest.raises(NotUnderstood, match=reason):
        RowPath(estimator.model, schema)
