"""The pipeline around an estimator: what it makes of categories, numbers and missing cells."""

import json

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from server.estimators.pipeline import DENSE_CATEGORIES, is_categorical, make_model
from server.schema import Column, Kind

pytestmark = pytest.mark.slow

CLASS = {"class": "LogisticRegression", "target_col": "y"}
ROWS = [
    {"colour": colour, "size": size, "code": code, "y": y}
    for colour, size, code, y in [
        ("red", 1, 10, 0),
        ("red", 2, 20, 0),
        ("red", 3, 10, 0),
        ("blue", 8, 20, 1),
        ("blue", 9, 10, 1),
        ("green", 7, 30, 1),
    ]
]


@pytest.fixture
def train(make_client, tmp_path):
    """A client and the pipeline it trained on ROWS with the given options."""

    def make(rows=ROWS, **options):
        url = {"m": {"pattern": "/m", "handler": "MLHandler", "kwargs": {"model": CLASS | options}}}
        client = make_client(url)
        trained = client.post("/m?_action=train", json=rows)
        assert trained.status_code == 200, trained.get_json()
        return client, joblib.load(tmp_path / "models" / "m" / "model.pkl")

    return make


def encoded(model, **row) -> dict[str, float]:
    """The matrix that the estimator sees for a row of training's columns, by output name."""
    columns = model["columns"]
    values = columns.transform(pd.DataFrame([row], columns=list(model.feature_names_in_)))
    return dict(zip(columns.get_feature_names_out(), np.asarray(values)[0], strict=True))


@pytest.mark.parametrize(
    ("kind", "cats", "nums", "expected"),
    [
        (Kind.TEXT, [], [], True),
        (Kind.BOOLEAN, [], [], True),
        (Kind.DATETIME, [], [], True),
        (Kind.INTEGER, [], [], False),
        (Kind.NUMBER, [], [], False),
        (Kind.INTEGER, ["a"], [], True),
        (Kind.TEXT, [], ["a"], False),
        (Kind.NUMBER, ["a"], ["a"], True),
    ],
)
def test_a_column_is_categorical_if_named_so_or_not_numeric(kind, cats, nums, expected):
    assert is_categorical(Column("a", kind), cats, nums) is expected


def test_an_unknown_category_is_encoded_as_none_of_those_known(train):
    client, model = train()
    row = encoded(model, colour="purple", size=5.0, code=10.0)
    assert [value for name, value in row.items() if "colour" in name] == [0, 0, 0]
    assert client.post("/m", json=[{"colour": "purple", "size": 8, "code": 10}]).get_json() == [1]


def test_missing_cells_become_the_mean_and_the_most_frequent_category_of_training(train):
    client, model = train()
    assert encoded(model, colour=np.nan, size=np.nan, code=10.0) == encoded(model, colour="red", size=5.0, code=10.0)
    proba = "/m?_output=proba"
    missing = client.post(proba, json=[{"colour": None, "size": None, "code": 10}]).get_json()
    assert missing == client.post(proba, json=[{"colour": "red", "size": 5, "code": 10}]).get_json()


def test_what_imputes_was_learned_from_the_rows_left_by_dropna(train):
    rows = [*ROWS, {"colour": None, "size": 1000, "code": 10, "y": 1}]
    _, model = train(rows)
    assert encoded(model, colour="red", size=np.nan, code=10.0) == encoded(model, colour="red", size=5.0, code=10.0)


def test_numbers_named_in_cats_are_categories(train):
    client, model = train(cats=["code"])
    assert {name for name in encoded(model, colour="red", size=1.0, code=10.0) if "code" in name} == {
        "codes__code_10.0",
        "codes__code_20.0",
        "codes__code_30.0",
    }
    assert client.get("/m?colour=red&size=1&code=99").get_json() == [0]


def test_numbers_are_scaled(train):
    _, model = train()
    scaled = encoded(model, colour="red", size=5.0, code=10.0)["numbers__size"]
    assert scaled == pytest.approx(0.0, abs=1e-12)


def test_without_pipeline_the_numeric_columns_are_taken_as_they_are(train):
    client, model = train(pipeline=False)
    assert isinstance(model, LogisticRegression)
    assert set(model.feature_names_in_) == {"size", "code"}
    assert client.get("/m?size=1&code=10&size=9&code=10").status_code == 200
    assert client.post("/m", json=[{"size": 9, "code": 10}]).get_json() == [1]


def test_without_pipeline_and_numbers_nothing_can_be_trained(make_client):
    url = {"m": {"pattern": "/m", "handler": "MLHandler", "kwargs": {"model": CLASS | {"pipeline": False}}}}
    answer = make_client(url).post("/m?_action=train", json=[{"colour": row["colour"], "y": row["y"]} for row in ROWS])
    assert (answer.status_code, "pipeline" in answer.get_json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("estimator", "count", "expected"),
    [
        (LogisticRegression(), DENSE_CATEGORIES, True),
        (LogisticRegression(), DENSE_CATEGORIES - 1, False),
        (GaussianNB(), DENSE_CATEGORIES, False),
    ],
)
def test_many_categories_are_sparse_if_the_estimator_takes_that(estimator, count, expected):
    cells = [f"c{n}" for n in range(count)]
    rows = pd.DataFrame({"a": cells, "b": np.arange(count, dtype=float)})
    columns = [Column.of("a", rows["a"], categorical=True)], [Column.of("b", rows["b"])]
    model = make_model(estimator, *columns).fit(rows, np.arange(count) % 2)
    assert sparse.issparse(model["columns"].transform(rows)) is expected


def test_a_model_of_thousands_of_categories_stays_small_and_right(train):
    rows = [{"id": f"id{n}", "y": n % 2} for n in range(3000)]
    client, _ = train(rows)
    answers = client.post("/m", json=rows).get_json()
    assert answers == [row["y"] for row in rows]


@pytest.mark.parametrize("value", [True, "true", 1, "1", 1.0])
def test_every_spelling_of_a_boolean_is_one_category(train, value):
    rows = [{"flag": n % 2 == 0, "y": n % 2} for n in range(10)]
    client, _ = train(rows)
    assert client.post("/m", data=json.dumps([{"flag": value}]), content_type="application/json").get_json() == [0]


@pytest.mark.parametrize("column", ["empty", "colour"])
def test_a_column_without_any_value_trains_and_predicts(train, column):
    rows = [row | {column: None} for row in ROWS]
    client, _ = train(rows, dropna=False)
    assert len(client.post("/m", json=rows).get_json()) == len(rows)
