"""MLflow's scoring protocol: /invocations, /ping, /health and /version."""

import json

import pytest
from mlflow.version import VERSION

from server.app import create_app
from server.config import load_config
from server.errors import ConfigError
from tests.conftest import ROW, BriefRunner, titanic_endpoint, write_config
from tests.web.conftest import URL, assert_problem

pytestmark = pytest.mark.slow
INVOCATIONS = "/invocations"
ROWS = [ROW, ROW | {"Sex": "female", "Age": None}]
LISTS = [list(row.values()) for row in ROWS]
BODIES = {
    "records": {"dataframe_records": ROWS},
    "split": {"dataframe_split": {"columns": list(ROW), "data": LISTS, "index": [5, 6]}},
    "instances": {"instances": ROWS},
    "columns": {"inputs": {name: [row[name] for row in ROWS] for name in ROW}},
    "no params": {"inputs": ROWS, "params": {}},
}


@pytest.mark.parametrize("body", BODIES)
def test_every_form_of_rows_is_answered_as_at_the_endpoints_own_url(reader, body):
    for output in ("values", "proba", "records"):
        sent = BODIES[body] | {"params": {"output": output}}
        answer = reader.post(INVOCATIONS, json=sent)
        assert answer.json == {"predictions": reader.post(f"{URL}?_output={output}", json=ROWS).json}
    assert reader.post(INVOCATIONS, json=BODIES[body]).json == {"predictions": reader.post(URL, json=ROWS).json}


def test_lists_are_taken_in_the_order_that_metadata_tell(reader):
    names = [entry["name"] for entry in reader.get("/v2/models/titanic").json["inputs"]]
    lists = [[row[name] for name in names] for row in ROWS]
    expected = {"predictions": reader.post(URL, json=ROWS).json}
    for body in ({"instances": lists}, {"inputs": lists}, {"dataframe_split": {"data": lists}}):
        assert reader.post(INVOCATIONS, json=body).json == expected


def test_no_rows_give_no_predictions(reader):
    for body in ({"instances": []}, {"dataframe_records": []}, {"dataframe_split": {"columns": list(ROW), "data": []}}):
        assert reader.post(INVOCATIONS, json=body).json == {"predictions": []}


def test_nan_is_a_missing_cell(reader):
    body = json.dumps({"dataframe_records": [ROW | {"Age": float("nan")}], "params": {"output": "proba"}})
    answer = reader.post(INVOCATIONS, data=body, content_type="application/json; charset=UTF-8")
    assert answer.json["predictions"] == reader.post(f"{URL}?_output=proba", json=[ROW | {"Age": None}]).json


WRONG = {
    "no object": ([ROW], "no JSON object"),
    "no form": ({}, "none of them came; send a JSON object with one of dataframe_split"),
    "two forms": ({"inputs": [], "instances": []}, "instances and inputs came"),
    "another form": ({"dataframe_record": [ROW]}, "did you mean 'dataframe_records'"),
    "a signature": ({"instances": [ROW], "signature_name": "a"}, "'signature_name' is not understood"),
    "unknown params": ({"inputs": [ROW], "params": {"temperature": 1}}, "'temperature' is not understood"),
    "an unknown output": ({"inputs": [ROW], "params": {"output": "labels"}}, "values, records, proba"),
    "params that are none": ({"inputs": [ROW], "params": [1]}, "params must be an object"),
    "one record": ({"dataframe_records": ROW}, "list of objects"),
    "a split without data": ({"dataframe_split": {"columns": list(ROW)}}, "object of data and columns"),
    "a split of scalars": ({"dataframe_split": {"columns": ["a"], "data": [1]}}, "list of lists"),
    "a split with more": ({"dataframe_split": {"data": LISTS, "dtype": 1}}, "object of data and columns"),
    "a split of other widths": ({"dataframe_split": {"columns": ["a"], "data": LISTS}}, "1 columns, and 7 cells"),
    "a split with a name twice": ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "more than once"),
    "a split without columns": ({"dataframe_split": {"columns": [], "data": [[]]}}, "has no columns"),
    "instances as an object": ({"instances": {"Age": [1]}}, "instances must be a list"),
    "instances of several kinds": ({"instances": [ROW, [1]]}, "row 2 is not an object"),
    "short lists": ({"inputs": [[1, 2]]}, "takes 7 columns, in this order: 'Pclass'"),
    "empty lists": ({"inputs": [[]]}, "takes 7 columns"),
    "ragged lists": ({"inputs": [[1, 2], [1]]}, "row 2 has 1 cells"),
    "scalars": ({"inputs": [1, 2]}, "takes 7 columns"),
    "a missing column": ({"inputs": {"Sex": ["male"]}}, "6 columns are missing"),
    "no number": ({"instances": [ROW | {"Age": "old"}]}, "Age: 'old' is not a number"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(reader, case):
    body, said = WRONG[case]
    assert_problem(reader.post(INVOCATIONS, json=body), 400, said)


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400, "not valid JSON"),
        ({}, 400, "no rows"),
        ({"json": {"inputs": [ROW]}, "query_string": {"Age": 1}}, 400, "takes no query"),
        ({"data": {"Age": "1"}}, 400, "takes no query and no form"),
        ({"data": b"a\n1\n", "content_type": "text/plain"}, 415, "text/plain is not read here"),
        ({"data": b"a\n1\n", "content_type": "text/csv; charset=latin-1"}, 415, "utf-8"),
        ({"data": b"a\n1\n", "content_type": "text/csv"}, 400, "columns are missing"),
        ({"data": b"x", "content_type": "application/x-pickle"}, 415, "not read here"),
    ],
)
def test_what_is_no_body_of_rows_is_refused(reader, sent, status, said):
    assert_problem(reader.post(INVOCATIONS, **sent), status, said)


def test_ping_health_and_version(reader):
    assert [reader.get(path).status_code for path in ("/ping", "/health")] == [200, 200]
    assert reader.get("/version").text == VERSION


def two(**server):
    other = titanic_endpoint(data={"url": "nowhere.csv"}) | {"pattern": "/other"}
    return {"url": {"titanic": titanic_endpoint(), "other": other}, "server": server}


def test_of_several_endpoints_the_configured_one_answers(make_client):
    client = make_client({"titanic": titanic_endpoint()})
    rows = {"inputs": [ROW]}
    expected = client.post(INVOCATIONS, json=rows).json
    client = make_client(two()["url"], wait=False)
    assert_problem(client.post(INVOCATIONS, json=rows), 404, "set server.invocations to one of titanic, other")
    assert client.get("/ping").status_code == 503
    client = make_client(two()["url"], wait=False, invocations="titanic")
    assert client.post(INVOCATIONS, json=rows).json == expected
    assert client.get("/ping").status_code == 200
    client = make_client(two()["url"], wait=False, invocations="other")
    assert_problem(client.post(INVOCATIONS, json=rows), 503, "nowhere.csv")
    assert client.get("/ping").status_code == 503


def test_an_endpoint_that_is_not_there_stops_the_start(tmp_path):
    with pytest.raises(ConfigError, match=r"server\.invocations: 'titanik' is no endpoint.*did you mean 'titanic'"):
        load_config(write_config(tmp_path, two(invocations="titanik")), {})


def test_an_endpoint_may_stand_at_these_paths_but_not_among_the_models(make_client, tmp_path):
    client = make_client({"titanic": titanic_endpoint() | {"pattern": "/ping"}}, wait=False)
    assert client.get("/ping?_params").status_code == 200
    assert client.get("/health").status_code in (200, 503)
    for pattern in ("/v2", "/v2/models/titanic", "/v2/health"):
        values = {"url": {"titanic": titanic_endpoint() | {"pattern": pattern}}}
        with pytest.raises(ConfigError, match="belongs to the server itself"):
            create_app(load_config(write_config(tmp_path, values), {}), BriefRunner())
