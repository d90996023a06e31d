"""The endpoint's page, in every state of the endpoint."""

import json

import pandas as pd
import pytest

from tests.conftest import ROW, titanic_endpoint, wait_until_ready
from tests.waiting import until
from tests.web.reading import Page

pytestmark = pytest.mark.slow

IRIS = "$YAMLPATH/data/iris.csv"
HOSTILE = "<script>alert(1)</script>"
NAMES = [HOSTILE, "a'b\"c & d", "x" * 500, "addEventListener", "ünïcode €", "$HOME `id`"]


def ml(**kwargs):
    return {"m": {"pattern": "/m", "handler": "MLHandler", "kwargs": kwargs}}


def page_of(client, url="/m"):
    answer = client.get(url)
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    return Page(answer.text)


def settled(client):
    """The page once the first training is over, however it ended."""
    return until(lambda: page if (page := page_of(client)).facts["state"] != "training" else None)


@pytest.fixture
def table(tmp_path):
    """The path of a CSV of the frame, as a configuration names it."""

    def write(frame):
        frame.to_csv(tmp_path / "rows.csv", index=False)
        return "$YAMLPATH/rows.csv"

    return write


def test_the_page_says_what_is_predicted_from_what_and_how_well(client):
    page = page_of(client, "/titanic")
    assert page.heading == "titanic"
    assert (
        "Predicts Survived from 7 columns with LogisticRegression, trained just now on 674 rows, accuracy 0.8"
        in page.text
    )
    assert "/" in page.links


def test_the_form_has_a_field_for_each_column_of_the_schema(client):
    controls = page_of(client, "/titanic").controls
    assert list(controls)[:7] == ["Pclass", "Sex", "Age", "SibSp", "Parch", "Fare", "Embarked"]
    (sex,), (age,) = controls["Sex"], controls["Age"]
    assert (sex["tag"], sex["options"], sex["chosen"]) == ("select", ["", "female", "male"], "male")
    assert (age["type"], age["step"], age["chosen"]) == ("number", "any", "22")
    assert "0.42 to 80" in page_of(client, "/titanic").text


def test_what_stands_in_the_form_is_a_row_that_the_model_takes(client):
    example = page_of(client, "/titanic").facts["example"]
    assert example == {name: str(value) for name, value in ROW.items()}
    assert client.get("/titanic", query_string=example).json == [0]


def test_a_column_of_dates_has_a_field_for_dates_and_one_of_truth_values_a_choice(make_client, tmp_path):
    days = pd.date_range("2026-01-01 10:30", periods=12).astype("datetime64[s]")
    frame = pd.DataFrame({"day": days, "open": [True, False] * 6, "y": range(12)})
    frame.to_parquet(tmp_path / "rows.parquet")
    client = make_client(ml(data="rows.parquet", model={"class": "Ridge", "target_col": "y"}))
    page = page_of(client)
    assert page.controls["day"][0]["type"] == "datetime-local"
    assert page.controls["day"][0]["chosen"] == "2026-01-01T10:30:00"
    assert page.controls["open"][0]["options"] == ["", "true", "false"]
    assert client.get("/m", query_string=page.facts["example"]).status_code == 200


@pytest.mark.parametrize("transform", [None, "data.assign(day=data.day.dt.dayofyear)"])
def test_a_column_whose_timestamps_are_all_at_midnight_has_a_field_for_a_date(make_client, tmp_path, transform):
    frame = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=12, unit="s"), "y": range(12)})
    frame.to_parquet(tmp_path / "rows.parquet")
    source = {"url": "rows.parquet", "transform": transform}
    client = make_client(ml(data=source, model={"class": "Ridge", "target_col": "y"}))
    page = page_of(client)
    assert (page.controls["day"][0]["type"], page.facts["example"]) == ("date", {"day": "2026-01-01"})
    assert client.get("/m", query_string=page.facts["example"]).status_code == 200
    assert client.delete("/m?_cache").status_code == 200
    page = page_of(client)
    assert (page.controls["day"][0]["type"], page.facts["example"]["day"]) == (
        ("datetime-local", "") if transform else ("date", "2026-01-01")
    )


def test_the_example_is_the_fullest_of_the_first_rows(make_client, table):
    frame = pd.DataFrame({"a": [None, 2.5, 3.5, 1.0], "c": ["x", "y", "x", "y"], "y": [1, 2, 3, 4]})
    client = make_client(ml(data=table(frame), model={"class": "Ridge", "target_col": "y"}))
    assert page_of(client).facts["example"] == {"a": "2.5", "c": "y"}


def test_without_stored_rows_the_example_is_the_middle_of_what_training_saw(client):
    assert client.delete("/titanic?_cache").status_code == 200
    example = page_of(client, "/titanic").facts["example"]
    assert (example["Age"], example["Sex"]) == ("40.21", "female")
    assert "There is no training data yet" in page_of(client, "/titanic").text


@pytest.mark.parametrize(
    ("model", "words", "answers", "has_probabilities"),
    [
        ({"class": "SVC", "target_col": "species"}, "Predicts species from 4 columns with SVC", ["species"], False),
        ({"class": "GaussianNB", "target_col": "species"}, "with GaussianNB", ["species"], True),
        ({"class": "Ridge", "target_col": "petal_width"}, "Predicts petal_width", ["petal_width"], False),
        ({"class": "PCA", "params": {"n_components": 2}}, "Transforms rows", ["pca0", "pca1"], False),
        ({"class": "KMeans"}, "Assigns rows to clusters", ["prediction"], False),
        ({"class": "IsolationForest"}, "Tells outliers from other rows", ["prediction"], False),
    ],
    ids=lambda value: value["class"] if isinstance(value, dict) else None,
)  # fmt: skip
def test_every_kind_of_model_has_its_page(make_client, model, words, answers, has_probabilities):
    exclude = [] if "target_col" in model else ["species"]
    page = page_of(make_client(ml(data=IRIS, model={**model, "exclude": exclude})))
    assert words in page.text
    assert page.facts["answers"] == answers
    assert page.facts["hasProbabilities"] is has_probabilities


def test_a_forecast_is_asked_for_the_next_step(make_client):
    model = {"class": "SARIMAX", "index_col": "index", "target_col": "R", "params": {"order": [1, 1, 0]}}
    client = make_client(ml(data="$YAMLPATH/data/inflation.csv", model=model))
    page = page_of(client)
    assert "Forecasts R from its past and 1 column with SARIMAX" in page.text
    assert (page.controls["index"][0]["type"], page.controls["index"][0]["chosen"]) == ("date", "1999-03-31")
    assert page.controls["index_col"][0]["chosen"] == "index"
    (value,) = client.get("/m", query_string=page.facts["example"]).json
    assert isinstance(value, float)


def test_a_forecast_by_the_hour_is_asked_for_date_and_time(make_client, table):
    frame = pd.DataFrame({"hour": pd.date_range("2026-01-01", periods=24, freq="h"), "y": [1.0, 3.0, 2.0, 5.0] * 6})
    model = {"class": "SARIMAX", "index_col": "hour", "target_col": "y", "params": {"order": [1, 0, 0]}}
    client = make_client(ml(data=table(frame), model=model))
    page = page_of(client)
    assert "Forecasts y from its past with SARIMAX" in page.text
    control = page.controls["hour"][0]
    assert (control["type"], control["chosen"]) == ("datetime-local", "2026-01-02T00:00:00")
    assert client.get("/m", query_string=page.facts["example"]).status_code == 200


def test_a_text_endpoint_is_asked_by_its_own_argument(make_client):
    kwargs = {"data": "$YAMLPATH/data/reviews.csv", "labels": {0: "Negative", 1: "Positive"}, "query": "words"}
    client = make_client({"m": {"pattern": "/m", "handler": "TextHandler", "kwargs": kwargs}})
    page = page_of(client)
    assert "Predicts label from text with MultinomialNB" in page.text
    assert page.controls["words"][0]["tag"] == "textarea"
    assert page.facts["text"] == {"column": "text", "labels": {"0": "Negative", "1": "Positive"}}
    assert client.get("/m", query_string=page.facts["example"]).json["prediction"] in ("Negative", "Positive")


def test_with_a_transform_the_form_has_the_columns_before_it(make_client):
    source = {"url": "$YAMLPATH/data/circles.csv", "transform": "data.assign(X3=data.X1**2 + data.X2**2)"}
    client = make_client(ml(data=source, model={"class": "LogisticRegression", "target_col": "y"}))
    page = page_of(client)
    assert set(page.facts["example"]) == {"X1", "X2"}
    assert client.get("/m", query_string=page.facts["example"]).status_code == 200


def test_without_model_and_data_the_page_offers_a_training(make_client):
    page = page_of(make_client(ml()))
    assert "no model" in page.text
    assert page.facts["state"] == "no model"
    assert {"class", "target_col", "file"} <= set(page.controls)


def test_with_data_and_no_model_the_stored_columns_can_be_chosen(make_client):
    page = page_of(make_client(ml(data=IRIS)))
    assert page.controls["target_col"][0]["options"][-1] == "species"
    assert [box["value"] for box in page.controls["include"]][0] == "sepal_length"
    assert "Training data: 150 rows, 5 columns" in page.text


def test_an_unreadable_model_is_said_and_can_be_replaced(make_client, tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"no pickle")
    page = page_of(make_client(ml(data=IRIS, model={"path": "model.pkl"}), wait=False))
    assert page.facts["state"] == "not ready"
    assert "cannot be unpickled" in page.text
    assert "class" in page.controls


def test_a_failed_first_training_is_said(make_client):
    client = make_client(ml(data=IRIS, model={"class": "Ridge", "target_col": "species"}), wait=False)
    page = settled(client)
    assert page.facts["state"] == "failed"
    assert "The first training failed: the target holds text" in page.text


def test_while_the_first_training_runs_the_page_says_so(make_client, monkeypatch):
    client = make_client(ml(data=IRIS, model={"class": "SVC", "target_col": "species"}), wait=False)
    runner = client.application.extensions["restimator"].runner
    monkeypatch.setattr(type(runner), "run", lambda self, function, *arguments, **_: {})
    page = page_of(client)
    assert page.facts["state"] == "training"
    assert "The first training is running" in page.text


def test_a_source_that_cannot_be_read_is_said(make_client, tmp_path):
    (tmp_path / "rows.xlsx").write_bytes(b"no workbook")
    page = page_of(make_client(ml(data="rows.xlsx"), wait=False))
    assert "data.url cannot be read" in page.text


def test_a_changed_configuration_is_said(make_client):
    make_client({"titanic": titanic_endpoint()})
    changed = titanic_endpoint(model={"class": "LogisticRegression", "target_col": "Survived", "include": ["Age"]})
    client = make_client({"titanic": changed})
    assert "Changed since the last training: the model section of the configuration" in page_of(client, "/titanic").text


def test_another_class_for_the_next_training_is_said(client):
    assert client.put("/titanic?class=SVC&C=2").status_code == 200
    page = page_of(client, "/titanic")
    assert "Now serves LogisticRegression; the next training makes SVC" in page.text
    assert "C=2" in page.text


def test_the_stored_columns_are_counted_over_all_rows(client):
    text = page_of(client, "/titanic").text
    assert "Training data: 891 rows, 12 columns" in text
    assert "Age number 177 88 0.42 to 80" in text
    assert "Sex text 0 2 male ×577, female ×314" in text
    assert "Cabin text 687 147" in text
    assert "Braund, Mr. Owen Harris" in text
    assert "Sandstrom" not in text  # the eleventh


def test_an_append_is_counted_at_the_next_look(client):
    page_of(client, "/titanic")
    row = client.get("/titanic?_cache").json[0]
    assert client.post("/titanic?_action=append", json=[row | {"Sex": None}]).status_code == 200
    text = page_of(client, "/titanic").text
    assert "Training data: 892 rows" in text
    assert "Sex text 1 2" in text


def test_the_data_the_model_and_the_files_can_be_had(client):
    page = page_of(client, "/titanic")
    for url in {link for link in page.links if "_cache" in link or "_download" in link or "_model" in link}:
        with client.get(url) as answer:
            assert answer.status_code == 200, url
    assert {f"/titanic?_cache&_format={name}" for name in ("csv", "xlsx", "parquet", "json")} <= page.links


def test_only_the_columns_learned_from_are_ticked(client):
    boxes = page_of(client, "/titanic").controls["include"]
    assert len(boxes) == 12
    ticked = {box["value"] for box in boxes if "checked" in box}
    assert ticked == {"Pclass", "Sex", "Age", "SibSp", "Parch", "Fare", "Embarked"}


def test_names_and_categories_are_text_and_never_markup(make_client, table):
    frame = pd.DataFrame({name: [f"{name}{i % 3}" for i in range(12)] for name in NAMES})
    frame["answer"] = [HOSTILE, "'\"&"] * 6
    client = make_client(ml(data=table(frame), model={"class": "DecisionTreeClassifier", "target_col": "answer"}))
    answer = client.get("/m")
    page = Page(answer.text)
    assert "<script>alert" not in answer.text
    assert HOSTILE in page.text
    for name in NAMES:
        (control,) = page.controls[name]
        assert control["options"] == ["", *(f"{name}{i}" for i in range(3))]
    assert client.get("/m", query_string=page.facts["example"]).status_code == 200


def test_hostile_errors_and_names_of_endpoints_are_text(make_client):
    name = "<img src=x onerror=alert(1)>"
    url = {
        name: {
            "pattern": "/m",
            "handler": "MLHandler",
            "kwargs": {"data": IRIS, "model": {"class": "SVC", "target_col": HOSTILE}},
        }
    }
    client = make_client(url, wait=False)
    settled(client)
    for where in ("/m", "/"):
        answer = client.get(where)
        assert "<img src=x" not in answer.text
        assert "<script>alert" not in answer.text
        assert name in Page(answer.text).text
        assert HOSTILE in Page(answer.text).text


def test_no_page_needs_scripts_or_styles_within_it(client):
    """A strict Content-Security-Policy forbids them."""
    for url in ("/", "/titanic"):
        page = page_of(client, url)
        for tag, values in page.elements:
            assert tag != "style"
            assert "style" not in values
            assert not [name for name in values if name.startswith("on")]
            assert tag != "script" or "src" in values or values["type"] == "application/json"


def test_every_control_has_a_label_and_every_id_is_the_only_one(client):
    page = page_of(client, "/titanic")
    assert len(page.ids) == len(set(page.ids))
    labelled = {values["for"] for tag, values in page.elements if tag == "label"}
    assert {control["id"] for controls in page.controls.values() for control in controls} <= labelled
    told = " ".join(values.get("aria-describedby", "") for _, values in page.elements).split()
    assert set(told) <= set(page.ids)


def test_three_hundred_columns_are_folded_and_a_thousand_categories_can_be_chosen(make_client, table):
    columns = {f"c{i}": range(1000) for i in range(300)}
    frame = pd.DataFrame(columns | {"kind": [f"kind {i:04}" for i in range(1000)], "y": range(1000)})
    client = make_client(ml(data=table(frame), model={"class": "Ridge", "target_col": "y"}))
    page = page_of(client)
    assert len(page.facts["example"]) == 301
    assert len(page.controls["kind"][0]["options"]) == 1001
    assert "277 more columns" in page.text


def test_an_empty_table_has_its_page(make_client, table):
    client = make_client(ml(data=table(pd.DataFrame({"a": [], "b": []}))), wait=False)
    assert "There is no training data yet" in page_of(client).text


def test_a_model_that_somebody_brought_has_its_page(make_client, tmp_path):
    import joblib
    from sklearn.linear_model import LinearRegression

    joblib.dump(LinearRegression().fit([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]], [1, 2, 3]), tmp_path / "own.pkl")
    page = page_of(make_client(ml(model={"path": "own.pkl"})))
    assert "with LinearRegression; the file does not say when it was trained" in page.text
    assert [page.controls[name][0]["tag"] for name in ("x0", "x1")] == ["input", "input"]


def test_a_model_that_fails_in_a_way_of_its_own_has_its_page(make_client, monkeypatch):
    client = make_client(ml(data=IRIS, model={"class": "Ridge", "target_col": "petal_width"}))
    monkeypatch.setattr("sklearn.linear_model.Ridge.predict", lambda self, features: 1 / 0)
    page = page_of(client)
    assert "Predicts petal_width" in page.text
    assert page.facts["answers"] == []


def test_cells_of_all_kinds_are_shown(make_client, table, tmp_path):
    rows = [{"list": [1, 2], "none": None, "number": 1 / 3, "flag": True, "y": i} for i in range(3)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    client = make_client(ml(data="rows.json"))
    text = page_of(client).text
    assert "0.333333" in text
    assert "true ×3" in text
    assert "list nested 0 –" in text
    wait_until_ready(client)
