"""A path that differs from its pipeline is found out, wherever the difference lies."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder
from sklearn.svm import SVC, SVR

from server.estimators.row_path import RowPath, difference, joined_trees
from server.estimators.row_path.choice import KERNELS
from server.estimators.row_path.joined_trees import JoinedPredictor, JoinedTree
from server.estimators.row_path.probes import cells_of, edge_rows, features_of, ordinary_rows
from server.estimators.row_path.terms import whole
from server.estimators.tabular import TabularEstimator
from server.schema import Column, Kind, Schema
from server.schema.cells import Unusual
from tests.estimators.row_path.passengers import around, fitted


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
    rows = list(edge_rows(path, schema, ordinary_rows(schema, cells_of(features), 10), 0))
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


def test_probabilities_that_are_told_otherwise_beside_the_label_are_found():
    estimator, schema, features = fitted(GaussianNB)
    path = RowPath(estimator.model, schema)
    both = path.kernel.both
    path.kernel.both = lambda row: (both(row)[0], both(row)[1] * (1 + 1e-9))
    assert "the pipeline answers" in difference(path, estimator, schema, features)


def test_an_encoder_is_tried_with_an_odd_cell_in_each_of_many_columns():
    words = pd.DataFrame({f"c{place}": ["a", "b", "b", "a"] * 5 for place in range(30)})
    columns = tuple(Column.of(name, words[name], categorical=True) for name in words)
    schema = Schema(columns)
    estimator = TabularEstimator.create(SVR, {"kernel": "linear"}, list(columns), [], True)
    estimator.fit(schema.parse_features(words), (words["c0"] == "a") * 5.0)
    for place in range(30):
        for odd in (None, "never seen"):
            path = RowPath(estimator.model, schema)
            path._encode = otherwise(path._encode, place, odd)
            assert "the pipeline answers" in difference(path, estimator, schema, words), (place, odd)


def otherwise(encode, place, odd):
    """The encoder, which takes a row with an odd cell in this place for another row."""
    return lambda cells: encode(["a"] * len(cells) if cells[place] == odd else cells)


def test_a_path_that_leaves_everything_to_the_pipeline_does_not_serve():
    estimator, schema, features = fitted(LogisticRegression)
    path = RowPath(estimator.model, schema)
    path._width = 1
    assert "without the pipeline" in difference(path, estimator, schema, features)


@pytest.mark.parametrize("strategy", ["mean", "median"])
def test_a_text_among_numbers_is_tried(strategy):
    numbers = pd.DataFrame({"code": [1.0, 2.0, 3.0, 1000.0] * 5})
    schema = Schema((Column("code", Kind.ANY),))
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(SimpleImputer(strategy=strategy), encoder, LinearRegression())
    estimator, _ = around(model, numbers.to_numpy(), np.arange(20))
    path = RowPath(estimator.model, schema)
    assert difference(path, estimator, schema, numbers) is None
    with pytest.raises(Unusual):
        path.answer(["abc"])
    assert path.answer(["1_000"]).tolist() == path.answer([1000.0]).tolist()
    path._encode = lambda cells: np.zeros(4)
    assert difference(path, estimator, schema, numbers) is not None


def test_the_category_none_is_no_missing_cell():
    words = pd.DataFrame({"word": pd.Series(["a", "b", None, "a"] * 5, dtype=object)})
    encoder = ColumnTransformer([("words", OneHotEncoder(handle_unknown="ignore"), ["word"])])
    estimator, _ = around(make_pipeline(encoder, SVC()), words, np.arange(20) % 2)
    schema = Schema((Column("word", Kind.TEXT, ("a", "b")),))
    path = RowPath(estimator.model, schema)
    assert whole(path.encode([None])).tolist() == [0, 0, 0]
    assert difference(path, estimator, schema, None) is None


@pytest.mark.parametrize("name", [one.__name__ for one in KERNELS])
def test_every_class_with_a_kernel_answers_as_its_pipeline(name):
    cls = next(one for one in KERNELS if one.__name__ == name)
    rows = np.random.default_rng(0).random((60, 4))
    target = (rows[:, 0] * 3).astype(int) if is_classifier(cls()) else rows @ [1.0, 2, 3, 4] + 1
    if name.startswith("MultiTask"):
        target = np.column_stack([target, -target])
    params = {"max_iter": 20} if "max_iter" in cls().get_params() and name.startswith("MLP") else {}
    with warnings.catch_warnings():
        # Of so few rows, some classes say that they have not converged.
        warnings.simplefilter("ignore")
        model = make_pipeline(MinMaxScaler(), cls(**params)).fit(rows, target)
    path = RowPath(model, Schema(tuple(Column(str(place), Kind.NUMBER) for place in range(4))))
    assert path.kernel.computes
    for row in rows[:5]:
        assert path.answer(row.tolist())[0].tolist() == pytest.approx(model.predict(row[None])[0].tolist(), rel=1e-12)
        if path.has_proba:
            likely = model.predict_proba(row[None])[0].tolist()
            assert path.probabilities(row.tolist()).tolist() == pytest.approx(likely, rel=1e-12)


def test_cells_become_the_features_that_they_came_from():
    _, schema, features = fitted(LogisticRegression)
    again = features_of(cells_of(features), schema)
    assert again.equals(features.reset_index(drop=True))
