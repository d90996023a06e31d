"""What requests may bring: each limit is told by its number and its setting, at every door."""

import gzip
import json
from io import BytesIO
from urllib.parse import urlencode

import pandas as pd
import pyarrow as pa
import pytest

from tests.conftest import ROW, titanic_endpoint
from tests.registering import flower
from tests.tables.samples import feather, parquet
from tests.tables.test_unpacking import MIB, memory_below
from tests.web.conftest import FORM, assert_problem, build
from tests.web.test_inference import INFER, tensors
from tests.web.test_invocations import INVOCATIONS
from tests.web.test_registry import PREDICT, failure

pytestmark = pytest.mark.slow
URL = "/titanic"
JSON = "application/json"
LONG = "é" * 201
FRAME = pd.DataFrame([ROW, ROW | {"Sex": LONG}])


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    return build(tmp_path_factory.mktemp("limited"), {"titanic": titanic_endpoint()}, limits={"text_chars": 200})


def workbook(frame):
    sink = BytesIO()
    frame.to_excel(sink, index=False)
    return sink.getvalue()


def arrow(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


FILES = {
    "csv": lambda frame: frame.to_csv(index=False).encode(),
    "tsv": lambda frame: frame.to_csv(index=False, sep="\t").encode(),
    "json": lambda frame: frame.to_json(orient="records", force_ascii=False).encode(),
    "jsonl": lambda frame: frame.to_json(orient="records", lines=True, force_ascii=False).encode(),
    "xlsx": workbook,
    "parquet": lambda frame: parquet(arrow(frame)),
    "feather": lambda frame: feather(arrow(frame)),
    "csv.gz": lambda frame: gzip.compress(frame.to_csv(index=False).encode()),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("action", ["predict", "score", "append", "train"])
def test_a_text_that_is_too_long_is_413_in_every_format(limited, unchanged, name, action):
    with unchanged(limited):
        answer = limited.post(f"{URL}?_action={action}", data={"file": (BytesIO(FILES[name](FRAME)), f"rows.{name}")})
    assert_problem(answer, 413, "201", "200", "server.limits.text_chars", "Sex")


@pytest.mark.parametrize("name", FILES)
def test_a_text_of_the_longest_length_passes(limited, name):
    rows = FRAME.assign(Sex=["é" * 200, "male"])
    answer = limited.post(URL, data={"file": (BytesIO(FILES[name](rows)), f"rows.{name}")})
    assert answer.status_code == 200
    assert len(answer.json) == 2


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "GET", "query_string": ROW | {"Sex": LONG}},
        {"method": "GET", "data": ROW | {"Sex": LONG}, "content_type": FORM},
        {"method": "POST", "json": ROW | {"Sex": LONG}},
        {"method": "POST", "json": [ROW, ROW | {"Sex": LONG}]},
        {"method": "POST", "data": ROW | {"Sex": LONG}},
        {"method": "POST", "data": ROW | {"Sex": LONG}, "content_type": FORM},
    ],
    ids=["query", "form of a GET", "object", "list", "multipart", "form"],
)
def test_a_text_that_is_too_long_is_413_at_the_doors_of_few_rows(limited, request_):
    assert_problem(limited.open(URL, **request_), 413, "201", "200", "server.limits.text_chars")


def test_many_short_texts_are_as_long_together_as_they_like(limited):
    answer = limited.post(URL, data=FILES["csv"](pd.DataFrame([ROW] * 500)), content_type="text/csv")
    assert len(answer.json) == 500


MOST = {"rows": 3, "columns": len(ROW), "text_chars": 200}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return build(tmp_path_factory.mktemp("small"), {"titanic": titanic_endpoint()}, limits=MOST)


def by_column(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


def lists(rows):
    return [list(row.values()) for row in rows]


def invocation(form, made):
    return lambda rows: {"path": INVOCATIONS, "method": "POST", "json": {form: made(rows)}}


# How rows are sent at each door; those of tables have their formats above.
DOORS = {
    "query": lambda rows: {"method": "GET", "query_string": by_column(rows)},
    "form of a GET": lambda rows: {"method": "GET", "data": by_column(rows), "content_type": FORM},
    "form": lambda rows: {"method": "POST", "data": by_column(rows), "content_type": FORM},
    "multipart": lambda rows: {"method": "POST", "data": by_column(rows), "content_type": "multipart/form-data"},
    "json": lambda rows: {"method": "POST", "json": rows},
    "json of a GET": lambda rows: {"method": "GET", "json": rows},
    "json by column": lambda rows: {"method": "POST", "json": by_column(rows)},
    "csv": lambda rows: {"method": "POST", "data": FILES["csv"](pd.DataFrame(rows)), "content_type": "text/csv"},
    "v2": lambda rows: {"path": INFER, "method": "POST", "json": {"inputs": tensors(rows)}},
    "v2 of n by 1": lambda rows: {
        "path": INFER, "method": "POST",
        "json": {"inputs": [one | {"shape": [len(rows), 1]} for one in tensors(rows)]},
    },
    "dataframe_split": invocation("dataframe_split", lambda rows: {"columns": list(rows[0]), "data": lists(rows)}),
    "dataframe_records": invocation("dataframe_records", list),
    "instances": invocation("instances", list),
    "instances as lists": invocation("instances", lists),
    "inputs": invocation("inputs", list),
    "inputs by column": invocation("inputs", by_column),
    "inputs as lists": invocation("inputs", lists),
    "csv at /invocations": lambda rows: {
        "path": INVOCATIONS, "method": "POST", "data": FILES["csv"](pd.DataFrame(rows)), "content_type": "text/csv",
    },
}  # fmt: skip
# In the order of the model's columns, for doors that know no names.
IN_ORDER = {name: ROW[name] for name in ("Pclass", "Sex", "Age", "SibSp", "Parch", "Fare", "Embarked")}
TOO_MUCH = {
    "rows": [IN_ORDER | {"Age": age} for age in range(MOST["rows"] + 1)],
    "columns": [IN_ORDER | {"more": 1}],
    "text_chars": [IN_ORDER | {"Sex": "x" * (MOST["text_chars"] + 1)}],
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("limit", TOO_MUCH)
def test_every_door_keeps_every_limit(small, door, limit):
    answer = small.open(**({"path": URL} | DOORS[door](TOO_MUCH[limit])))
    assert answer.status_code == 413, answer.text
    for word in (str(MOST[limit]), str(MOST[limit] + 1), f"server.limits.{limit}"):
        assert word in answer.text


@pytest.mark.parametrize("door", DOORS)
def test_what_is_just_within_the_limits_is_answered_at_every_door(small, door):
    rows = [row | {"Sex": "x" * MOST["text_chars"]} for row in TOO_MUCH["rows"][:-1]]
    answer = small.open(**({"path": URL} | DOORS[door](rows)))
    assert answer.status_code == 200, answer.text


def test_a_query_to_a_text_endpoint_that_is_too_long_is_413(make_client):
    rows = [{"text": f"{word} movie", "label": int(word == "good")} for word in ("good", "bad") * 5]
    entry = {"pattern": "/reviews", "handler": "TextHandler", "kwargs": {"model": {"class": "MultinomialNB"}}}
    client = make_client({"reviews": entry}, wait=False, limits={"text_chars": 30})
    assert client.post("/reviews?_action=train", json=rows).status_code == 200
    assert client.get("/reviews", query_string={"query": "good"}).status_code == 200
    for request in (
        {"query_string": {"query": "x" * 31}},
        {"json": {"query": "good " * 7}},
        {"json": [{"query": "x" * 31}]},
    ):
        assert_problem(client.get("/reviews", **request), 413, "30", "server.limits.text_chars")


def test_an_instance_of_the_registry_keeps_the_limit(make_registry):
    client = make_registry(limits={"text_chars": 20})
    answer = client.post(PREDICT, json=flower() | {"a": "x" * 21})
    failure(answer, 400, "21", "20", "server.limits.text_chars")


HUGE = "a" * 20 * MIB
NAMED = {
    "an option": ("POST", "/titanic", {"_" + HUGE: "1"}, FORM),
    "a class": ("PUT", "/titanic", {"class": HUGE}, JSON),
    "a parameter": ("PUT", "/titanic", {HUGE: 1}, JSON),
    "a column": ("POST", "/titanic?_action=append", [{HUGE: 1}], JSON),
    "a form of rows": ("POST", "/invocations", {HUGE: 1}, JSON),
    "a part of a request": ("POST", "/v2/models/titanic/infer", {HUGE: 1}, JSON),
    "a datatype": (
        "POST",
        "/v2/models/titanic/infer",
        {"inputs": [{"name": "a", "shape": [1], "datatype": HUGE}]},
        JSON,
    ),
    "a tensor": ("POST", "/v2/models/titanic/infer", {"inputs": [{"name": HUGE, "shape": [1], "datatype": "a"}]}, JSON),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_name_of_megabytes_is_told_in_short_and_compared_with_none(limited, case):
    method, path, value, kind = NAMED[case]
    body = json.dumps(value).encode() if kind == JSON else urlencode(value).encode()
    # The parser alone takes 260; to compare the name took 700 more.
    with memory_below(450):
        answer = limited.open(path, method=method, data=body, content_type=kind)
    assert 400 <= answer.status_code < 500
    assert len(answer.data) < 100_000
    assert "aaaa…aaaa" in answer.text
