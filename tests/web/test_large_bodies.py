"""Bodies too large for memory lie in files, and are answered as small ones are."""

import gzip
import json
import tempfile
import zlib
from functools import partial
from io import BytesIO, StringIO

import pandas as pd
import pytest

from server.tables import spooling
from server.web import request_data
from tests.conftest import titanic_endpoint
from tests.tables.test_unpacking import MIB, memory_below
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow
COUNT = 2500
TYPES = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@pytest.fixture
def rows(titanic):
    return titanic.sample(COUNT, replace=True, random_state=0).reset_index(drop=True)


@pytest.fixture
def bodies(rows):
    parquet, xlsx = BytesIO(), BytesIO()
    rows.to_parquet(parquet)
    rows.head(200).to_excel(xlsx, index=False)
    return {
        "csv": rows.to_csv(index=False).encode(),
        "tsv": rows.to_csv(index=False, sep="\t").encode(),
        "json": rows.to_json(orient="records").encode(),
        "jsonl": rows.to_json(orient="records", lines=True).encode(),
        "parquet": parquet.getvalue(),
        "xlsx": xlsx.getvalue(),
    }


@pytest.fixture
def spooling_all(monkeypatch):
    """Every body of a kilobyte is large."""
    monkeypatch.setattr(request_data, "SPOOLED", 1000)


def answers(client, url, **request):
    """The answer to the same request, first with the body in memory and then in a file."""
    found = []
    for most in (2**40, 1000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(request_data, "SPOOLED", most)
            sent = {name: make() if callable(make) else make for name, make in request.items()}
            with client.post(url, **sent) as answer:
                assert answer.content_length == len(answer.data)
                found.append(
                    (answer.status_code, answer.content_type, answer.headers.get("Content-Disposition"), answer.data)
                )
    return found


@pytest.mark.parametrize("name", TYPES)
def test_a_large_body_is_answered_as_a_small_one(client, bodies, name):
    small, large = answers(client, "/titanic", data=bodies[name], content_type=TYPES[name])
    assert small == large
    assert small[0] == 200


@pytest.mark.parametrize("name", TYPES)
def test_a_large_file_of_a_form_is_answered_as_a_small_one(client, bodies, name):
    small, large = answers(client, "/titanic", data=lambda: {"file": (BytesIO(bodies[name]), f"rows.{name}")})
    assert small == large
    assert small[0] == 200


@pytest.mark.parametrize("option", ["_output=records", "_output=proba", "_format=csv", "_format=jsonl", "_format=xlsx"])
def test_every_output_and_format_is_written_alike(client, bodies, option):
    small, large = answers(client, f"/titanic?{option}", data=bodies["csv"], content_type="text/csv")
    assert small[:3] == large[:3]
    assert small[0] == 200
    if "xlsx" not in option:
        assert small == large


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_body_is_unpacked_into_a_file(client, bodies, encoding, pack):
    body, headers = pack(bodies["csv"]), {"Content-Encoding": encoding}
    small, large = answers(client, "/titanic", data=body, content_type="text/csv", headers=headers)
    assert small == large
    assert small[0] == 200
    small, large = answers(client, "/titanic", data=body[:-20], content_type="text/csv", headers=headers)
    assert small == large
    assert small[0] == 400


def row_with(text, **cells):
    """The first row of the table as one more line of it, with cells changed."""
    row = pd.read_csv(StringIO(text), nrows=1, dtype=str)
    return row.assign(**cells).to_csv(index=False, header=False)


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        (lambda text: text + "1,2\n", 400, "Row #2502"),
        (lambda text: text.replace("Pclass", "class", 1), 400, "'Pclass'; did you mean 'class'?"),
        (lambda text: text + row_with(text, Fare="much"), 400, "row 2501, Fare: 'much' is not a number"),
        (lambda text: text.replace("Sex,", "Age,", 1), 400, "the column 'Age' more than once"),
        (lambda text: text[:-3] + "\0" + text[-3:], 400, "NUL"),
    ],
)
def test_what_is_wrong_is_told_alike_and_nothing_before_it(client, bodies, change, status, detail):
    body = change(bodies["csv"].decode()).encode()
    small, large = answers(client, "/titanic", data=body, content_type="text/csv")
    assert small == large
    assert small[0] == status
    assert detail in small[3].decode()


def test_other_actions_read_large_bodies_too(client, bodies):
    sent = {"data": bodies["csv"], "content_type": "text/csv"}
    small, large = answers(client, "/titanic?_action=score", **sent)
    assert small == large
    assert 0.5 < json.loads(small[3])["score"] < 1
    appended = [json.loads(answer[3])["appended"] for answer in answers(client, "/titanic?_action=append", **sent)]
    assert appended == [COUNT, COUNT]
    assert len(client.get("/titanic?_cache").json) == 891 + 2 * COUNT


def test_limits_hold_in_files(make_client, bodies, spooling_all):
    client = make_client({"titanic": titanic_endpoint()}, limits={"rows": 100, "body_mb": 0.5, "unpacked_mb": 0.1})
    csv = {"content_type": "text/csv"}
    assert_problem(client.post("/titanic", data=bodies["csv"], **csv), 413, "2500 rows; 100 are allowed")
    assert_problem(client.post("/titanic", data=bodies["csv"] * 5, **csv), 413, "server.limits.body_mb")
    packed = gzip.compress(bodies["csv"])
    answer = client.post("/titanic", data=packed, headers={"Content-Encoding": "gzip"}, **csv)
    assert_problem(answer, 413, "server.limits.unpacked_mb")


DOORS = {
    "a table": ("POST", "/titanic?_action=append", "text/csv"),
    "JSON": ("POST", "/titanic?_action=append", "application/json"),
    "a form": ("POST", "/titanic", "application/x-www-form-urlencoded"),
    "settings": ("PUT", "/titanic", "application/json"),
    "tensors": ("POST", "/v2/models/titanic/infer", "application/json"),
    "invocations": ("POST", "/invocations", "application/json"),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("limits", "told"), [({"unpacked_mb": 48}, "unpacked_mb"), ({"body_mb": 1}, "body_mb")])
def test_a_small_body_never_becomes_a_large_memory(make_client, door, limits, told):
    method, path, kind = DOORS[door]
    client = make_client({"titanic": titanic_endpoint(data=None, model={})}, wait=False, limits=limits)
    bomb = gzip.compress(b"[" * 64 * MIB)
    if door != "a table":
        # Only who unpacks all of it sees that it ends early.
        bomb = bomb[:-4]
    with memory_below(40):
        answer = client.open(path, method=method, data=bomb, content_type=kind, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == (400 if (door, told) == ("a table", "body_mb") else 413), answer.text
    assert f"server.limits.{told}" in answer.text or answer.status_code == 400


@pytest.mark.parametrize("body", [b"", b"\n" * 5000, b" " * 5000, b"\xef\xbb\xbf"])
def test_nothing_is_no_rows(client, spooling_all, body):
    answer = client.post("/titanic?_action=predict", data=body, content_type="text/csv")
    assert (answer.status_code, answer.json) == (200, [])


def test_a_full_disk_is_413_and_says_where(client, bodies, spooling_all, monkeypatch):
    # /dev/full takes nothing, as a disk without room.
    monkeypatch.setattr(spooling.tempfile, "TemporaryFile", partial(open, "/dev/full", "wb+"))
    answer = client.post("/titanic", data=bodies["csv"], content_type="text/csv")
    assert_problem(answer, 413, f"no space is left for temporary files in {tempfile.gettempdir()!r}")


def test_no_file_is_left_open(client, bodies, spooling_all, monkeypatch):
    made, make = [], tempfile.TemporaryFile
    monkeypatch.setattr(spooling.tempfile, "TemporaryFile", lambda: made.append(make()) or made[-1])
    for body in (bodies["csv"], bodies["csv"] + b"1,2\n", bodies["json"]):
        client.post("/titanic", data=body, content_type="text/csv").close()
    # The last is refused by its first line.
    assert len(made) == 5
    assert all(file.closed for file in made)
