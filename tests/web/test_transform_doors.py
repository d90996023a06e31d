"""A transform sees a row in the same types through every door: those that pandas.read_csv would give."""

import io
import json

import pandas as pd
import pytest

from server.tables.writing import write_table

pytestmark = pytest.mark.slow

# Writes down what it is given.
MODULE = """
import json, pathlib

def transform(data):
    seen = {name: [str(data[name].dtype), data[name].tolist()] for name in data.columns if name != "y"}
    pathlib.Path(__file__).with_name("seen.json").write_text(json.dumps(seen))
"""
CELLS = {"i": 7, "x": 0.5, "b": True, "t": "007", "d": "2020-01-31", "g": 1.5}
SEEN = {
    "i": ["int64", [7]],
    "x": ["float64", [0.5]],
    "b": ["bool", [True]],
    "t": ["str", ["007"]],
    "d": ["str", ["2020-01-31"]],
    "g": ["float64", [1.5]],
}
TEXTS = {name: str(cell).lower() for name, cell in CELLS.items()}


@pytest.fixture
def seen_by(make_client, tmp_path):
    """What the transform is given of a request's rows."""
    (tmp_path / "mymodule.py").write_text(MODULE)
    (tmp_path / "data").mkdir()
    rows = pd.DataFrame([CELLS | {"i": row, "b": row > 7, "t": f"{row}a", "y": row % 2} for row in range(6, 10)])
    rows.assign(g=[1.5, None, 2.5, 3.5]).to_csv(tmp_path / "data" / "rows.csv", index=False)
    data = {"url": "data/rows.csv", "transform": "mymodule.transform"}
    model = {"class": "GaussianNB", "target_col": "y", "dropna": False}
    client = make_client({"e": {"pattern": "/e", "handler": "MLHandler", "kwargs": {"data": data, "model": model}}})

    def seen_by(**request):
        answer = client.open("/e", **({"method": "POST"} | request))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return json.loads((tmp_path / "seen.json").read_text())

    return seen_by


def written(door):
    frame = pd.DataFrame([CELLS])
    if door != "feather":
        return write_table(frame, door)
    buffer = io.BytesIO()
    frame.to_feather(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("door", ["csv", "xlsx", "parquet", "feather", "jsonl", "json"])
def test_every_file_gives_the_types_of_read_csv(seen_by, door):
    assert seen_by(data={"file": (io.BytesIO(written(door)), f"row.{door}")}) == SEEN


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "GET", "query_string": TEXTS},
        {"method": "GET", "data": TEXTS},
        {"data": TEXTS},
        {"json": [CELLS]},
        {"json": TEXTS},
        {"json": {name: [cell] for name, cell in CELLS.items()}},
        {"data": json.dumps([CELLS]), "content_type": "application/x-www-form-urlencoded"},
        {"data": written("csv"), "content_type": "text/csv"},
    ],
    ids=["query", "form of a GET", "form", "json", "json of texts", "json of columns", "curl -d", "raw csv"],
)
def test_every_request_gives_the_types_of_read_csv(seen_by, request_):
    assert seen_by(**request_) == SEEN


def test_dates_that_the_file_knows_as_such_are_the_texts_of_training(seen_by):
    buffer = io.BytesIO()
    pd.DataFrame([CELLS | {"d": pd.Timestamp("2020-01-31")}]).to_parquet(buffer)
    assert seen_by(data={"file": (io.BytesIO(buffer.getvalue()), "row.parquet")}) == SEEN


@pytest.mark.parametrize("request_", [{"query_string": TEXTS | {"i": ""}}, {"json": [CELLS | {"i": None}]}])
def test_a_missing_integer_is_a_float_as_in_read_csv(seen_by, request_):
    seen = seen_by(**request_)
    assert seen["i"][0] == "float64"
    assert pd.isna(seen["i"][1][0])


@pytest.mark.parametrize("target", ["?", "unknown"])
def test_the_targets_own_cell_does_not_matter_to_a_prediction(seen_by, target):
    seen = seen_by(data=pd.DataFrame([CELLS | {"y": target}]).to_csv(index=False), content_type="text/csv")
    assert seen == SEEN
