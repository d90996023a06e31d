"""A path that differs from its pipeline is found out, wherever the difference lies."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from server.estimators.row_path import RowPath, difference, joined_trees
from server.estimators.row_path.joined_trees import JoinedPredictor, JoinedTree
from server.estimators.row_path.probes import cells_of, edge_rows, features_of, ordinary_rows
from tests.estimators.row_path.passengers import fitted


def test_a_coefficient_that_differs_in_its_last_digits_is_found():
    estimator, schema, features = fitted(LogisticRegression)
    path = RowPath(estimator.model, schema)
    path.kernel._coefficients = path.kernel._coefficients * (1 + 1e-9)
    assert "the pipeline answers" in difference(path, estimator, schema, features)


@pytest.mark.parametrize(
    ("cls", "kind"), [(RandomForestClassifier, JoinedTree), (HistGradientBoostingClassifier, JoinedPredictor)]
)
def test_thresholds_of_the_wrong_precision_are_found_near_them(monkeypatch, cls, kind):
    estimator, schema, features = fitted(cls, random_state=0)
    as_learned = kind.table

    def narrow(tree):
        table = as_learned(tree).copy()
        thresholds = table[kind.fields.threshold]
        thresholds[:] = thresholds.astype(np.float32)
        return table

    monkeypatch.setattr(kind, "table", staticmethod(narrow))
    assert "the pipeline answers" in difference(RowPath(estimator.model, schema), estimator, schema, features)


def test_an_unknown_category_that_is_encoded_otherwise_is_found():
    estimator, schema, features = fitted(LinearRegression, "Fare")
    path = RowPath(estimator.model, schema)
    inner = path._encode
    path._encode = lambda cells: inner(["male" if cell == "never seen" else cell for cell in cells])
    assert "never seen" in difference(path, estimator, schema, features)


def test_an_answer_to_what_the_pipeline_refuses_is_found():
    estimator, schema, features = fitted(RandomForestClassifier, n_estimators=3, random_state=0)
    path = RowPath(estimator.model, schema)
    kernel = path.kernel
    kernel.mean = lambda row: type(kernel).mean(kernel, np.clip(row, -1e30, 1e30))
    assert "the pipeline refuses" in difference(path, estimator, schema, features)


def test_without_rows_of_the_training_those_made_from_the_schema_are_compared():
    estimator, schema, _ = fitted(LogisticRegression)
    path = RowPath(estimator.model, schema)
    assert difference(path, estimator, schema, None) is None
    path.kernel._intercept = path.kernel._intercept + 1e-6
    assert difference(path, estimator, schema, None) is not None


def test_rows_are_made_on_both_sides_of_thresholds():
    estimator, schema, features = fitted(RandomForestClassifier, n_estimators=5, random_state=0)
    path = RowPath(estimator.model, schema)
    rows = list(edge_rows(path, ordinary_rows(schema, cells_of(features), 10)))
    encoded = np.array([path.encode(row) for row in rows])
    places, thresholds = path.kernel.thresholds
    gaps = np.abs(encoded[:, places] - thresholds).min(axis=1)
    assert len(rows) > 30
    assert (gaps < 1e-6).mean() > 0.9


@pytest.mark.parametrize("cls", [RandomForestClassifier, HistGradientBoostingClassifier])
@pytest.mark.parametrize("most", [1, 100, 1000])
def test_trees_that_are_joined_in_parts_lead_to_the_same_leaves(monkeypatch, cls, most):
    estimator, schema, features = fitted(cls, random_state=0)
    rows = cells_of(features.head(30))
    at_once = RowPath(estimator.model, schema).kernel.trees
    monkeypatch.setattr(joined_trees, "MOST_NUMBERS", most)
    path = RowPath(estimator.model, schema)
    in_parts = path.kernel.trees
    assert len(at_once._parts) == 1 < len(in_parts._parts)
    for row in map(path.encode, rows):
        assert in_parts.leaves(row).tolist() == at_once.leaves(row).tolist()


def test_cells_become_the_features_that_they_came_from():
    _, schema, features = fitted(LogisticRegression)
    again = features_of(cells_of(features), schema)
    assert again.equals(features.reset_index(drop=True))
