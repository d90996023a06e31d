"""GET: predictions, the page, and the views."""

import io
import subprocess
import sys
from urllib.parse import urlencode

import pandas as pd
import pytest

from tests.conftest import ROW
from tests.web.conftest import FORM, URL, assert_problem

READ = {
    "csv": pd.read_csv,
    "xlsx": pd.read_excel,
    "parquet": pd.read_parquet,
    "jsonl": lambda content: pd.read_json(content, lines=True),
    "json": pd.read_json,
}


def test_a_row_in_the_query_is_one_prediction(reader):
    answer = reader.get(f"{URL}?Sex=male&Age=22&SibSp=1&Parch=0&Fare=7.25&Pclass=3&Embarked=S")
    assert (answer.status_code, answer.content_type, answer.json) == (200, "application/json", [0])


def test_a_parameter_given_n_times_makes_n_rows_and_one_given_once_is_repeated(reader):
    answer = reader.get(URL, query_string=ROW | {"Sex": ["male", "female", "male"], "Pclass": [3, 1, 3]})
    assert answer.json == [0, 1, 0]


def test_columns_of_different_length_are_refused_with_their_lengths(reader):
    answer = reader.get(URL, query_string=ROW | {"Sex": ["male", "female", "male"], "Age": [22, 30]})
    assert_problem(answer, 400, "Sex: 3", "Age: 2")


@pytest.mark.parametrize(("option", "nearest"), [("_outptu", "_output"), ("_fromat", "_format"), ("_modle", "_model")])
def test_an_unknown_option_is_refused_with_the_nearest(reader, option, nearest):
    assert_problem(reader.get(URL, query_string=ROW | {option: "records"}), 400, option, repr(nearest))


def test_underscore_and_xsrf_are_ignored(reader):
    assert reader.get(URL, query_string=ROW | {"_": "1700000000", "_xsrf": "2|abc"}).json == [0]
    assert reader.get(URL, query_string={"_": "1"}).content_type.startswith("text/html")


def test_extra_columns_are_ignored(reader):
    assert reader.get(URL, query_string=ROW | {"Cabin": "C85", "colour": "blue"}).json == [0]


def test_columns_may_come_as_the_form_of_a_get(reader):
    body = urlencode(ROW | {"Sex": ["male", "female"], "Pclass": [3, 1]}, doseq=True)
    assert reader.get(URL, data=body, content_type=FORM).json == [0, 1]


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        (ROW, [0]),
        ([ROW, ROW | {"Sex": "female", "Pclass": 1}], [0, 1]),
        ({name: [value, value] for name, value in ROW.items()}, [0, 0]),
    ],
    ids=["object", "records", "columns"],
)
def test_columns_may_come_as_the_json_of_a_get(reader, body, answers):
    assert reader.get(URL, json=body).json == answers


def test_get_does_nothing_but_predict(reader):
    assert_problem(reader.get(URL, query_string=ROW | {"_action": "retrain"}), 400, "_action=retrain", "POST")
    assert reader.get(URL, query_string=ROW | {"_action": "predict"}).json == [0]


def test_nothing_asked_is_the_page(reader):
    answer = reader.get(URL)
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert "LogisticRegression" in answer.text
    assert "Survived" in answer.text


def test_without_a_model_the_page_stays_and_the_rest_is_404(make_client):
    client = make_client({"empty": {"pattern": "/empty", "handler": "MLHandler"}})
    assert client.get("/empty").status_code == 200
    assert client.get("/empty?_cache").json == []
    for query in ("x=1", "_model", "_download"):
        assert_problem(client.get(f"/empty?{query}"), 404, "empty", "_action=train")


def test_model_gives_class_and_all_parameters(reader):
    answer = reader.get(f"{URL}?_model").json
    assert set(answer) == {"params", "model"}
    assert answer["model"] == "LogisticRegression"
    assert answer["params"].items() >= {"C": 1.0, "fit_intercept": True, "max_iter": 100, "solver": "lbfgs"}.items()


def test_params_gives_options_parameters_and_what_was_learned(reader):
    answer = reader.get(f"{URL}?_params").json
    assert answer["opts"] == {
        "include": [],
        "exclude": ["PassengerId", "Ticket", "Cabin", "Name"],
        "dropna": True,
        "drop_duplicates": True,
        "pipeline": True,
        "nums": [],
        "cats": ["Embarked", "SibSp", "Parch", "Pclass", "Sex"],
        "target_col": "Survived",
        "index_col": None,
    }
    assert answer["params"]["class"] == "LogisticRegression"
    assert answer["attrs"]["classes_"] == [0, 1]
    assert len(answer["attrs"]["coef_"][0]) == answer["attrs"]["n_features_in_"]
    assert answer["stale"] is False


@pytest.mark.parametrize("name", ["DecisionTreeClassifier", "RandomForestClassifier", "KNeighborsClassifier", "SVC"])
def test_params_are_the_same_in_every_process(client, name):
    assert client.post(f"{URL}?_action=train&class={name}").status_code == 200
    assert "object at 0x" not in client.get(f"{URL}?_params").text


def test_cache_is_the_training_data_as_records(reader, titanic):
    rows = reader.get(f"{URL}?_cache").json
    assert len(rows) == 891
    assert list(rows[0]) == list(titanic.columns)
    assert rows[0]["Name"] == "Braund, Mr. Owen Harris"
    assert rows[5]["Age"] is None


@pytest.mark.parametrize("name", sorted(READ))
def test_cache_comes_in_every_format(reader, titanic, name):
    answer = reader.get(f"{URL}?_cache&_format={name}")
    rows = READ[name](io.BytesIO(answer.get_data()))
    pd.testing.assert_frame_equal(rows, titanic, check_dtype=False)


def test_cache_comes_as_hdf5(reader, titanic, tmp_path):
    (tmp_path / "cache.h5").write_bytes(reader.get(f"{URL}?_cache&_format=h5").get_data())
    rows = pd.read_hdf(tmp_path / "cache.h5")
    assert len(rows) == 891
    assert rows["Survived"].tolist() == titanic["Survived"].tolist()


def test_cache_refuses_an_unknown_format_with_the_nearest(reader):
    assert_problem(reader.get(f"{URL}?_cache&_format=xslx"), 400, "'xlsx'")


@pytest.mark.slow
def test_the_download_is_the_model_and_loads_without_this_server(reader, tmp_path):
    answer = reader.get(f"{URL}?_download")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=model.pkl")
    (tmp_path / "model.pkl").write_bytes(answer.get_data())
    answer.close()
    code = (
        "import joblib, pandas, sys; model = joblib.load('model.pkl'); "
        f"print(model.predict(pandas.DataFrame([{ROW!r}]))[0], 'server' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]


def test_an_empty_output_is_told_by_every_door(reader):
    assert_problem(reader.get(URL, query_string=ROW | {"_output": ""}), 400, "_output")
    assert_problem(reader.post(f"{URL}?_output=", json=[ROW]), 400, "_output")
    assert_problem(reader.post(f"{URL}?_output=", json=[]), 400, "_output")
