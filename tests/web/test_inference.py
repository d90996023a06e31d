"""Open Inference Protocol V2: the endpoints as its models."""

import gzip
import json

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from tritonclient.http import InferenceServerClient, InferInput

from tests.conftest import ROW, titanic_endpoint
from tests.estimators.outside import Untold
from tests.web.conftest import URL, build

pytestmark = pytest.mark.slow
TEXTS = ("Sex", "Embarked")
INFER = "/v2/models/titanic/infer"


def tensors(rows, **changed):
    """An input for each column of the rows."""
    made = {
        name: {"name": name, "shape": [len(rows)], "datatype": "BYTES" if name in TEXTS else "FP64"}
        | {"data": [row[name] for row in rows]}
        for name in rows[0]
    }
    return [entry | changed.get(name, {}) for name, entry in made.items()]


def told(answer, status=200):
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    return answer.json


def test_the_server_tells_of_itself(reader):
    about = told(reader.get("/v2"))
    assert about["name"] == "restimator"
    assert about["extensions"] == ["binary_tensor_data"]
    assert told(reader.get("/v2/health/live")) == {"live": True}
    assert told(reader.get("/v2/health/ready")) == {"ready": True}


def test_metadata_tell_columns_types_and_the_run(reader):
    run = reader.get(f"{URL}?_params").json["run"]
    for path in ("/v2/models/titanic", f"/v2/models/titanic/versions/{run}"):
        found = told(reader.get(path))
        assert (found["name"], found["versions"], found["platform"]) == ("titanic", [run], "LogisticRegression")
        types = {entry["name"]: entry["datatype"] for entry in found["inputs"]}
        assert types == {
            "Pclass": "INT64", "Sex": "BYTES", "Age": "FP64", "SibSp": "INT64", "Parch": "INT64", "Fare": "FP64",
            "Embarked": "BYTES",
        }  # fmt: skip
        assert [(one["name"], one["datatype"], one["shape"]) for one in found["outputs"]] == [
            ("predict", "INT64", [-1]), ("predict_proba", "FP64", [-1, 2]),
        ]  # fmt: skip
        assert told(reader.get(f"{path}/ready")) == {"name": "titanic", "ready": True}


@pytest.mark.parametrize("count", [1, 3, 40])
def test_rows_are_answered_as_at_the_endpoints_own_url(reader, count):
    rows = [ROW | {"Age": 20.5 + number, "Sex": "female" if number % 2 else ""} for number in range(count)]
    rows[0] |= {"Age": None, "Embarked": None}
    body = {"id": "é", "inputs": tensors(rows), "outputs": [{"name": "predict_proba"}, {"name": "predict"}]}
    found = told(reader.post(INFER, json=body))
    assert (found["model_name"], found["id"]) == ("titanic", "é")
    assert found["model_version"] == reader.get(f"{URL}?_params").json["run"]
    proba, labels = found["outputs"]
    assert labels["data"] == reader.post(URL, json=rows).json
    assert labels["datatype"] == "INT64"
    expected = reader.post(f"{URL}?_output=proba", json=rows).json
    assert proba["shape"] == [count, 2]
    assert proba["data"] == [cell for row in expected for cell in row.values()]
    assert json.loads(proba["parameters"]["classes"]) == list(expected[0])


def test_without_outputs_and_id_there_is_the_prediction_alone(reader):
    found = told(reader.post(INFER, json={"inputs": tensors([ROW])}))
    assert "id" not in found
    assert found["outputs"] == [{"name": "predict", "shape": [1], "datatype": "INT64", "data": [0]}]


def test_no_rows_give_no_predictions_of_the_same_types(reader):
    body = {"inputs": tensors([ROW]), "outputs": [{"name": "predict"}, {"name": "predict_proba"}]}
    for entry in body["inputs"]:
        entry |= {"shape": [0], "data": []}
    outputs = told(reader.post(INFER, json=body))["outputs"]
    assert [(one["shape"], one["datatype"], one["data"]) for one in outputs] == [
        ([0], "INT64", []),
        ([0, 2], "FP64", []),
    ]


def test_a_body_may_be_compressed_and_labelled_as_anything(reader):
    body = gzip.compress(json.dumps({"inputs": tensors([ROW])}).encode())
    for kind in (None, "application/x-www-form-urlencoded", "application/octet-stream"):
        answer = reader.post(INFER, data=body, content_type=kind, headers={"Content-Encoding": "gzip"})
        assert told(answer)["outputs"][0]["data"] == [0]


WRONG = {
    "no JSON": (b"{", "not valid JSON"),
    "no object": ([], "must be a JSON object"),
    "a column is missing": ({"inputs": tensors([ROW])[1:]}, "1 column is missing: 'Sex'"),
    "a column twice": ({"inputs": tensors([ROW]) + tensors([ROW])[:1]}, "'Sex' more than once"),
    "other lengths": ({"inputs": tensors([ROW], Age={"shape": [2], "data": [1, 2]})}, "Age has 2, most have 1"),
    "no number": ({"inputs": tensors([ROW], Age={"datatype": "BYTES", "data": ["old"]})}, "Age: 'old' is not a number"),
    "a wide column": ({"inputs": tensors([ROW], Age={"shape": [1, 2], "data": [1, 2]})}, "Age has 2 columns"),
    "all columns in one": (
        {"inputs": [{"name": "all", "shape": [1, 7], "datatype": "FP64", "data": [1] * 7}]},
        "Sex is no column of numbers",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_rows_are_told_as_the_protocol_tells_errors(reader, case):
    body, said = WRONG[case]
    sent = {"data": body} if isinstance(body, bytes) else {"json": body}
    assert said in told(reader.post(INFER, **sent), 400)["error"]


def test_an_integer_beyond_63_bits_is_the_number_that_it_is_in_json(reader):
    tensor = InferInput("Fare", [1], "UINT64")
    tensor.set_data_from_numpy(np.array([2**64 - 1], dtype=np.uint64))
    others = [InferInput(entry["name"], [1], entry["datatype"]) for entry in tensors([ROW]) if entry["name"] != "Fare"]
    for other in others:
        cell = ROW[other.name()]
        of_kind = np.array([cell.encode()], dtype=object) if other.datatype() == "BYTES" else np.array([float(cell)])
        other.set_data_from_numpy(of_kind)
    body, length = InferenceServerClient.generate_request_body([tensor, *others])
    answer = reader.post(INFER, data=body, headers={"Inference-Header-Content-Length": length})
    found = InferenceServerClient.parse_response_body(
        answer.data, header_length=int(answer.headers["Inference-Header-Content-Length"])
    )
    assert found.as_numpy("predict").tolist() == reader.post(URL, json=[ROW | {"Fare": 2**64 - 1}]).json


def test_an_infinite_number_is_named_with_its_place(reader):
    content = json.dumps({"inputs": tensors([ROW], Fare={"parameters": {"binary_data_size": 8}})})
    body = json.loads(content)
    next(entry for entry in body["inputs"] if entry["name"] == "Fare").pop("data")
    head = json.dumps(body).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = told(reader.post(INFER, data=head + np.array([np.inf]).tobytes(), headers=headers), 400)
    assert answer["errors"][0]["pointer"] == "/0/Fare"


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/v2/models/titanc", 404, "did you mean 'titanic'"),
        ("POST", "/v2/models/nothing/infer", 404, "there are titanic"),
        ("POST", "/v2/models/titanic/versions/1/infer", 404, "no version '1' that serves"),
        ("GET", "/v2/models/titanic/versions/1/ready", 404, "no version '1' that serves"),
        ("GET", "/v2/models/titanic/stats", 404, "not found"),
        ("GET", INFER, 405, "this URL takes"),
    ],
)
def test_what_is_not_there_is_told_as_the_protocol_tells_errors(reader, method, path, status, said):
    sent = {"json": {"inputs": tensors([ROW])}} if method == "POST" else {}
    assert said in told(reader.open(path, method=method, **sent), status)["error"]


@pytest.mark.parametrize(("limits", "said"), [({"rows": 2}, "limits.rows"), ({"columns": 3}, "limits.columns")])
def test_limits_hold(make_client, limits, said):
    client = make_client({"titanic": titanic_endpoint()}, limits=limits | {"body_mb": 0.01})
    assert said in told(client.post(INFER, json={"inputs": tensors([ROW] * 3)}), 413)["error"]
    assert "limits.body_mb" in told(client.post(INFER, data=b" " * 20_000), 413)["error"]


def test_names_with_a_slash_and_models_that_nobody_trained(make_client, tmp_path):
    rows = np.array([[0.0, 1.0], [5.0, -1.0]])
    joblib.dump(LogisticRegression().fit(rows, [0.0, 1.0]), tmp_path / "brought.pkl")
    client = make_client(
        {
            "sales/eu": {
                "pattern": "/$YAMLURL/sales/eu",
                "handler": "MLHandler",
                "kwargs": {"model": {"path": "brought.pkl"}},
            },
            "empty": {"pattern": "/empty", "handler": "MLHandler"},
        },
        base_url="base",
    )
    for base in ("", "/base"):
        found = told(client.get(f"{base}/v2/models/sales-eu"))
        assert (found["name"], found["versions"]) == ("sales-eu", [])
        assert {entry["datatype"] for entry in found["inputs"]} == {"FP64"}
        body = {"inputs": [{"name": "any", "shape": [2, 2], "datatype": "FP32", "data": rows.tolist()}]}
        answer = told(client.post(f"{base}/v2/models/sales-eu/infer", json=body))
        assert "model_version" not in answer
        assert answer["outputs"][0] == {"name": "predict", "shape": [2], "datatype": "FP64", "data": [0.0, 1.0]}
        body["inputs"][0] |= {"shape": [1, 4], "data": [1, 2, 3, 4]}
        assert "takes 2 columns" in told(client.post(f"{base}/v2/models/sales-eu/infer", json=body), 400)["error"]
        assert told(client.get(f"{base}/v2/models/empty/ready"), 503) == {"name": "empty", "ready": False}
        assert "no trained model" in told(client.get(f"{base}/v2/models/empty"), 404)["error"]


@pytest.fixture(scope="module")
def untold(tmp_path_factory):
    """A user's model that does not tell how many columns it takes."""
    folder = tmp_path_factory.mktemp("untold")
    joblib.dump(Untold(), folder / "brought.pkl")
    entry = {"pattern": "/untold", "handler": "MLHandler", "kwargs": {"model": {"path": "brought.pkl"}}}
    return build(folder, {"titanic": titanic_endpoint(), "untold": entry}, limits={"rows": 1000, "columns": 50})


@pytest.mark.parametrize("name", ["titanic", "untold"])
@pytest.mark.parametrize(
    ("shape", "status", "said"),
    [
        ([0, 51], 413, "51 columns; 50 are allowed (server.limits.columns)"),
        ([0, 10**15], 413, "server.limits.columns"),
        ([10**15, 0], 413, "server.limits.rows"),
        ([1000, 0], 400, "the rows have 0"),
        ([0, 0], 400, "the rows have 0"),
    ],
)
@pytest.mark.parametrize("binary", [False, True])
def test_a_shape_without_elements_may_not_say_what_it_likes(untold, name, shape, status, said, binary):
    data = {"parameters": {"binary_data_size": 0}} if binary else {"data": []}
    entry = {"name": "x", "shape": shape, "datatype": "FP64"} | data
    answer = told(untold.post(f"/v2/models/{name}/infer", json={"inputs": [entry]}), status)
    assert said in answer["error"] or (name == "titanic" and "no column of numbers" in answer["error"])


def test_a_model_that_is_not_ready_is_503(make_client):
    gone = titanic_endpoint(data={"url": "nowhere.csv"})
    client = make_client({"titanic": titanic_endpoint(), "gone": gone | {"pattern": "/gone"}}, wait=False)
    assert told(client.get("/v2/health/ready"), 503) == {"ready": False}
    assert told(client.get("/v2/models/gone/ready"), 503) == {"name": "gone", "ready": False}
    assert "nowhere.csv" in told(client.post("/v2/models/gone/infer", json={"inputs": tensors([ROW])}), 503)["error"]


@pytest.mark.parametrize(
    ("model", "answer"),
    [("sentiment", "values"), ("pipeline", "records"), ("told", "values"), ("own", "values"), ("ner", "records")],
)
def test_text_models_take_one_column_of_texts(text_reader, model, answer):
    column = "review" if model == "own" else "text"
    found = told(text_reader.get(f"/v2/models/{model}"))
    assert found["inputs"] == [{"name": column, "datatype": "BYTES", "shape": [-1]}]
    texts = ["a good film", 'anna said "no" in größe']
    body = {"inputs": [{"name": column, "shape": [2, 1], "datatype": "BYTES", "data": texts}]}
    (output,) = told(text_reader.post(f"/v2/models/{model}/infer", json=body))["outputs"]
    own = text_reader.post(f"/{model}?_output=values", json=[{column: text} for text in texts]).json
    assert (output["datatype"], output["shape"]) == (found["outputs"][0]["datatype"], [2]) == ("BYTES", [2])
    assert (output["data"] if answer == "values" else list(map(json.loads, output["data"]))) == own


@pytest.mark.parametrize(
    ("model", "datatype", "shape"),
    [
        ({"class": "LinearRegression", "target_col": "Fare"}, "FP64", [-1]),
        ({"class": "PCA", "n_components": 2}, "FP64", [-1, -1]),
        ({"class": "KMeans"}, "INT64", [-1]),
        ({"class": "DecisionTreeClassifier", "target_col": "Embarked"}, "BYTES", [-1]),
    ],
)
def test_the_types_of_predictions_are_those_that_metadata_tell(make_client, titanic, model, datatype, shape):
    names = ["Age", "Fare", "Pclass", *(["Embarked"] if model.get("target_col") == "Embarked" else [])]
    params = {name: value for name, value in model.items() if name == "n_components"}
    options = {name: value for name, value in model.items() if name != "n_components"} | {"params": params}
    entry = titanic_endpoint(model=options | {"include": names})
    client = make_client({"titanic": entry})
    found = told(client.get("/v2/models/titanic"))
    (prediction,) = [one for one in found["outputs"] if one["name"] == "predict"]
    assert (prediction["datatype"], prediction["shape"]) == (datatype, shape)
    width = len(found["inputs"])
    body = {"inputs": [{"name": "rows", "shape": [3, width], "datatype": "INT32", "data": [[1] * width] * 3}]}
    output = told(client.post(INFER, json=body))["outputs"][0]
    assert (output["datatype"], len(output["shape"]), output["shape"][0]) == (datatype, len(shape), 3)
    row = {entry["name"]: 1 for entry in found["inputs"]}
    assert np.reshape(output["data"], output["shape"]).tolist() == client.post(URL, json=[row] * 3).json
