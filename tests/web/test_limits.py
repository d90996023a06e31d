"""What requests may bring: each limit is told by its number and its setting, at every door."""

import gzip
from io import BytesIO

import pandas as pd
import pyarrow as pa
import pytest

from tests.conftest import ROW, titanic_endpoint
from tests.registering import flower
from tests.tables.samples import feather, parquet
from tests.web.conftest import FORM, assert_problem, build
from tests.web.test_registry import PREDICT, failure

pytestmark = pytest.mark.slow
URL = "/titanic"
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


@pytest.mark.parametrize(
    ("name", "most", "sent"), [("rows", 3, {"Age": ["1"] * 4}), ("columns", 2, dict.fromkeys("abc", "1"))]
)
def test_fields_keep_the_limits_of_tables(make_client, name, most, sent):
    client = make_client({"titanic": titanic_endpoint(data=None, model={})}, wait=False, limits={name: most})
    for request in ({"query_string": sent, "method": "GET"}, {"data": sent, "method": "POST"}):
        assert_problem(client.open(URL, **request), 413, str(most), str(most + 1), f"server.limits.{name}")


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
