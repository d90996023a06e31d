"""Bad input is a clear 4xx that names the thing, and changes nothing."""

import io
import json
import pickle

import joblib
import pandas as pd
import pytest

from tests.conftest import ROOT, ROW, TITANIC_MODEL, titanic_endpoint
from tests.web.conftest import URL, assert_problem

pytestmark = pytest.mark.slow

CSV = (ROOT / "data" / "titanic.csv").read_bytes()
ACTIONS = ("predict", "score", "append", "train", "retrain")
PASSENGER = {"PassengerId": 892, "Survived": 1, "Name": "A, B", "Ticket": "T", "Cabin": None} | ROW


def hdf5() -> bytes:
    return b"\x89HDF\r\n\x1a\n" + bytes(64)


BODIES = {
    "a number": (b"5", "application/json", 400, ["JSON"]),
    "a text": (b'"male"', "application/json", 400, ["JSON"]),
    "a list of numbers": (b"[1, 2, 3]", "application/json", 400, ["row 1", "object"]),
    "broken JSON": (b'[{"Sex": "male"', "application/json", 400, ["not valid JSON"]),
    "NaN": (json.dumps([ROW | {"Age": float("nan")}]).encode(), "application/json", 400, ["NaN", "null"]),
    "Infinity": (json.dumps([ROW | {"Age": float("inf")}]).encode(), "application/json", 400, ["Infinity"]),
    "columns of unequal length": (b'{"a": [1, 2], "b": [1]}', "application/json", 400, ["unequal"]),
    "a ragged CSV": (b"Sex,Age\nmale,22\nfemale\n", "text/csv", 400, ["regular CSV", "3"]),
    "a CSV with a row too long": (b"Sex,Age\nmale,22,1\n", "text/csv", 400, ["regular CSV", "2"]),
    "duplicate headers": (b"Sex,Age,Sex\nmale,22,male\n", "text/csv", 400, ["'Sex'", "more than once"]),
    "Latin-1": ("Name\nZoë\n".encode("latin-1"), "text/csv", 400, ["UTF-8"]),
    "a pickle": (pickle.dumps([ROW]), "application/octet-stream", 415, ["pickle"]),
    "a pickle called a CSV": (pickle.dumps([ROW]), "text/csv", 415, ["pickle"]),
    "HDF5": (hdf5(), "application/octet-stream", 415, ["HDF5"]),
    "HTML": (b"<html><body>no table</body></html>", "text/html", 415, ["format"]),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "image/png", 415, ["format"]),
    "random bytes": (bytes(range(128, 256)) * 4, "application/octet-stream", 415, ["format"]),
    "no XLSX": (b"PK\x03\x04 and nothing else", "application/octet-stream", 415, ["format"]),
    "an XLSX cut off": (b"PK\x03\x04" + bytes(100), "application/vnd.ms-excel", 415, ["format"]),
    "no Parquet": (b"PAR1 and nothing else", "application/octet-stream", 400, ["Parquet"]),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("name", list(BODIES))
def test_a_body_that_is_no_table_is_refused(reader, unchanged, name, action):
    body, content_type, status, words = BODIES[name]
    with unchanged(reader):
        answer = reader.post(f"{URL}?_action={action}", data=body, content_type=content_type)
        assert_problem(answer, status, *words)


@pytest.mark.parametrize(("name", "content"), [("model.pkl", pickle.dumps(1)), ("data.h5", hdf5()), ("a.csv", hdf5())])
def test_a_pickle_or_hdf5_file_is_refused(reader, name, content):
    answer = reader.post(URL, data={"file": (io.BytesIO(content), name)})
    assert_problem(answer, 415, name)


@pytest.mark.parametrize("cell", ["old", "22 years", "inf", "-inf", "1e999", [22], {"years": 22}])
def test_a_cell_of_the_wrong_type_names_row_and_column(reader, cell):
    document = assert_problem(reader.post(URL, json=[ROW, ROW | {"Age": cell}]), 400, "Age")
    assert "row 2" in document["detail"]
    assert document["errors"][0]["pointer"] == "/1/Age"


@pytest.mark.parametrize("value", ["old", "inf", "nan"])
def test_a_wrong_value_in_the_query_names_its_column(reader, value):
    assert_problem(reader.get(URL, query_string=ROW | {"Age": value}), 400, "Age", value)


@pytest.mark.parametrize("name", ["Sex", "Age", "Embarked"])
@pytest.mark.parametrize("action", ["predict", "score"])
def test_a_missing_column_is_named(reader, name, action):
    rows = [{column: value for column, value in PASSENGER.items() if column != name}]
    assert_problem(reader.post(f"{URL}?_action={action}", json=rows), 400, f"'{name}'", "missing")


def test_a_misspelt_column_is_named_beside_the_right_one(reader):
    rows = [{name.replace("Pclass", "PClass"): value for name, value in ROW.items()}]
    assert_problem(reader.post(URL, json=rows), 400, "'Pclass'", "'PClass'")


def test_a_missing_target_is_named_when_scoring(reader):
    assert_problem(reader.post(f"{URL}?_action=score", json=[ROW]), 400, "'Survived'")
    assert_problem(reader.post(f"{URL}?_action=score", json=[ROW | {"Survived": None}]), 400, "Survived")
    assert_problem(reader.post(f"{URL}?_action=score&target_col=Survivde", json=[PASSENGER]), 400, "'Survived'")


def test_a_score_of_labels_that_are_no_labels_is_refused(reader):
    assert_problem(reader.post(f"{URL}?_action=score", json=[PASSENGER | {"Survived": "yes"}]), 400, "Survived")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("_action=predcit", ["'predcit'", "'predict'"]),
        ("_action=shutdown", ["'shutdown'", "retrain"]),
        ("_action=", ["_action"]),
        ("_action=score&_action=train", ["_action"]),
        ("_action=score&_metric=acuracy", ["'acuracy'", "'accuracy'"]),
        ("_action=score&_metric=os.system", ["'os.system'"]),
        ("_action=score&_metric=neg_log_los", ["'neg_log_loss'"]),
    ],
)
def test_an_unknown_action_or_metric_is_named(reader, unchanged, query, words):
    with unchanged(reader):
        assert_problem(reader.post(f"{URL}?{query}", data=CSV, content_type="text/csv"), 400, *words)


@pytest.mark.parametrize(
    "name", ["os.system", "subprocess.Popen", "builtins.eval", "sklearn.linear_model", "pickle.loads", "../SVC", "str"]
)
@pytest.mark.parametrize("action", ["put", "train"])
def test_a_class_that_is_not_scikit_learns_is_refused(reader, unchanged, name, action):
    with unchanged(reader):
        query = {"class": name} | ({"_action": "train"} if action == "train" else {})
        answer = reader.put(URL, query_string=query) if action == "put" else reader.post(URL, query_string=query)
        assert_problem(answer, 400, name)


@pytest.mark.parametrize(
    ("query", "rows", "words"),
    [
        ("target_col=Survivde", None, ["'Survivde'", "'Survived'"]),
        ("", "one class", ["one class"]),
        ("", "one row", ["class"]),
        ("class=LinearRegression&target_col=Sex", None, ["text"]),
        ("C=-1", None, ["'C'"]),
        ("exclude=Sex&include=nothing", None, ["include"]),
        ("class=PCA&n_components=500", None, ["n_components"]),
        ("class=MultinomialNB", None, ["MultinomialNB"]),
        ("max_itre=3", None, ["'max_iter'"]),
    ],
)
def test_a_training_that_cannot_be_is_refused_and_changes_nothing(client, unchanged, titanic, query, rows, words):
    chosen = {"one class": titanic[titanic["Survived"] == 1], "one row": titanic.head(1)}.get(rows)
    body = {} if chosen is None else {"data": chosen.to_csv(index=False).encode(), "content_type": "text/csv"}
    with unchanged(client):
        assert_problem(client.post(f"{URL}?_action=train&{query}", **body), 400, *words)


@pytest.mark.parametrize(
    "content", [b"not a pickle", b"", joblib, {"no": "model"}], ids=["text", "empty", "cut", "dict"]
)
def test_a_stored_model_that_is_no_model_is_503_and_named(client, tmp_path, content):
    path = tmp_path / "models" / "titanic" / "model.pkl"
    if content is joblib:
        path.write_bytes(path.read_bytes()[:500])
    elif isinstance(content, dict):
        joblib.dump(content, path)
    else:
        path.write_bytes(content)
    for answer in (
        client.get(URL, query_string=ROW),
        client.post(URL, json=[ROW]),
        client.post(f"{URL}?_action=score"),
    ):
        assert_problem(answer, 503, "model.pkl")
    assert client.get(URL).status_code == 200
    assert "model.pkl" in client.get("/readyz").json["endpoints"]["titanic"]
    assert len(client.get(f"{URL}?_cache").json) == 891
    assert client.post(f"{URL}?_action=retrain").status_code == 200
    assert client.get(URL, query_string=ROW).json == [0]


def test_both_rows_and_a_file_are_refused(reader):
    data = ROW | {"file": (io.BytesIO(CSV), "titanic.csv")}
    assert_problem(reader.post(URL, data=data), 400, "Sex", "one way")


def test_files_of_different_columns_are_refused(reader):
    data = {"a": (io.BytesIO(CSV), "a.csv"), "b": (io.BytesIO(b"Sex\nmale\n"), "b.csv")}
    assert_problem(reader.post(URL, data=data), 400, "b.csv")


def test_a_column_excluded_in_every_row_is_no_feature(make_client):
    client = make_client(
        {"titanic": titanic_endpoint(model=TITANIC_MODEL | {"exclude": list(pd.read_csv(io.BytesIO(CSV)))})}, wait=False
    )
    assert_problem(client.get(URL, query_string=ROW), 503, "titanic")


def test_a_target_of_lists_or_objects_is_not_learned_from(client, unchanged):
    for target in (["a"], {"a": 1}):
        with unchanged(client):
            answer = client.post(f"{URL}?_action=train", json=[ROW | {"Survived": target}, ROW | {"Survived": target}])
            assert_problem(answer, 400, "'Survived'", "lists or objects")
