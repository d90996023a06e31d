"""Models that a user brings: their own pipelines and bare estimators, as joblib wrote them."""

import gzip
import os
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from server.estimators.foreign import schema_of
from server.estimators.loading import load_estimator
from server.estimators.tabular import TabularEstimator
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow

ROWS = pd.DataFrame(
    {
        "size": [1.0, 2.0, 3.0, 7.0, 8.0, 9.0],
        "age": [5.0, 1.0, 4.0, 2.0, 6.0, 3.0],
        "colour": ["red", "red", "blue", "blue", "green", "green"],
    }
)
NUMBERS = ROWS[["size", "age"]]
LABELS = np.array(["small", "small", "small", "large", "large", "large"])
CODES = np.array([0, 0, 0, 1, 1, 1])
GRID = {"logisticregression__C": [1, 2]}


def encoder() -> ColumnTransformer:
    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["colour"]), (StandardScaler(), ["size", "age"])
    )


MODELS = {
    "estimator on a frame": (LogisticRegression().fit(NUMBERS, CODES), NUMBERS),
    "estimator on an array": (LogisticRegression().fit(NUMBERS.to_numpy(), CODES), NUMBERS),
    "labels": (RandomForestClassifier(5, random_state=0).fit(NUMBERS, LABELS), NUMBERS),
    "regressor": (LinearRegression().fit(NUMBERS, ROWS["age"] * 2), NUMBERS),
    "clusterer": (KMeans(2, n_init=1).fit(NUMBERS), NUMBERS),
    "transformer": (PCA(1).fit(NUMBERS), NUMBERS),
    "pipeline on a frame": (make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, CODES), NUMBERS),
    "pipeline on an array": (make_pipeline(StandardScaler(), PCA(1)).fit(NUMBERS.to_numpy()), NUMBERS),
    "column transformer": (make_pipeline(encoder(), LogisticRegression()).fit(ROWS, LABELS), ROWS),
    "nested pipeline": (
        Pipeline([("columns", make_pipeline(encoder())), ("model", LogisticRegression())]).fit(ROWS, CODES),
        ROWS,
    ),
    "search": (GridSearchCV(make_pipeline(encoder(), LogisticRegression()), GRID, cv=2).fit(ROWS, LABELS), ROWS),
    "search after an encoder": (
        make_pipeline(encoder(), GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2)).fit(ROWS, LABELS),
        ROWS,
    ),
    "threshold": (FixedThresholdClassifier(make_pipeline(encoder(), LogisticRegression())).fit(ROWS, CODES), ROWS),
    "calibrated": (
        CalibratedClassifierCV(make_pipeline(encoder(), LogisticRegression()), cv=2).fit(ROWS, CODES),
        ROWS,
    ),
    "ensemble": (
        VotingClassifier([(name, make_pipeline(encoder(), LogisticRegression())) for name in "ab"]).fit(ROWS, LABELS),
        ROWS,
    ),
    "one-hot alone": (
        make_pipeline(OneHotEncoder(), LogisticRegression()).fit(ROWS[["colour"]], CODES),
        ROWS[["colour"]],
    ),
}


@pytest.fixture
def serve(make_client, tmp_path):
    """A client of an endpoint whose model.pkl is the given file, and the file."""

    def make(model=None, class_name=None, **dump):
        path = tmp_path / "mine.pkl"
        if model is not None:
            joblib.dump(model, path, **dump)
        kwargs = {"model": {"path": str(path), "target_col": "y", "class": class_name}}
        url = {"mine": {"pattern": "/mine", "handler": "MLHandler", "kwargs": kwargs}}
        return make_client(url, wait=False), path

    return make


def answers(client, rows: pd.DataFrame, query: str = ""):
    # The client's json= sorts the names; the order of columns matters here.
    response = client.post(f"/mine{query}", data=rows.to_json(orient="records"), content_type="application/json")
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.get_json()


def expected(model, rows: pd.DataFrame) -> list:
    rows = rows.to_numpy() if not hasattr(model, "feature_names_in_") else rows
    return np.asarray(model.predict(rows) if hasattr(model, "predict") else model.transform(rows)).tolist()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_somebody_else_trained_answers_as_it_does_itself(serve, name):
    model, rows = MODELS[name]
    client, _ = serve(model)
    values = answers(client, rows)
    assert values == expected(model, rows) or np.allclose(values, expected(model, rows))
    if "array" not in name:
        assert answers(client, rows[rows.columns[::-1]].assign(extra=1)) == values


@pytest.mark.parametrize("name", ["search", "threshold", "calibrated", "ensemble"])
def test_the_schema_of_a_model_around_a_pipeline_is_the_pipelines(name):
    assert schema_of(MODELS[name][0], None).features == schema_of(MODELS["column transformer"][0], None).features


@pytest.mark.parametrize("name", ["column transformer", "estimator on a frame", "search", "threshold"])
def test_a_get_reads_text_as_the_model_needs_it(serve, name):
    model, rows = MODELS[name]
    client, _ = serve(model)
    query = {column: [str(value) for value in rows[column]] for column in rows}
    assert client.get("/mine", query_string=query).get_json() == expected(model, rows)


def test_a_missing_column_is_named(serve):
    client, _ = serve(MODELS["column transformer"][0])
    response = client.post("/mine", json=[{"size": 1, "age": 2}])
    assert (response.status_code, "'colour'" in response.get_json()["detail"]) == (400, True)


def test_an_array_model_takes_rows_by_position(serve):
    model, rows = MODELS["estimator on an array"]
    client, _ = serve(model)
    assert client.get("/mine?anything=9&whatever=3").get_json() == [1]
    assert client.get("/mine?one=9").status_code == 400


def test_an_array_model_takes_its_own_names_in_any_order(serve):
    client, _ = serve(MODELS["estimator on an array"][0])
    assert (
        client.get("/mine?_output=proba&x1=3&x0=9").get_json() == client.get("/mine?_output=proba&x0=9&x1=3").get_json()
    )


def test_probabilities_and_records_of_a_foreign_model(serve):
    model, rows = MODELS["column transformer"]
    client, _ = serve(model)
    assert set(answers(client, rows, "?_output=proba")[0]) == {"small", "large"}
    assert answers(client, rows[:1], "?_output=records")[0] == {**rows.iloc[0].to_dict(), "y": "small"}


@pytest.mark.parametrize(
    "model",
    [RandomForestClassifier(5), MultiOutputClassifier(LogisticRegression()), ClassifierChain(LogisticRegression())],
    ids=lambda model: type(model).__name__,
)
def test_probabilities_of_several_outputs_are_refused(serve, model):
    client, _ = serve(model.fit(NUMBERS, np.column_stack([CODES, 1 - CODES])))
    assert len(answers(client, NUMBERS)[0]) == 2
    response = client.post("/mine?_output=proba", json=NUMBERS.to_dict("records"))
    assert_problem(response, 400, f"{type(model).__name__} predicts several columns", "_output=values")


def test_a_foreign_model_is_scored_and_described(serve):
    client, _ = serve(MODELS["column transformer"][0])
    rows = ROWS.assign(y=LABELS).to_dict(orient="records")
    assert client.post("/mine?_action=score", json=rows).get_json() == {"score": 1.0}
    assert client.get("/mine?_model").get_json()["model"] == "LogisticRegression"
    assert "coef_" in client.get("/mine?_params").get_json()["attrs"]
    assert client.get("/mine").status_code == 200


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)], ids=str)
def test_a_compressed_joblib_file_is_served(serve, compress):
    model, rows = MODELS["labels"]
    client, _ = serve(model, compress=compress)
    assert answers(client, rows) == expected(model, rows)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        b"\x80",
        pickle.dumps({"a": 1}),
        pickle.dumps(LogisticRegression),
        pickle.dumps(print),
        pickle.dumps(LogisticRegression().fit(NUMBERS, CODES))[:-50],
        gzip.compress(b"no pickle"),
        b"cno_such_module\nThing\n.",
    ],
    ids=["empty", "text", "cut", "dict", "class", "function", "truncated", "gzip", "unknown module"],
)
def test_a_file_that_is_no_model_is_503_with_the_reason_and_readyz_names_it(serve, tmp_path, content):
    (tmp_path / "mine.pkl").write_bytes(content)
    client, _ = serve()
    for response in (client.get("/mine?size=1&age=2"), client.get("/readyz")):
        assert response.status_code == 503
        assert "mine.pkl" in response.get_data(as_text=True)


def test_an_unfitted_estimator_is_no_server_error(serve):
    client, _ = serve(LogisticRegression())
    assert client.get("/mine?size=1&age=2").status_code in (400, 503)


def test_replacing_the_file_takes_effect_at_the_next_request(serve):
    model, rows = MODELS["estimator on a frame"]
    client, path = serve(model)
    answers(client, rows)
    other, _ = MODELS["labels"]
    joblib.dump(other, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)
    assert answers(client, rows) == expected(other, rows)


@pytest.mark.parametrize("class_name", [None, "LogisticRegression"])
def test_the_page_is_shown_beside_an_unreadable_model(serve, tmp_path, class_name):
    (tmp_path / "mine.pkl").write_bytes(b"no pickle")
    client, _ = serve(class_name=class_name)
    assert client.get("/mine").status_code == 200


@pytest.mark.parametrize("class_name", [None, "LogisticRegression"])
def test_a_put_beside_an_unreadable_model_is_stored_and_answered(serve, tmp_path, class_name):
    (tmp_path / "mine.pkl").write_bytes(b"no pickle")
    client, _ = serve(class_name=class_name)
    assert client.put("/mine?class=GaussianNB").status_code == 200
    rows = NUMBERS.assign(y=CODES).to_dict(orient="records")
    assert client.post("/mine?_action=train", json=rows).status_code == 200
    assert client.get("/mine?size=9&age=3").get_json() == [1]


@pytest.mark.parametrize(
    "query",
    [
        "class=LocalOutlierFactor&novelty=false&target_col=",
        "class=GridSearchCV&estimator=LogisticRegression&param_grid=%7B%22C%22:[1]%7D&refit=false&cv=2",
    ],
)
def test_a_model_that_cannot_answer_is_not_published(serve, query):
    model, rows = MODELS["estimator on a frame"]
    client, _ = serve(model)
    before = answers(client, rows)
    refused = client.put(f"/mine?{query}").status_code == 400
    trained = client.post("/mine?_action=train", json=rows.assign(y=CODES).to_dict(orient="records"))
    assert refused or trained.status_code == 400
    assert answers(client, rows) == before


def test_the_schema_names_columns_and_categories():
    schema = schema_of(MODELS["column transformer"][0], "y")
    assert schema.names == ["size", "age", "colour"]
    assert schema.features[2].categories == ("blue", "green", "red")
    assert (schema.target.name, schema.target.categories) == ("y", ("large", "small"))


def test_a_file_that_save_wrote_loads_again(tmp_path):
    TabularEstimator(MODELS["labels"][0]).save(tmp_path / "model.pkl")
    assert load_estimator(tmp_path / "model.pkl").class_name == "RandomForestClassifier"
