"""POST: predict, score, append, train; rows from JSON, files, bodies and forms."""

import io
import json

import pandas as pd
import pytest
from sklearn.metrics import f1_score

from tests.conftest import ROOT, ROW
from tests.web.conftest import URL, assert_problem

pytestmark = pytest.mark.slow

WOMAN = ROW | {"Sex": "female", "Pclass": 1}
PASSENGER = {"PassengerId": 892, "Survived": 1, "Name": "A, B", "Ticket": "T", "Cabin": None} | ROW
CSV = (ROOT / "data" / "titanic.csv").read_bytes()
HEADER = CSV.splitlines()[0]


def upload(content: bytes, name: str):
    return io.BytesIO(content), name


@pytest.mark.parametrize("query", ["", "?_action=predict"])
def test_json_rows_are_predicted_in_their_order(reader, query):
    answer = reader.post(URL + query, json=[ROW, WOMAN, ROW, WOMAN])
    assert answer.json == [0, 1, 0, 1]


def test_json_columns_are_predicted_as_the_same_rows(reader):
    rows = [ROW, WOMAN, ROW | {"Age": None}]
    columns = {name: [row[name] for row in rows] for name in ROW}
    for query in ("", "?_output=records"):
        assert reader.post(URL + query, json=columns).data == reader.post(URL + query, json=rows).data
    # BLAS adds in another order for one row than for three, by what the processor can.
    singly, together = (reader.post(f"{URL}?_output=proba", json=sent).json for sent in (rows, columns))
    assert singly == [pytest.approx(known, rel=1e-12) for known in together]


@pytest.mark.parametrize(
    ("change", "detail", "pointer"),
    [
        ({"Age": [22]}, "'Age' has 1 values, 'Embarked' has 2", "/Age"),
        ({"Age": [[22], [38]]}, "row 1, Age: [22] is not a number", "/0/Age"),
        ({"Sex": ["male", ["female"]]}, "row 2, Sex: the value is a list, and others are none", "/1/Sex"),
        ({"Sex": [["male"], ["female"]]}, "row 1, Sex: ['male'] is not text", "/0/Sex"),
        ({"Age": 22}, "row 1, Pclass: [3, 1] is not a number", "/0/Pclass"),
    ],
)
def test_a_json_column_of_another_length_or_depth_is_named(reader, change, detail, pointer):
    columns = {name: [ROW[name], WOMAN[name]] for name in ROW} | change
    answer = reader.post(URL, json=columns)
    assert_problem(answer, 400, detail)
    assert answer.json["errors"][0]["pointer"] == pointer


def test_a_raw_body_is_read_by_its_content_type(reader):
    answer = reader.post(URL, data=CSV, content_type="text/csv")
    assert len(answer.json) == 891
    assert set(answer.json) == {0, 1}


def test_several_files_of_any_field_name_are_concatenated(reader):
    rows = pd.DataFrame([ROW, WOMAN])
    files = {
        "this": upload(rows.to_csv(index=False).encode(), "a.csv"),
        "that": upload(json.dumps([WOMAN]).encode(), "b.json"),
    }
    assert reader.post(URL, data=files).json == [0, 1, 1]


def test_options_may_be_fields_of_a_form_beside_a_file(reader):
    fields = {"file": upload(CSV, "titanic.csv"), "_action": "score", "_metric": "roc_auc"}
    assert 0.8 < reader.post(URL, data=fields).json["score"] < 0.9


def test_form_fields_are_rows(reader):
    assert reader.post(URL, data=ROW | {"_xsrf": "2|abc"}).json == [0]


def test_no_rows_are_no_predictions(reader):
    assert reader.post(URL).json == []
    assert reader.post(URL, json=[]).json == []
    for header in (HEADER, HEADER + b"\n"):
        assert reader.post(URL, data=header, content_type="text/csv").json == []


@pytest.mark.parametrize("action", ["score", "append", "train", "retrain"])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(HEADER + b"\n", "text/csv"), (HEADER, "text/csv"), (b"[]", "application/json")],
    ids=["csv", "csv without line end", "json"],
)
def test_a_table_without_rows_is_refused_where_rows_are_needed(client, unchanged, action, body, content_type):
    with unchanged(client):
        answer = client.post(f"{URL}?_action={action}", data=body, content_type=content_type)
        assert_problem(answer, 400, "no rows")


def test_append_needs_rows(client):
    assert_problem(client.post(f"{URL}?_action=append"), 400, "no rows")


def test_score_without_rows_scores_the_stored_data(reader):
    assert 0.78 < reader.post(f"{URL}?_action=score").json["score"] < 0.85


def test_a_score_is_of_the_rows_posted(reader, titanic):
    women = titanic[titanic["Sex"] == "female"]
    csv = women.to_csv(index=False).encode()
    predictions = reader.post(URL, data=csv, content_type="text/csv").json
    for metric, expected in [
        ("", (women["Survived"] == predictions).mean()),
        ("&_metric=f1", f1_score(women["Survived"], predictions)),
    ]:
        answer = reader.post(f"{URL}?_action=score{metric}", data=csv, content_type="text/csv")
        assert answer.json == {"score": pytest.approx(expected)}


def test_append_adds_the_rows_after_those_there(client):
    answer = client.post(f"{URL}?_action=append", json=[PASSENGER, PASSENGER | {"PassengerId": 893}])
    assert answer.json == {"rows": 893, "appended": 2}
    assert [row["PassengerId"] for row in client.get(f"{URL}?_cache").json][-3:] == [891, 892, 893]


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([PASSENGER, PASSENGER | {"Age": "old"}], "Age"),
        ([PASSENGER | {"colour": "blue"}], "colour"),
        ([{name: value for name, value in PASSENGER.items() if name != "Fare"}], "Fare"),
    ],
    ids=["wrong type", "new column", "missing column"],
)
def test_append_of_another_schema_adds_nothing(client, unchanged, rows, word):
    with unchanged(client):
        assert_problem(client.post(f"{URL}?_action=append", json=rows), 409, word)


@pytest.mark.parametrize("name", ["a,b", "a;b", "a|b|c", "a\tb", 'a"b', "a\nb"])
def test_form_fields_are_appended_whatever_their_names_and_values(make_client, name):
    client = make_client({"any": {"pattern": "/any", "handler": "MLHandler"}})
    assert client.post("/any?_action=append", data={name: "x,y;z", "n": "3"}).status_code == 200
    assert client.post("/any?_action=append", data={name: 'line\n"two"', "n": "4"}).status_code == 200
    assert client.get("/any?_cache").json == [{name: "x,y;z", "n": 3}, {name: 'line\n"two"', "n": 4}]


@pytest.mark.parametrize("action", ["train", "retrain"])
def test_training_without_rows_uses_the_stored_ones(client, action):
    assert 0.78 < client.post(f"{URL}?_action={action}").json["score"] < 0.85
    assert len(client.get(f"{URL}?_cache").json) == 891


def test_rows_trained_on_become_the_training_data(client, titanic):
    rows = titanic.head(400)
    answer = client.post(f"{URL}?_action=train", data=rows.to_csv(index=False).encode(), content_type="text/csv")
    assert 0.7 < answer.json["score"] < 0.9
    assert len(client.get(f"{URL}?_cache").json) == 400


@pytest.mark.parametrize("name", ["target_col", "_target_col"])
@pytest.mark.parametrize("place", ["query", "form"])
def test_the_target_may_be_set_with_a_training(client, name, place):
    query = {"_action": "retrain"} | ({name: "Pclass"} if place == "query" else {})
    data = {"file": upload(CSV, "titanic.csv")} | ({name: "Pclass"} if place == "form" else {})
    assert client.post(URL, query_string=query, data=data).status_code == 200
    assert client.get(f"{URL}?_params").json["opts"]["target_col"] == "Pclass"
    row = {key: value for key, value in ROW.items() if key != "Pclass"} | {"Survived": 1}
    assert client.get(URL, query_string=row).json[0] in (1, 2, 3)


def test_training_a_transformer_answers_what_it_learned(client):
    client.put(f"{URL}?class=PCA&n_components=2")
    answer = client.post(f"{URL}?_action=train").json
    assert len(answer["singular_values_"]) == 2
    assert len(client.get(URL, query_string=ROW | {"Survived": 0}).json[0]) == 2


def test_integer_column_names_become_strings(make_client):
    client = make_client({"pca": {"pattern": "/pca", "handler": "MLHandler", "kwargs": {"model": {"class": "PCA"}}}})
    sheet = io.BytesIO()
    pd.DataFrame([[1.0, 2.0], [2.0, 1.0], [3.5, 0.5]]).to_excel(sheet, index=False)
    assert client.post("/pca?_action=train", data={"file": upload(sheet.getvalue(), "x.xlsx")}).status_code == 200
    assert list(client.get("/pca?_cache").json[0]) == ["0", "1"]
    assert len(client.get("/pca?0=1&1=2").json) == 1
