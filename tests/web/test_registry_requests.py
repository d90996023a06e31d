"""Feedback, exports, and how long requests are kept."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from tests.registering import API, diabetes, flower
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow


@pytest.fixture
def answered(registered):
    """A client, and the number of a request about a flower."""
    return registered, registered.post(f"{API}/iris/predict", json=flower()).json["request_id"]


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("feedback", ["setosa", 1, 1.5, True, ["a"], "ä" * 3000])
def test_feedback_is_kept_and_can_be_corrected(answered, method, feedback):
    client, number = answered
    given = getattr(client, method)(f"{API}/mlrequests/{number}", json={"feedback": "virginica"})
    assert given.json["feedback"] == "virginica"
    corrected = getattr(client, method)(f"{API}/mlrequests/{number}", json={"feedback": feedback})
    assert corrected.json["feedback"] == feedback
    assert client.get(f"{API}/mlrequests/{number}").json == corrected.json


def test_feedback_may_come_as_a_form(answered):
    client, number = answered
    assert client.put(f"{API}/mlrequests/{number}", data={"feedback": "setosa"}).json["feedback"] == "setosa"


@pytest.mark.parametrize("sent", [{"data": {"feedback": ["a", "b"]}}, {"json": {"feedback": "b"}}])
def test_feedback_that_is_given_twice_is_refused(answered, sent):
    client, number = answered
    query = {} if "data" in sent else {"feedback": "a"}
    answer = client.put(f"{API}/mlrequests/{number}", query_string=query, **sent)
    assert_problem(answer, 400, "'feedback' is given more than once")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"feedback": None}, 400, "not null"),
        ({}, 400, "the field 'feedback' is missing"),
        ({"feedback": "setosa", "response": 1}, 400, "unknown field 'response'"),
        ([], 400, "JSON object"),
    ],
)
def test_anything_else_changes_nothing(answered, body, status, words):
    client, number = answered
    before = client.get(f"{API}/mlrequests/{number}").json
    assert_problem(client.put(f"{API}/mlrequests/{number}", json=body), status, words)
    assert client.get(f"{API}/mlrequests/{number}").json == before


def test_a_request_that_there_is_not_takes_no_feedback(registered):
    assert_problem(registered.put(f"{API}/mlrequests/9", json={"feedback": 1}), 404, "there is no request 9")


def test_the_feedback_for_a_regressor_is_a_number(registered):
    answer = registered.post(f"{API}/diabetes/predict", json=diabetes()[0].iloc[0].to_dict()).json
    address = f"{API}/mlrequests/{answer['request_id']}"
    assert_problem(registered.put(address, json={"feedback": "much"}), 400, "must be a finite number", "'much'")
    assert registered.put(address, json={"feedback": "151.0"}).json["feedback"] == "151.0"


@pytest.fixture
def many(registered):
    """Thirteen requests, of which one failed and one has feedback."""
    for number in range(12):
        registered.post(f"{API}/iris/predict", json=flower(number) | {"note": 'a "quoted", word\nand more'})
    registered.post(f"{API}/iris/predict", json={"nothing": None})
    registered.put(f"{API}/mlrequests/2", json={"feedback": "virginica"})
    return registered


def test_all_formats_export_the_same_requests(many):
    listed = many.get(f"{API}/mlrequests?limit=1000").json
    exported = {name: many.get(f"{API}/mlrequests?_format={name}") for name in ("json", "jsonl", "csv", "parquet")}
    assert exported["json"].json == listed
    assert [json.loads(line) for line in exported["jsonl"].text.splitlines()] == listed
    tables = {
        "csv": pd.DataFrame(csv.DictReader(io.StringIO(exported["csv"].text))),
        "parquet": pd.read_parquet(io.BytesIO(exported["parquet"].data)),
    }
    for table in tables.values():
        assert [int(number) for number in table["id"]] == [row["id"] for row in listed]
        for name in ("input_data", "full_response"):
            assert [json.loads(cell) for cell in table[name]] == [row[name] for row in listed]
        assert table["response"][0] == "setosa"
        assert table["feedback"][1] == "virginica"
        assert table["created_at"].tolist() == [row["created_at"] for row in listed]
    assert "filename=mlrequests.csv" in exported["csv"].headers["Content-Disposition"]


def test_an_export_is_made_of_batches_and_knows_the_filters_of_the_list(many, monkeypatch):
    monkeypatch.setattr("server.service.exports.BATCH", 5)
    numbers = [row["id"] for row in many.get(f"{API}/mlrequests?_format=json&order=-id").json]
    assert numbers == list(range(13, 0, -1))
    assert len(pd.read_parquet(io.BytesIO(many.get(f"{API}/mlrequests?_format=parquet").data))) == 13
    for name, empty in (("json", "[]"), ("jsonl", "")):
        assert many.get(f"{API}/mlrequests?_format={name}&parent_endpoint=diabetes").text == empty
    assert many.get(f"{API}/mlrequests?_format=csv&until=2020-01-01").text.count("\n") == 1


def test_an_export_has_no_pages_and_no_other_formats(many):
    assert_problem(many.get(f"{API}/mlrequests?_format=csv&limit=5"), 400, "unknown filter 'limit'")
    assert_problem(many.get(f"{API}/mlrequests?_format=xlsx"), 400, "known: json, jsonl, csv, parquet")


def test_requests_go_after_keep_days(make_registry, monkeypatch):
    # The server's own thread would remove some of them, too.
    monkeypatch.setattr("server.service.retention.Retention.start", lambda _: None)
    client = make_registry(requests={"keep_days": 2})
    for number in range(3):
        client.post(f"{API}/iris/predict", json=flower(number))
    retention = client.application.registry.retention
    assert retention.remove_old() == 0
    later = datetime.now(UTC) + timedelta(days=3)
    monkeypatch.setattr("server.service.retention.datetime", Later(later))
    monkeypatch.setattr("server.service.retention.BATCH", 2)
    assert retention.remove_old() == 3
    assert client.get(f"{API}/mlrequests").json == []
    retention.stop()


class Later:
    """Stands for the class datetime at a moment to come."""

    def __init__(self, moment):
        self.moment = moment

    def now(self, _):
        return self.moment


def test_one_process_at_a_time_removes_requests(make_registry):
    client = make_registry(requests={"keep_days": 0.000001})
    client.post(f"{API}/iris/predict", json=flower())
    registry = client.application.registry
    registry.retention.stop()
    with registry.database.alone("retention"):
        assert registry.retention.remove_old() == 0


@pytest.mark.parametrize("name", ["limit", "order"])
def test_an_empty_option_is_told_and_not_taken_for_the_usual(registered, name):
    assert_problem(registered.get(f"/api/v1/mlrequests?{name}="), 400, name)
