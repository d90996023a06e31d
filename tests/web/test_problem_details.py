"""Every error is problem+json of one shape, whatever its status."""

import gzip
import io

import pytest

from server.storage.endpoint_store import EndpointStore
from tests.conftest import ROOT, ROW, titanic_endpoint, wait_until_ready
from tests.web.conftest import URL, assert_problem, build

pytestmark = pytest.mark.slow

CSV = (ROOT / "data" / "titanic.csv").read_bytes()
JSON = {"data": b"[{", "content_type": "application/json"}
ERRORS = [
    ("GET", f"{URL}?Sex=male", {}, 400),
    ("GET", f"{URL}?_nothing=1", {}, 400),
    ("POST", URL, JSON, 400),
    ("POST", f"{URL}?_action=nothing", {}, 400),
    ("PUT", f"{URL}?C=many", {}, 400),
    ("PUT", URL, JSON, 400),
    ("DELETE", URL, {}, 400),
    ("GET", "/nothing", {}, 404),
    ("POST", f"{URL}/nothing", {}, 404),
    ("GET", "/untrained?x=1", {}, 404),
    ("POST", "/untrained", {"json": [ROW]}, 404),
    ("GET", "/untrained?_model", {}, 404),
    ("PATCH", URL, {}, 405),
    ("POST", "/readyz", {}, 405),
    ("DELETE", "/healthz", {}, 405),
    ("POST", f"{URL}?_action=append", {"json": [ROW]}, 409),
    ("POST", URL, {"data": b"x" * 200_000, "content_type": "text/csv"}, 413),
    ("POST", URL, {"data": b"\x80\x04K\x01.", "content_type": "text/csv"}, 415),
    ("GET", "/lost?x=1", {}, 503),
]


@pytest.fixture(scope="module")
def erring(tmp_path_factory):
    """A server on which every status can be had."""
    url = {
        "titanic": titanic_endpoint(),
        "untrained": {"pattern": "/untrained", "handler": "MLHandler"},
        "lost": {"pattern": "/lost", "handler": "MLHandler", "kwargs": {"data": "gone.csv", "model": {"class": "SVC"}}},
    }
    return build(tmp_path_factory.mktemp("erring"), url, limits={"body_mb": 0.1})


@pytest.mark.parametrize(("method", "url", "body", "status"), ERRORS, ids=lambda value: str(value)[:40])
def test_every_error_has_the_same_shape(erring, method, url, body, status):
    document = assert_problem(erring.open(url, method=method, **body), status)
    assert set(document) == {"type", "title", "status", "detail", "errors"}
    assert document["status"] == status
    assert document["type"]
    assert document["title"]
    assert document["detail"]
    assert all(set(part) == {"pointer", "detail"} for part in document["errors"])


@pytest.mark.parametrize(
    ("method", "url", "allowed"), [("PATCH", URL, "GET POST PUT DELETE"), ("POST", "/readyz", "GET")]
)
def test_405_says_what_is_allowed(erring, method, url, allowed):
    answer = erring.open(url, method=method)
    assert set(allowed.split()) <= set(answer.headers["Allow"].split(", "))
    assert method not in answer.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    ("limits", "body", "words"),
    [
        ({"body_mb": 0.05}, {"data": CSV, "content_type": "text/csv"}, ["0.05", "server.limits.body_mb"]),
        ({"rows": 890}, {"data": CSV, "content_type": "text/csv"}, ["891", "890", "server.limits.rows"]),
        ({"columns": 11}, {"data": CSV, "content_type": "text/csv"}, ["12", "11", "server.limits.columns"]),
        (
            {"unpacked_mb": 0.05},
            {"data": gzip.compress(CSV), "content_type": "text/csv", "headers": {"Content-Encoding": "gzip"}},
            ["0.05", "server.limits.unpacked_mb"],
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("action", ["predict", "append", "train"])
def test_413_names_the_limit_and_its_setting(make_client, unchanged, limits, body, words, action):
    client = make_client({"titanic": titanic_endpoint()}, limits=limits)
    with unchanged(client):
        assert_problem(client.post(f"{URL}?_action={action}", **body), 413, *words)


def test_a_form_larger_than_the_limit_is_413_too(make_client):
    client = make_client({"titanic": titanic_endpoint()}, limits={"body_mb": 0.05})
    assert_problem(client.post(URL, data={"Name": "x" * 60_000}), 413, "server.limits.body_mb")
    with (ROOT / "data" / "titanic.csv").open("rb") as file:
        assert_problem(client.post(URL, data={"file": file}), 413, "server.limits.body_mb")


def test_a_body_of_unknown_length_is_limited_too(erring):
    """A chunked body, as gunicorn hands it on."""
    body = b"x\n" + b"1234567\n" * 40_000
    answer = erring.post(
        "/untrained?_action=append",
        input_stream=io.BytesIO(body),
        content_type="text/csv",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert_problem(answer, 413, "server.limits.body_mb")


def test_503_says_when_to_ask_again_while_the_first_training_runs(make_client, tmp_path):
    with EndpointStore(tmp_path / "models" / "titanic").training.held():
        client = make_client({"titanic": titanic_endpoint()}, wait=False)
        answer = client.get(URL, query_string=ROW)
        assert_problem(answer, 503, "first training")
        assert int(answer.headers["Retry-After"]) > 0
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
    wait_until_ready(client)
    assert client.get(URL, query_string=ROW).json == [0]


def test_503_without_hope_has_no_retry_after(erring):
    answer = erring.get("/lost?x=1")
    assert_problem(answer, 503, "gone.csv")
    assert "Retry-After" not in answer.headers
