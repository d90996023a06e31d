"""Plain rows are answered before Flask is asked, and nobody can tell by the answer."""

import json

import pytest
from flask import request_started

from server.app import create_app
from server.config import hash_of, load_config
from server.web.observation import HEADER
from server.web.security import COOKIE
from tests.conftest import ROOT, ROW, BriefRunner, titanic_endpoint, wait_until_ready, write_config
from tests.web.conftest import URL, build

KEYS = {
    "asker": {"scopes": ["predict"]},
    "reader": {"scopes": ["read"]},
    "other": {"scopes": ["predict"], "endpoints": ["überleben"]},
}


def told(answer):
    headers = {name: value for name, value in answer.headers.items() if name != HEADER}
    return answer.status_code, headers, answer.get_data()


def door_of(client):
    """What stands before Flask, and behind what observes all requests."""
    return client.application.wsgi_app._application


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A server with two endpoints, one of them at a path that is not ASCII."""
    url = {"titanic": titanic_endpoint(), "überleben": titanic_endpoint() | {"pattern": "/über.leben"}}
    client = build(tmp_path_factory.mktemp("door"), url)
    wait_until_ready(client)
    return client


@pytest.fixture
def entered(client, monkeypatch):
    """The paths of the requests that Flask was asked."""
    paths, usual = [], door_of(client)._usual

    def note(environ, start_response):
        paths.append(environ["PATH_INFO"])
        return usual(environ, start_response)

    monkeypatch.setattr(door_of(client), "_usual", note)
    return paths


@pytest.fixture
def usual(client, monkeypatch):
    """What Flask answers by itself to a request."""

    def ask(**sent):
        with monkeypatch.context() as patch:
            patch.setattr(door_of(client), "_places", {})
            return client.open(**sent)

    return ask


@pytest.mark.parametrize(
    "sent",
    [
        {"path": URL, "query_string": ROW},
        {"path": URL, "query_string": ROW | {"_output": "proba", "_format": "json", "_": "7"}},
        {"path": URL, "query_string": ROW, "headers": {"Accept": "application/json"}},
        {"path": URL, "query_string": "&".join(f"{name}=%{ord(str(v)[0]):x}{str(v)[1:]}" for name, v in ROW.items())},
        {"path": "/über.leben", "query_string": ROW | {"Name": "Zoë %"}},
        {"path": URL, "method": "POST", "json": ROW},
        {"path": URL, "method": "POST", "json": [ROW, ROW | {"Age": None}]},
        {"path": URL, "method": "POST", "data": json.dumps(ROW), "content_type": "application/json; charset=utf-8"},
    ],
    ids=["query", "options", "JSON wanted", "escapes", "not ASCII", "object", "list", "charset"],
)
def test_plain_rows_do_not_enter_flask(client, entered, usual, sent):
    answer = told(client.open(**sent))
    assert answer[0] == 200
    assert entered == []
    assert answer == told(usual(**sent))


@pytest.mark.parametrize(
    "sent",
    [
        {"query_string": ROW, "method": "HEAD"},
        {"query_string": ROW, "headers": {"Accept": "text/csv"}},
        {"query_string": ROW | {"_format": "csv"}},
        {"query_string": ROW | {"_outptu": "proba"}},
        {"query_string": ROW | {"Age": "old"}},
        {"environ_overrides": {"QUERY_STRING": "Age=\xff&Sex=male"}},
        {"query_string": {"_params": ""}},
        {"method": "POST", "json": ROW, "headers": {"Sec-Fetch-Site": "cross-site"}},
        {"method": "POST", "json": ROW, "headers": {"Origin": "https://elsewhere.example"}},
        {"method": "POST", "json": ROW | {"Age": [3]}},
        {"method": "POST", "data": "{", "content_type": "application/json"},
        {"method": "PUT", "json": {}},
    ],
    ids=str,
)
def test_all_else_does(client, entered, usual, sent):
    answer = told(client.open(path=URL, **sent))
    assert entered == [URL]
    assert answer == told(usual(path=URL, **sent))


def test_a_model_that_cannot_be_read_is_told_by_flask(client, entered, usual):
    model = client.application.extensions["restimator"].endpoints["titanic"]._store.model.path
    kept = model.read_bytes()
    model.write_bytes(b"no pickle")
    try:
        answer = client.get(URL, query_string=ROW)
        assert answer.status_code == 503
        assert entered == [URL]
        assert answer.get_data() == usual(path=URL, query_string=ROW).get_data()
    finally:
        model.write_bytes(kept)


def test_nothing_passes_by_what_somebody_hooked_to_the_application(tmp_path):
    """A hook in wsgi.py may be what guards the server."""
    for number, hooked in enumerate(("before_request", "after_request", "teardown_request")):
        folder = tmp_path / str(number)
        folder.mkdir()
        app = create_app(load_config(write_config(folder, {"url": {"titanic": titanic_endpoint()}}), {}), BriefRunner())
        seen = []
        getattr(app, hooked)(lambda given=None, seen=seen: seen.append(1) or given)
        client = app.test_client()
        wait_until_ready(client)
        seen.clear()
        assert client.get(URL, query_string=ROW).json == [0]
        assert seen == [1]


def test_nothing_passes_by_who_listens_to_flasks_signals(client, entered):
    def listen(sender, **_):
        entered.append("signal")

    with request_started.connected_to(listen, client.application):
        client.get(URL, query_string=ROW)
    client.get(URL, query_string=ROW)
    assert entered == [URL, "signal"]


def test_the_first_request_of_all_is_started_for(tmp_path):
    """A worker whose first request is a row has told nobody yet that trainings are to begin."""
    url = {"titanic": titanic_endpoint()}
    build(tmp_path, url)
    app = create_app(load_config(write_config(tmp_path, {"url": url}), {}), BriefRunner())
    application = app.extensions["restimator"]
    assert not application._started
    assert app.test_client().get(URL, query_string=ROW).json == [0]
    assert application._started


def test_a_query_of_a_text_is_answered_at_the_door(tmp_path, monkeypatch):
    rows = str(ROOT / "data" / "reviews.csv")
    model = {"class": "MultinomialNB", "text_col": "text", "target_col": "label"}
    reviews = {"pattern": "/reviews", "handler": "TextHandler", "kwargs": {"data": rows, "model": model}}
    client = build(tmp_path, {"titanic": titanic_endpoint(), "reviews": reviews})
    wait_until_ready(client, "/reviews?query=fine")
    # Only the usual way takes the slash.
    expected = client.get("/reviews/?query=a+fine+film").json
    monkeypatch.setattr(door_of(client), "_usual", None)
    assert expected.keys() == {"prediction", "confidence"}
    assert client.get("/reviews?query=a+fine+film").json == expected


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The same endpoints, opened by keys."""
    folder = tmp_path_factory.mktemp("guarded")
    keys = [{"name": name, "hash": hash_of(name)} | key for name, key in KEYS.items()]
    url = {"titanic": titanic_endpoint(), "überleben": titanic_endpoint() | {"pattern": "/über.leben"}}
    app = create_app(load_config(write_config(folder, {"url": url, "server": {"keys": keys}}), {}), BriefRunner())
    client = app.test_client()
    wait_until_ready(client, "/readyz")
    return client


@pytest.mark.parametrize(
    ("headers", "status", "at_the_door"),
    [
        ({"X-API-Key": "asker"}, 200, True),
        ({"Authorization": "Bearer asker"}, 200, True),
        ({"Authorization": "Bearer  asker "}, 200, True),
        ({"Authorization": "bearer asker"}, 200, False),
        ({"Authorization": "Bearer asker", "X-API-Key": "reader"}, 200, True),
        ({"Authorization": "Basic YTpi", "X-API-Key": "asker"}, 200, False),
        ({"Authorization": "Bearer asker="}, 401, False),
        ({"Cookie": "asker"}, 200, False),
        ({"X-API-Key": "reader"}, 403, False),
        ({"X-API-Key": "other"}, 403, False),
        ({"X-API-Key": "nobody"}, 401, False),
        ({}, 401, False),
    ],
    ids=str,
)
def test_a_key_is_looked_at_as_elsewhere(guarded, monkeypatch, headers, status, at_the_door):
    door, entered = door_of(guarded), []
    usual = door._usual
    monkeypatch.setattr(door, "_usual", lambda *asked: entered.append(1) or usual(*asked))
    guarded.set_cookie(COOKIE, headers.get("Cookie", ""))
    answer = told(guarded.get(URL, query_string=ROW, headers=headers))
    assert (answer[0], not entered) == (status, at_the_door)
    monkeypatch.setattr(door, "_places", {})
    assert answer == told(guarded.get(URL, query_string=ROW, headers=headers))
