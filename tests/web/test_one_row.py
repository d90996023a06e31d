"""Single rows are answered without a table, and nobody can tell by the answer."""

import gzip
import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from server.estimators.row_path import RowPath
from server.estimators.row_path.linear import LogisticClassifier
from server.estimators.tabular import TabularEstimator
from server.service.one_row import FORM as NOW
from server.service.one_row import PATHS, restored
from tests.conftest import ROOT, ROW, titanic_endpoint
from tests.estimators.row_path.passengers import fitted as passengers
from tests.registering import API, algorithm, flower, registry, write_models
from tests.web.conftest import FORM, URL, build

JSON = "application/json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
QUERIES = {
    "a row": ROW,
    "probabilities": ROW | {"_output": "proba"},
    "records": ROW | {"_output": "records"},
    "a named action": ROW | {"_action": "predict", "_format": "json", "_": "1"},
    "another format": ROW | {"_format": "csv"},
    "an unknown output": ROW | {"_output": "labels"},
    "an unknown option": ROW | {"_outptu": "proba"},
    "a column more": ROW | {"Name": "A. B."},
    "an empty cell": ROW | {"Age": "", "Embarked": ""},
    "an unknown category": ROW | {"Embarked": "X", "SibSp": "77"},
    "two values": ROW | {"Sex": ["male", "female"]},
    "a number as a text": ROW | {"Pclass": "3.0", "Fare": " 1e1 "},
    "no number": ROW | {"Age": "old"},
    "not a number": ROW | {"Age": "nan"},
    "an infinite number": ROW | {"Fare": "inf"},
    "a large number": ROW | {"Fare": "1e300"},
    "underscores": ROW | {"Fare": "1_000"},
    "a missing column": {name: cell for name, cell in ROW.items() if name != "Fare"},
    "a column's name nearly": {"sex" if name == "Sex" else name: cell for name, cell in ROW.items()},
}
BODIES = {
    "an object": ROW,
    "a list of one": [ROW],
    "a list of some": [ROW, ROW | {"Sex": "female"}, ROW | {"Age": None}],
    "a list of many": [ROW] * 40,
    "columns": {name: [cell] for name, cell in ROW.items()},
    "numbers as texts": ROW | {"Age": "22", "Fare": "7.25"},
    "a large integer": ROW | {"Fare": 2**63},
    "a boolean for a number": ROW | {"Fare": True},
    "a number for a text": ROW | {"Sex": 1},
    "a list for a text": ROW | {"Sex": ["male"]},
    "a text for a number": ROW | {"Age": "old"},
    "rows of different columns": [ROW, {"Sex": "male"}],
    "nothing": [],
    "an empty object": {},
    "a number": 3,
}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same endpoint with and without the row path, each trained once."""
    trained = {"name": "any", "type": "classifier", "endpoint": "titanic", "status": "production"}
    brought = algorithm("logistic", "classifier", status="production")
    url = {"titanic": titanic_endpoint(), "api": registry({"passengers": [trained], "flowers": [brought]})}
    folders = {flag: tmp_path_factory.mktemp(str(flag)) for flag in (True, False)}
    for folder in folders.values():
        write_models(folder)
    return [build(folder, url, row_path=flag) for flag, folder in folders.items()]


def told(answer):
    headers = {name: value for name, value in answer.headers.items() if name not in ("Date", "X-Request-ID")}
    return answer.status_code, headers, answer.get_data()


def endpoint_of(client):
    return client.application.extensions["restimator"].endpoints["titanic"]


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_answered_alike_with_and_without_the_row_path(both, name):
    fast, slow = (told(client.get(URL, query_string=QUERIES[name])) for client in both)
    assert fast == slow


@pytest.mark.parametrize("accept", [BROWSER, "*/*", "text/csv", "application/x-ndjson, */*;q=0.1", "image/png"])
def test_accept_is_heeded_alike(both, accept):
    fast, slow = (told(client.get(URL, query_string=ROW, headers={"Accept": accept})) for client in both)
    assert fast == slow


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("endpoint", ["passengers", "flowers"])
def test_an_instance_is_answered_alike_by_the_registry(both, endpoint, name):
    fast, slow = (client.post(f"{API}/{endpoint}/predict", json=BODIES[name]) for client in both)
    assert (fast.status_code, fast.json) == (slow.status_code, slow.json)


def test_a_flower_is_answered_alike_by_the_registry(both):
    for number in (0, 60, 149):
        fast, slow = (client.post(f"{API}/flowers/predict", json=flower(number)) for client in both)
        assert fast.json.keys() == {"status", "label", "probability", "request_id"}
        assert fast.json == slow.json
    models = [client.application.registry.registration.of("flowers", "logistic", "1.0").model for client in both]
    assert [bool(model._models.current().one_row.path) for model in models] == [True, False]


@pytest.mark.parametrize("kind", [JSON, FORM, "text/plain", None])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_answered_alike_with_and_without_the_row_path(both, name, kind):
    content = json.dumps(BODIES[name]).encode()
    fast, slow = (told(client.post(URL, data=content, content_type=kind)) for client in both)
    assert fast == slow


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"{", {}),
        (b'{"Sex": NaN}', {}),
        (json.dumps(ROW).encode() * 2, {}),
        (b"\xef\xbb\xbf" + json.dumps(ROW).encode(), {}),
        (json.dumps(ROW, indent=1).encode("utf-16"), {}),
        (gzip.compress(json.dumps(ROW).encode()), {"Content-Encoding": "gzip"}),
    ],
    ids=["cut off", "NaN", "twice", "with a mark", "UTF-16", "packed"],
)
def test_an_odd_body_is_read_alike(both, content, headers):
    fast, slow = (told(client.post(URL, data=content, content_type=JSON, headers=headers)) for client in both)
    assert fast == slow


@pytest.mark.parametrize("options", [{"_output": "proba"}, {"_action": "score"}, {"Age": "3"}, {"_action": "append"}])
def test_options_beside_a_body_are_heeded_alike(both, options):
    fast, slow = (told(client.post(URL, json=ROW, query_string=options)) for client in both)
    assert fast == slow


def test_plain_rows_are_answered_without_a_table(both):
    fast, slow = (endpoint_of(client) for client in both)
    texts = {name: str(cell) for name, cell in ROW.items()}
    assert fast.predict_few([texts], None).tolist() == [0]
    assert fast.predict_few([ROW, ROW | {"Sex": "female"}], None).tolist() == [0, 1]
    assert slow.predict_few([texts], None) is None


def test_params_tell_which_path_serves_and_why(both):
    fast, slow = (client.get(f"{URL}?_params").json["row_path"] for client in both)
    assert fast == {"serves": True, "why": "look-ups and the arithmetic of LogisticRegression"}
    assert slow == {"serves": False, "why": "server.row_path is off"}


def test_what_the_training_found_is_kept_with_the_model(both):
    fast, slow = (endpoint_of(client).served().facts for client in both)
    assert fast["row_path"]["serves"] is True
    assert "row_path" not in slow


def test_the_rows_of_a_transform_go_through_the_table(make_client):
    data = {"url": "$YAMLPATH/data/titanic.csv", "transform": "data.assign(Fare=data.Fare * 2)"}
    client = make_client({"titanic": titanic_endpoint(data=data)})
    assert client.get(f"{URL}?_params").json["row_path"] == {
        "serves": False,
        "why": "the rows go through a transform first",
    }
    assert client.get(URL, query_string=ROW).json == [0]


def test_after_another_training_the_new_model_answers(make_client):
    client = make_client({"titanic": titanic_endpoint()})
    assert client.put(URL, query_string={"class": "DummyClassifier", "strategy": "constant", "constant": 1}).json
    assert client.post(f"{URL}?_action=retrain").status_code == 200
    assert client.get(URL, query_string=ROW).json == [1]
    assert client.get(f"{URL}?_params").json["row_path"]["why"] == "look-ups and DummyClassifier's own predict"


def brought(folder: Path, model: object) -> dict[str, object]:
    path = folder / "own.pkl"
    joblib.dump(model, path)
    return {"own": {"pattern": "/own", "handler": "MLHandler", "kwargs": {"model": {"path": str(path)}}}}


def test_a_model_that_a_user_brought_is_compared_when_it_is_loaded(make_client, tmp_path):
    rows = pd.read_csv(ROOT / "data" / "iris.csv")
    features, target = rows.iloc[:, :3], rows.iloc[:, 3]
    model = RandomForestRegressor(n_estimators=5, random_state=0).fit(features, target)
    client = make_client(brought(tmp_path, model))
    assert client.get("/own?_params").json["row_path"]["serves"] is True
    row = features.iloc[7].to_dict()
    assert client.get("/own", query_string=row).json == model.predict(features.iloc[7:8]).tolist()


def test_a_brought_model_that_is_not_understood_is_served_by_itself(make_client, tmp_path):
    rows = pd.read_csv(ROOT / "data" / "iris.csv")
    features, target = rows.iloc[:, :3], rows.iloc[:, 3]
    model = make_pipeline(FunctionTransformer(np.log1p), RandomForestRegressor(n_estimators=2)).fit(features, target)
    client = make_client(brought(tmp_path, model))
    told = client.get("/own?_params").json["row_path"]
    assert told == {"serves": False, "why": "FunctionTransformer is not taken apart"}
    assert client.get("/own", query_string=features.iloc[7].to_dict()).json == model.predict(features[7:8]).tolist()


def test_rows_of_a_model_that_draws_lots_are_asked_together(make_client, tmp_path):
    features = pd.read_csv(ROOT / "data" / "iris.csv").iloc[:8, :3]
    model = make_pipeline(StandardScaler(), DummyClassifier(strategy="uniform", random_state=0))
    model.fit(features, [0, 1] * 4)
    client = make_client(brought(tmp_path, model))
    assert client.get("/own?_params").json["row_path"]["serves"] is True
    several = client.post("/own", json=features.to_dict("records")).json
    assert several == model.predict(features).tolist()
    assert set(several) == {0, 1}
    assert client.post("/own", json=features.iloc[0].to_dict()).json == model.predict(features[:1]).tolist()


def test_where_a_difference_is_found_in_a_training_the_pipeline_serves_and_says_so(make_client, monkeypatch, caplog):
    monkeypatch.setattr(LogisticClassifier, "predict", lambda self, row: np.array([1]))
    with caplog.at_level("INFO", "server"):
        client = make_client({"titanic": titanic_endpoint()})
        assert client.get(URL, query_string=ROW).json == [0]
    told = client.get(f"{URL}?_params").json["row_path"]
    assert told["serves"] is False
    assert told["why"].startswith("the pipeline answers 0, not 1, for ")
    assert f"the pipeline answers one row: {told['why']}" in caplog.text
    assert client.post(URL, json=ROW).json == [0]
    monkeypatch.undo()
    # Of what was found then, nothing is looked at again.
    assert client.get(f"{URL}?_params").json["row_path"] == told


@pytest.mark.parametrize("form", [None, NOW - 1, NOW])
@pytest.mark.parametrize("same_versions", [True, False])
def test_what_another_release_found_is_looked_at_again(monkeypatch, form, same_versions):
    estimator, schema, _ = passengers(LogisticRegression)
    monkeypatch.setitem(PATHS, TabularEstimator, (RowPath, lambda *_: "it differs"))
    known = {"serves": True, "why": "found then"} | ({"form": form} if form is not None else {})
    one_row = restored(estimator, schema, {"row_path": known}, same_versions)
    if form == NOW and same_versions:
        assert (one_row.path is not None, one_row.why) == (True, "found then")
    else:
        assert (one_row.path, one_row.why) == (None, "it differs")
