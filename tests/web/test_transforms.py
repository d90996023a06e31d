"""Transforms over HTTP: the guide's circles, every door, every action, and what goes wrong."""

import io

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from server.errors import ConfigError
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow

# The function as the guide prints it, without an import of np.
PRINTED = """
def transform(df, *args, **kwargs):
    df[['X1', 'X2']] = np.exp(-df[['X1', 'X2']].values ** 2)
    return df
"""
IN_PLACE = PRINTED.replace("    return df\n", "")
EXPRESSION = "data.assign(X1=np.exp(-data.X1 ** 2), X2=np.exp(-data.X2 ** 2))"
URL = "/circlebasic"
POINT = {"X1": 0.1, "X2": -0.2}
OUTER = {"X1": -0.9, "X2": 0.5}


def circles(transform=None, **changes):
    """The guide's endpoint."""
    data = {"url": "$YAMLPATH/data/circles.csv"} | ({"transform": transform} if transform else {})
    kwargs = {"xsrf_cookies": False, "data": data, "model": {"class": "LogisticRegression", "target_col": "y"}}
    return {"mlhandler-basiccircles": {"pattern": URL, "handler": "MLHandler", "kwargs": kwargs | changes}}


@pytest.fixture
def mymodule(tmp_path):
    """Write mymodule.py beside the configuration."""

    def write(text=PRINTED):
        path = tmp_path / "mymodule.py"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def unchanged_circles(unchanged):
    """`with unchanged_circles(client):` fails if the endpoint answers otherwise afterwards."""
    return lambda client: unchanged(client, URL)


def retrain(client, **body):
    return client.post(f"{URL}?_action=retrain", **body)


def test_without_a_transform_the_guides_circles_cannot_be_told_apart(make_client):
    assert make_client(circles()).post(f"{URL}?_action=score").json["score"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("text", ["mymodule.transform", "mymodule.transform(data)", EXPRESSION])
@pytest.mark.parametrize("module", [PRINTED, IN_PLACE], ids=["as printed", "in place"])
def test_with_it_they_can(make_client, mymodule, text, module):
    mymodule(module)
    client = make_client(circles(text))
    assert client.post(f"{URL}?_action=score").json["score"] >= 0.99
    assert retrain(client).json["score"] >= 0.99
    assert [client.get(URL, query_string=row).json for row in (POINT, OUTER)] == [[1], [0]]


def test_what_is_stored_are_the_raw_rows(make_client, mymodule):
    mymodule()
    client = make_client(circles("mymodule.transform"))
    raw = pd.read_csv(mymodule().parent / "data" / "circles.csv")
    for _ in range(2):
        client.post(URL, json=[POINT])
        pd.testing.assert_frame_equal(pd.DataFrame(client.get(f"{URL}?_cache").json)[["X1", "X2", "y"]], raw)
        retrain(client)


def test_appended_rows_are_transformed_when_they_are_trained_on(make_client, mymodule):
    mymodule()
    client = make_client(circles("mymodule.transform"))
    rows = [POINT | {"y": 1}, OUTER | {"y": 0}]
    assert client.post(f"{URL}?_action=append", json=rows).json == {"rows": 502, "appended": 2}
    assert client.get(f"{URL}?_cache").json[-2:] == rows
    assert retrain(client).json["score"] >= 0.99
    assert client.post(f"{URL}?_action=score").json["score"] >= 0.99


def test_posted_rows_are_transformed_to_train_and_to_score(make_client, mymodule):
    mymodule()
    client = make_client(circles("mymodule.transform"), wait=False)
    content = (mymodule().parent / "data" / "circles.csv").read_bytes()
    answer = retrain(client, data={"file": (io.BytesIO(content), "circles.csv")})
    assert answer.json["score"] >= 0.99
    answer = client.post(f"{URL}?_action=score", data={"file": (io.BytesIO(content), "circles.csv")})
    assert answer.json["score"] >= 0.99


def test_a_second_server_on_the_same_folder_predicts_the_same(make_client, mymodule):
    mymodule()
    first = make_client(circles("mymodule.transform"))
    second = make_client(circles("mymodule.transform"))
    assert retrain(first).status_code == 200
    for row in (POINT, OUTER):
        query = row | {"_output": "proba"}
        assert first.get(URL, query_string=query).json == second.get(URL, query_string=query).json


@pytest.mark.parametrize("now", [None, "data.assign(X1=0 * data.X1)"], ids=["removed", "another"])
def test_a_model_keeps_the_transform_of_its_training(make_client, now):
    asked = {"query_string": POINT | {"_output": "proba"}}
    before = make_client(circles(EXPRESSION)).get(URL, **asked).json
    client = make_client(circles(now))
    assert client.get(f"{URL}?_params").json["stale"] is True
    assert client.get(URL, **asked).json == before
    assert client.post(f"{URL}?_action=score").json["score"] >= 0.99
    assert retrain(client).json["score"] < 0.8
    assert client.get(f"{URL}?_params").json["stale"] is False
    assert client.get(URL, **asked).json != before


def test_a_configured_transform_waits_for_the_next_training(make_client):
    make_client(circles())
    client = make_client(circles(EXPRESSION))
    assert client.get(f"{URL}?_params").json["stale"] is True
    assert client.post(f"{URL}?_action=score").json["score"] < 0.7
    assert retrain(client).json["score"] >= 0.99


def test_an_edited_file_is_stale_until_the_next_training(make_client, mymodule):
    path = mymodule()
    client = make_client(circles("mymodule.transform"))
    assert client.get(f"{URL}?_params").json["stale"] is False
    path.write_text(PRINTED.replace("np.exp", "np.sin"))
    assert client.get(f"{URL}?_params").json["stale"] is True
    assert retrain(client).status_code == 200
    assert client.get(f"{URL}?_params").json["stale"] is False


def test_a_file_that_is_gone_is_said_and_then_back(make_client, mymodule):
    path = mymodule()
    client = make_client(circles("mymodule.transform"))
    path.unlink()
    assert_problem(client.get(URL, query_string=POINT), 503, "no module 'mymodule'")
    assert client.get("/readyz").status_code == 503
    assert client.get(URL).status_code == 200
    assert client.get(f"{URL}?_params").json["stale"] is True
    mymodule()
    assert client.get(URL, query_string=POINT).json == [1]


@pytest.mark.parametrize(
    ("text", "module", "words"),
    [
        ("mymodul.transform", PRINTED, ["no module 'mymodul'", "did you mean 'mymodule'"]),
        ("mymodule.transfrom", PRINTED, ["no function 'transfrom'", "did you mean 'transform'"]),
        ("mymodule.transform", "def transform(:\n", ["SyntaxError"]),
        ("mymodule.transform", "1 / 0\n", ["ZeroDivisionError"]),
        ("data.assign(", PRINTED, ["neither a module.function nor an expression over data"]),
    ],
)
def test_a_transform_that_cannot_be_stops_the_start(make_client, mymodule, text, module, words):
    mymodule(module)
    with pytest.raises(ConfigError) as caught:
        make_client(circles(text))
    assert "url.mlhandler-basiccircles.kwargs.data.transform: " in caught.value.detail
    for word in words:
        assert word in caught.value.detail


@pytest.mark.parametrize("action", ["predict", "score"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data[data.X1 > 0]", ["made 1 rows of 2"]),
        ("data.iloc[1:] if len(data) < 500 else data", ["made 1 rows of 2"]),
        ("pd.concat([data, data])", ["made 4 rows of 2"]),
        ("data if len(data) > 2 else data.X1", ["returned a Series"]),
        ("data if len(data) > 2 else list(data)", ["returned a list"]),
        ("data if len(data) > 2 else data.nope", ["AttributeError"]),
        ("data if len(data) > 2 else 1 / 0", ["ZeroDivisionError"]),
        ("data if len(data) > 2 else pd.concat([data, data], axis=1)", ["more than once"]),
    ],
)
def test_each_posted_row_must_stay_one_row(make_client, unchanged_circles, action, text, words):
    client = make_client(circles(text))
    with unchanged_circles(client):
        rows = [POINT | {"y": 1}, OUTER | {"y": 0}]
        assert_problem(client.post(f"{URL}?_action={action}", json=rows), 400, "the transform", *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data.X1", "returned a Series"),
        ("data.iloc[:0]", "left no rows"),
        ("data.assign(X1=1 / 0)", "ZeroDivisionError"),
        ("data.drop(columns='y')", "target column 'y'"),
        ("data.assign(z=object())", "which holds something else than"),
        ("data.assign(z=pd.period_range('2020', periods=len(data), freq='D'))", "the column 'z' of type period[D]"),
    ],
)
def test_a_training_that_the_transform_spoils_changes_nothing(make_client, unchanged_circles, text, words):
    make_client(circles())
    client = make_client(circles(text))
    with unchanged_circles(client):
        assert_problem(retrain(client), 400, words)


def test_a_first_training_that_the_transform_spoils_is_said(make_client):
    client = make_client(circles("data.assign(X1=1 / 0)"), wait=False)
    client.get(URL, query_string=POINT)
    while "is running" in (answer := client.get(URL, query_string=POINT)).get_data(as_text=True):
        pass
    assert_problem(answer, 503, "first training failed", "ZeroDivisionError")


def test_a_missing_column_is_named(make_client, mymodule):
    mymodule()
    client = make_client(circles("mymodule.transform"))
    document = assert_problem(client.get(f"{URL}?X1=0.1"), 400, "needs columns that are missing: 'X2'")
    assert document["errors"][0]["pointer"] == "/X2"
    assert_problem(client.get(f"{URL}?X1=0.1&x_2=0.1"), 400, "'X2'", "did you mean 'x_2'")
    assert_problem(client.get(f"{URL}?X1=far&X2=0.1"), 400, "row 1, X1: 'far' is not a number")


def test_further_columns_are_ignored_and_outputs_align(make_client):
    client = make_client(circles(EXPRESSION))
    rows = [POINT | {"note": "in"}, OUTER | {"note": "out"}]
    assert client.post(URL, json=rows).json == [1, 0]
    assert client.post(f"{URL}?_output=records", json=rows).json == [rows[0] | {"y": 1}, rows[1] | {"y": 0}]
    proba = client.post(f"{URL}?_output=proba", json=rows).json
    assert [max(row, key=row.get) for row in proba] == ["1", "0"]
    assert client.post(URL, json=[]).json == []


@pytest.mark.parametrize("text", ["data.sort_values('X1')", "data.sample(frac=1)", "data[::-1]"])
def test_predictions_stay_with_their_rows(make_client, text):
    client = make_client(circles(f"({text}).assign(X1=lambda d: np.exp(-d.X1 ** 2), X2=lambda d: np.exp(-d.X2 ** 2))"))
    rows = client.get(f"{URL}?_cache").json
    points = [{"X1": row["X1"], "X2": row["X2"]} for row in rows]
    assert client.post(URL, json=points).json == [row["y"] for row in rows]


def test_a_transform_that_needs_the_target_is_refused_where_there_is_none(make_client):
    client = make_client(circles("data.assign(z=data['y'])"))
    assert_problem(client.get(URL, query_string=POINT), 400, "needs columns that are missing: 'y'")
    assert client.post(f"{URL}?_action=score", json=[POINT | {"y": 1}]).json == {"score": 1.0}


@pytest.mark.parametrize(("transform", "warned"), [("data.assign(area=data.X1 * data.X2)", False), (None, True)])
def test_an_option_may_name_a_column_that_the_transform_makes(make_client, caplog, transform, warned):
    client = make_client(circles(transform))
    caplog.clear()
    assert client.put(f"{URL}?include=area").status_code == 200
    assert ("include names columns that the data does not have: ['area']" in caplog.text) == warned


def test_a_transform_may_make_the_target(make_client):
    entry = circles(
        "data.assign(inner=np.hypot(data.X1, data.X2) < 0.7, X1=data.X1 ** 2, X2=data.X2 ** 2)",
        model={"class": "LogisticRegression", "target_col": "inner", "exclude": ["y"]},
    )
    client = make_client(entry)
    assert client.post(f"{URL}?_action=score").json["score"] >= 0.99
    assert client.post(f"{URL}?_action=score", json=[POINT, OUTER]).json == {"score": 1.0}
    assert client.post(URL, json=[POINT, OUTER]).json == [True, False]


def test_a_transform_that_leaves_rows_out_trains_on_the_others(make_client):
    client = make_client(circles("data[data.y.notna() & (data.index % 2 == 0)] if len(data) > 2 else data"))
    assert client.get(URL, query_string=POINT).status_code == 200
    assert retrain(client).json == client.post(f"{URL}?_action=score").json


def test_a_models_own_transform_is_used_for_a_model_that_a_user_brings(make_client, tmp_path, mymodule):
    mymodule()
    make_client(circles())
    rows = pd.read_csv(tmp_path / "data" / "circles.csv")
    features = np.exp(-(rows[["X1", "X2"]] ** 2))
    joblib.dump(LogisticRegression().fit(features, rows["y"]), tmp_path / "own.pkl")
    entry = circles("mymodule.transform", model={"path": "own.pkl", "target_col": "y"})
    entry["own"] = entry.pop("mlhandler-basiccircles") | {"pattern": "/own"}
    client = make_client(entry)
    assert client.post("/own?_action=score", json=rows.to_dict("records")).json["score"] >= 0.99
    text = rows[["X1", "X2"]].to_csv(index=False).encode()
    together = client.post("/own", data=text, content_type="text/csv").json
    assert (np.array(together) == rows["y"]).mean() >= 0.99
    assert client.get("/own", query_string=POINT).json == [1]


def test_a_failing_file_is_said_with_its_line(make_client, mymodule):
    mymodule("def transform(df):\n    if len(df) == 1:\n        raise ValueError('alone')\n    return df\n")
    client = make_client(circles("mymodule.transform"))
    assert_problem(client.get(URL, query_string=POINT), 400, "mymodule.transform failed (line 3): ValueError: alone")
