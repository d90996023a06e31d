"""What the original did wrong, once and for all: each test is named for a failure that cannot happen here."""

import os

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from tests.conftest import ROW, TITANIC_MODEL, titanic_endpoint
from tests.web.conftest import URL, assert_problem

pytestmark = pytest.mark.slow

NUMBERS = {"handler": "MLHandler", "pattern": "/numbers"}


def numbers(**model):
    return {"numbers": NUMBERS | {"kwargs": {"model": {"target_col": "y"} | model}}}


@pytest.mark.parametrize("action", ["predict", "score", "append", "train"])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"\x00\x01\x02", "application/x-unknown"), (b"<a/>", "application/xml"), (b"{", "application/json")],
)
def test_1_an_unreadable_body_never_falls_back_to_the_stored_rows(reader, unchanged, action, body, content_type):
    with unchanged(reader):
        answer = reader.post(f"{URL}?_action={action}", data=body, content_type=content_type)
        assert answer.status_code in (400, 415)


def test_2_rows_with_missing_cells_are_predicted_in_place(reader, titanic):
    body = titanic.to_csv(index=False).encode()
    together = reader.post(URL, data=body, content_type="text/csv").json
    assert titanic["Age"].isna().any()
    assert len(together) == 891
    for index in (0, 5, 61, 829, 888, 890):
        one = reader.post(URL, data=titanic.iloc[[index]].to_json(orient="records"), content_type="application/json")
        assert one.json == [together[index]]


def test_2_a_row_without_any_value_is_predicted_too(reader):
    assert len(reader.post(URL, json=[ROW, dict.fromkeys(ROW), ROW]).json) == 3


@pytest.mark.parametrize("output", ["values", "records", "proba"])
def test_3_a_model_that_fails_to_predict_is_an_error_and_not_the_input(make_client, tmp_path, output):
    rows = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    folder = tmp_path / "models" / "numbers"
    folder.mkdir(parents=True)
    joblib.dump(KNeighborsClassifier(n_neighbors=5).fit(rows, [0, 1, 0]), folder / "model.pkl")
    client = make_client(numbers())
    answer = client.get(f"/numbers?x=1&_output={output}")
    assert_problem(answer, 400, "KNeighborsClassifier", "n_neighbors")


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("class=MultinomialNB", "negative"),
        ("class=PCA&n_components=400", "n_components"),
        ("class=GammaRegressor", "y"),
    ],
)
def test_4_a_fit_that_fails_is_an_error_and_changes_nothing(client, unchanged, query, word):
    with unchanged(client):
        assert_problem(client.post(f"{URL}?_action=train&{query}"), 400, word)


def test_4_a_model_that_cannot_predict_the_rows_it_learned_is_no_success(client, unchanged):
    rows = [{"x": 1, "Survived": 0}, {"x": 2, "Survived": 1}]
    with unchanged(client):
        answer = client.post(f"{URL}?_action=train&class=KNeighborsClassifier", json=rows)
        assert_problem(answer, 400, "n_neighbors")


def test_5_a_category_not_seen_in_training_is_no_error(make_client, titanic):
    client = make_client({"titanic": titanic_endpoint(data=None)})
    men = titanic[titanic["Sex"] == "male"].to_csv(index=False).encode()
    assert client.post(f"{URL}?_action=train", data=men, content_type="text/csv").status_code == 200
    assert client.post(URL, json=[ROW | {"Sex": "female"}, ROW | {"Embarked": "X"}]).json == [0, 0]


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("class=RandomForestClassifier&max_depth=5", "max_depth", 5),
        ("class=RandomForestClassifier&bootstrap=False", "bootstrap", False),
        ("fit_intercept=False", "fit_intercept", False),
        ("fit_intercept=0", "fit_intercept", False),
        ("random_state=3", "random_state", 3),
    ],
)
def test_6_a_value_takes_the_type_the_parameter_wants_not_that_of_its_default(client, query, name, value):
    params = client.put(f"{URL}?{query}").json["params"]
    assert params[name] == value
    assert type(params[name]) is type(value)


def rows_of(slope: float) -> list[dict[str, float]]:
    x = np.linspace(-1, 1, 200)
    return [{"x": float(value), "y": float(slope * value)} for value in x]


@pytest.mark.parametrize("name", ["SGDRegressor", "PassiveAggressiveRegressor", "MLPRegressor"])
def test_7_a_retraining_starts_anew_also_for_regressors(make_client, name):
    client = make_client(numbers(**{"class": name, "params": {"random_state": 0, "max_iter": 500}}))
    asked = "/numbers?x=0.5"
    client.post("/numbers?_action=train", json=rows_of(3))
    first = client.get(asked).json
    client.post("/numbers?_action=retrain", json=rows_of(-3))
    assert client.get(asked).json[0] == pytest.approx(-1.5, abs=0.5)
    client.post("/numbers?_action=retrain", json=rows_of(3))
    assert client.get(asked).json == first


def test_7_a_retraining_learns_classes_that_the_first_one_had_not(make_client):
    client = make_client(numbers(**{"class": "SGDClassifier", "params": {"random_state": 0}}))
    rows = [{"x": float(index), "y": "ab"[index // 50]} for index in range(100)]
    client.post("/numbers?_action=train", json=rows)
    client.post("/numbers?_action=retrain", json=[row | {"y": row["y"].replace("b", "c")} for row in rows])
    assert client.get("/numbers?x=0&x=99").json == ["a", "c"]


def test_8_a_score_is_that_of_the_rows_it_is_asked_for(make_client, titanic):
    model = TITANIC_MODEL | {"class": "DecisionTreeClassifier", "params": {"random_state": 0}}
    client = make_client({"titanic": titanic_endpoint(data=None, model=model)})
    known, unknown = titanic.iloc[:600], titanic.iloc[600:]

    def score(action: str, rows: pd.DataFrame) -> float:
        body = rows.to_csv(index=False).encode()
        return client.post(f"{URL}?_action={action}", data=body, content_type="text/csv").json["score"]

    trained = score("train", known)
    predictions = client.post(URL, data=unknown.to_csv(index=False).encode(), content_type="text/csv").json
    assert trained == client.post(f"{URL}?_action=score").json["score"]
    assert score("score", unknown) == pytest.approx((unknown["Survived"] == predictions).mean())
    assert score("score", unknown) < trained - 0.1


def test_9_a_training_replaces_the_model_file_whole(client, tmp_path):
    folder = tmp_path / "models" / "titanic"
    inode = os.stat(folder / "model.pkl").st_ino
    with (folder / "model.pkl").open("rb") as before:
        client.put(f"{URL}?class=DecisionTreeClassifier")
        client.post(f"{URL}?_action=retrain")
        assert type(joblib.load(before)[-1]).__name__ == "LogisticRegression"
    assert os.stat(folder / "model.pkl").st_ino != inode
    assert type(joblib.load(folder / "model.pkl")[-1]).__name__ == "DecisionTreeClassifier"
    left = [path for path in folder.rglob("*") if path.is_file() and ("staging" in path.parts or path.suffix == ".h5")]
    assert left == []
