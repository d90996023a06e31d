"""A config_dir that Gramex wrote (config.json, data.h5, model.pkl) is taken over."""

import json

import joblib
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from server.storage.endpoint_store import EndpointStore, is_own, own, read_gramex_data

pytestmark = pytest.mark.slow

COLUMNS = ["Pclass", "Sex", "Age", "Fare", "Survived"]
CONFIG = {
    "transform": {
        "include": [],
        "exclude": ["Fare"],
        "dropna": True,
        "deduplicate": True,
        "pipeline": True,
        "nums": [],
        "cats": ["Pclass", "Sex"],
        "target_col": "Survived",
        "index_col": None,
        "built": None,
    },
    "model": {"class": "LogisticRegression", "params": {"C": 0.5, "multi_class": "auto"}},
}
ROW = {"Pclass": 3, "Sex": "male", "Age": 22}


@pytest.fixture
def rows(titanic) -> pd.DataFrame:
    return titanic[COLUMNS].dropna()[:200]


@pytest.fixture
def folder(tmp_path, rows):
    """What Gramex leaves behind."""
    folder = tmp_path / "gramex"
    folder.mkdir()
    rows.to_hdf(folder / "data.h5", format="table", key="data")
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=4))
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["Pclass", "Sex"]), (StandardScaler(), ["Age"])
    )
    model = Pipeline([("transform", columns), ("LogisticRegression", LogisticRegression(C=0.5))])
    joblib.dump(model.fit(rows[["Pclass", "Sex", "Age"]], rows["Survived"]), folder / "model.pkl")
    return folder


@pytest.fixture
def serve(make_client, folder):
    def make(**model):
        kwargs = {"config_dir": str(folder), "model": model}
        return make_client({"old": {"pattern": "/old", "handler": "MLHandler", "kwargs": kwargs}})

    return make


def test_the_model_serves_at_once(serve, folder):
    model = joblib.load(folder / "model.pkl")
    expected = model.predict(pd.DataFrame([ROW])).tolist()
    client = serve()
    assert client.post("/old", json=[ROW]).get_json() == expected
    assert client.get("/old", query_string=ROW).get_json() == expected
    assert client.post("/old?_output=records", json=[ROW]).get_json() == [ROW | {"Survived": expected[0]}]


def test_the_training_data_is_taken_over_with_its_types(serve, rows):
    stored = serve().get("/old?_cache").get_json()
    assert stored == json.loads(rows.to_json(orient="records"))


def test_options_and_parameters_are_taken_over_as_far_as_they_exist(serve):
    described = serve().get("/old?_params").get_json()
    assert described["params"] == {"class": "LogisticRegression", "params": {"C": 0.5}}
    opts = described["opts"]
    assert (opts["exclude"], opts["cats"], opts["target_col"]) == (["Fare"], ["Pclass", "Sex"], "Survived")
    assert (opts["dropna"], opts["drop_duplicates"], opts["include"]) == (True, True, [])


def test_what_gramex_wrote_down_as_defaults_does_not_hide_the_configuration(serve):
    opts = serve(nums=["Age"], dropna=False).get("/old?_params").get_json()["opts"]
    assert (opts["nums"], opts["dropna"]) == (["Age"], False)


def test_training_goes_on_from_there(serve, folder):
    client = serve()
    before = len(client.get("/old?_cache").get_json())
    appended = client.post("/old?_action=append", json=[ROW | {"Fare": 1.5, "Survived": 0}]).get_json()
    assert appended == {"rows": before + 1, "appended": 1}
    assert client.post("/old?_action=score").status_code == 200
    assert client.post("/old?_action=retrain").get_json()["score"] > 0.6
    assert EndpointStore(folder).model.facts()["rows"] <= before + 1


def test_a_put_keeps_the_options_that_gramex_stored(serve, folder):
    client = serve()
    assert client.put("/old?_model&class=DecisionTreeClassifier&max_depth=2").status_code == 200
    described = client.get("/old?_params").get_json()
    assert described["params"] == {"class": "DecisionTreeClassifier", "params": {"max_depth": 2}}
    assert (described["opts"]["exclude"], described["opts"]["target_col"]) == (["Fare"], "Survived")
    assert is_own(EndpointStore(folder).settings())


def test_gramex_own_files_stay_and_are_taken_over_once(serve, folder):
    client = serve()
    client.delete("/old?_cache")
    assert client.get("/old?_cache").get_json() == []
    assert (folder / "data.h5").exists()


@pytest.mark.parametrize("index", [None, [5, 3, 1]])
def test_names_become_texts_and_the_index_is_dropped(tmp_path, index):
    frame = pd.DataFrame({0: [1, 2, 3], "a": ["x", "y", "z"]}, index=index)
    frame.to_hdf(tmp_path / "data.h5", format="table", key="data")
    read = read_gramex_data(tmp_path)
    assert read.to_dict("list") == {"0": [1, 2, 3], "a": ["x", "y", "z"]}
    assert read.index.tolist() == [0, 1, 2]


def test_without_data_h5_there_is_nothing_to_take_over(tmp_path):
    assert read_gramex_data(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"no hdf5"])
def test_a_data_h5_that_cannot_be_read_is_503_with_the_reason(serve, folder, content):
    (folder / "data.h5").write_bytes(content)
    client = serve()
    response = client.get("/old?_cache")
    assert (response.status_code, "data.h5" in response.get_json()["detail"]) == (503, True)
    assert client.post("/old", json=[ROW]).status_code == 200


def test_a_data_h5_without_the_key_is_503(serve, folder, rows):
    (folder / "data.h5").unlink()
    rows.to_hdf(folder / "data.h5", format="table", key="other")
    assert serve().get("/old?_cache").status_code == 503


@pytest.mark.parametrize("text", ["", "{", "[]", "1"])
def test_a_config_json_that_is_none_is_told(serve, folder, text):
    (folder / "config.json").write_text(text)
    client = serve()
    response = client.get("/old?_params")
    assert (response.status_code, "config.json" in response.get_json()["detail"]) == (503, True)
    assert client.post("/old", json=[ROW]).status_code in (200, 503)


@pytest.mark.parametrize("config", [{}, {"transform": {}}, {"model": {}}, {"transform": None, "model": None}])
def test_a_sparse_config_json_is_read(serve, folder, config):
    (folder / "config.json").write_text(json.dumps(config))
    assert serve(target_col="Survived").post("/old", json=[ROW]).status_code == 200


def test_own_settings_are_told_from_those_of_gramex():
    assert is_own(own(CONFIG))
    assert not is_own(CONFIG)
