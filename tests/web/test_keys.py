"""Keys open what their scopes say, at their endpoints, and nothing else."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from server.config import SCOPES, hash_of
from server.web.mlhandler import ACTIONS, VIEWS
from server.web.security import OPEN, GuardedResource
from tests.conftest import ROW, titanic_endpoint
from tests.web.conftest import assert_problem
from tests.web.guarding import BLANK, DOORS, DOORS_OF, KEYS, PLACES, ask, guarded_server

pytestmark = pytest.mark.slow
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    return guarded_server(tmp_path_factory.mktemp("keys"))


def test_every_door_and_all_that_it_does_has_its_line(guarded):
    """What opens a door that is added later must be said in DOORS."""
    app = guarded.application
    rules, told = app.url_map.bind("localhost"), set()
    for method, path, _, _ in DOORS:
        rule, _ = rules.match(urlsplit(path).path, method, return_rule=True)
        told.add((rule.rule, method))
    there = {
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in OPEN
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert told - {("/titanic", "HEAD")} == there
    asked = {
        name for method, path, _, _ in DOORS if method == "GET" for name, _ in parse_qsl(urlsplit(path).query, True)
    }
    assert set(VIEWS) <= asked
    actions = {
        value for method, path, _, _ in DOORS if method == "POST" for _, value in parse_qsl(urlsplit(path).query)
    }
    assert set(ACTIONS) <= actions


@pytest.mark.parametrize(("method", "path", "sent", "scopes"), DOORS)
def test_each_scope_opens_its_doors_and_no_others(guarded, method, path, sent, scopes):
    for holder in SCOPES:
        status = ask(guarded, method, path, holder, **sent).status_code
        assert (status == 403) == (scopes.split() != [holder]), (holder, status)
        assert_answered(status)
    status = ask(guarded, method, path, "all", **sent).status_code
    assert status != 403
    assert_answered(status)


def assert_answered(status):
    """It is neither refused for want of a key nor a failure; 503 is what waits for a model."""
    assert status != 401
    assert status < 500 or status == 503


@pytest.mark.parametrize(("method", "path", "sent", "scopes"), DOORS)
def test_without_a_key_that_is_known_nothing_is_opened(guarded, method, path, sent, scopes):
    for headers in ({}, {"X-API-Key": "all'S"}, {"Authorization": "Bearer no"}, {"Authorization": "Basic YWxs"}):
        answer = ask(guarded, method, path, headers=headers, **sent)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "sent", "scopes"), DOORS)
def test_a_key_for_one_endpoint_opens_no_other(guarded, method, path, sent, scopes):
    mine = next((name for place, name in DOORS_OF.items() if path.startswith(place)), None)
    for name in PLACES.values():
        status = ask(guarded, method, path, f"at {name}", **sent).status_code
        assert (status == 403) == (mine not in (None, name)), (name, status)
        assert_answered(status)


def test_who_may_read_and_predict_gets_the_page_and_the_prediction(guarded):
    for method, path, sent, scopes in DOORS:
        if scopes == BLANK:
            assert "<h1" in ask(guarded, method, path, "all", **sent).text
    for query in ("", "?_=1", "?&"):
        assert "<h1" in ask(guarded, "GET", f"/titanic{query}", "read").text
    assert ask(guarded, "GET", "/titanic", "predict", query_string=ROW).json == [0]


def test_a_403_names_the_key_and_the_scope(guarded):
    answer = ask(guarded, "DELETE", "/titanic?_model", "predict")
    assert_problem(answer, 403, "'predict'", "needs the scope admin", "has predict")
    assert_problem(ask(guarded, "GET", "/titanic", "at documents"), 403, "not for 'titanic'", "documents")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/ping", "/health"])
def test_whether_the_server_lives_is_told_to_anybody(guarded, path):
    assert ask(guarded, "GET", path).status_code in (200, 503)


def test_why_an_endpoint_is_not_ready_is_told_to_who_may_read(make_client, tmp_path):
    lost = {"pattern": "/lost", "handler": "MLHandler", "kwargs": {"model": {"path": "lost.pkl"}}}
    client = make_client({"lost": lost}, wait=False, keys=KEYS)
    reasons = {
        name: ask(client, "GET", "/readyz", name).json["endpoints"]["lost"] for name in (None, "predict", "read")
    }
    assert reasons[None] == reasons["predict"] == "not ready; a key with the scope read is told why"
    assert str(tmp_path / "lost.pkl") in reasons["read"]
    assert ask(client, "GET", "/readyz", "at titanic").json["endpoints"]["lost"] == reasons[None]


def test_a_key_for_some_endpoints_hears_of_no_other(make_client):
    url = {name: titanic_endpoint() | {"pattern": f"/{name}"} for name in ("titanic", "titan")}
    client = make_client(url, keys=KEYS)
    for path in ("/v2/models/tita", "/v2/models/tita/ready"):
        assert "titan'" not in ask(client, "GET", path, "at titanic").text
        assert "titan" in ask(client, "GET", path, "all").text
    sent = {"json": {"instances": []}}
    assert "titanic, titan" in ask(client, "POST", "/invocations", "all", **sent).json["detail"]
    assert ask(client, "POST", "/invocations", "at titanic", **sent).json["detail"].endswith("one of titanic")


def test_a_path_that_is_not_there_is_not_told_without_a_key(guarded):
    assert ask(guarded, "GET", "/nothing").status_code == 401
    assert ask(guarded, "GET", "/nothing", "read").status_code == 404


def test_lists_hold_what_the_key_opens(guarded):
    listed = ask(guarded, "GET", "/?_format=json", "at titanic").json["endpoints"]
    assert [one["name"] for one in listed] == ["titanic"]
    assert len(ask(guarded, "GET", "/?_format=json", "read").json["endpoints"]) == len(PLACES)
    runs = {name: ask(guarded, "GET", "/runs?limit=1000", name).json["runs"] for name in ("all", "at titanic")}
    assert {run["endpoint"] for run in runs["all"]} >= {"titanic", "documents"}
    assert {run["endpoint"] for run in runs["at titanic"]} == {"titanic"}
    assert ask(guarded, "GET", "/runs?endpoint=documents", "at titanic").status_code == 403
    assert_problem(ask(guarded, "GET", "/runs", "at two"), 403, "endpoint=titanic")
    assert ask(guarded, "GET", "/runs?endpoint=documents", "at two").status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_run_of_another_endpoint_is_not_opened(guarded, method):
    (run,) = ask(guarded, "GET", "/runs?endpoint=documents&status=FINISHED&limit=1", "all").json["runs"]
    for view in ("", "?_losses", "?_picture=confusion_matrix", "?_format=html"):
        answer = ask(guarded, method, f"/runs/{run['run_id']}{view}", "at titanic")
        assert_problem(answer, 403, "not for 'documents'", "opens titanic")
    assert ask(guarded, "GET", f"/runs/{run['run_id']}", "at documents").json["status"] == "FINISHED"


@pytest.mark.parametrize("header", [{"Authorization": "Bearer read's"}, {"X-API-Key": "read's"}])
def test_a_key_is_sent_in_either_header(guarded, header):
    answer = guarded.get("/titanic?_params", headers=header)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_page_asks_for_a_key_and_leads_on(guarded):
    asked = guarded.get("/titanic?x=1", headers=PAGE)
    assert asked.status_code == 401
    assert 'name="key"' in asked.text
    assert 'value="/titanic?x=1"' in asked.text
    wrong = guarded.post("/_login", data={"key": "nobody's", "next": "/titanic"})
    assert (wrong.status_code, "does not know the key" in wrong.text) == (401, True)
    right = guarded.post("/_login", data={"key": "read's", "next": "/titanic?_params"})
    assert (right.status_code, right.headers["Location"]) == (302, "/titanic?_params")
    cookie = right.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert guarded.get("/titanic?_params").status_code == 200
    assert "Log out read" in guarded.get("/runs", headers=PAGE).text
    assert guarded.post("/_logout").status_code == 302
    assert guarded.get("/titanic?_params").status_code == 401


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "/\\\\\\evil.example",
        "/\\evil.example",
        "x",
        "/a\nb",
        "",
    ],
)
def test_a_login_leads_nowhere_else(guarded, address):
    answer = guarded.post("/_login", data={"key": "read's", "next": address})
    assert answer.headers["Location"] == "/"
    guarded.delete_cookie("restimator_key")


OTHERS = [
    ({"Sec-Fetch-Site": "cross-site"}, False), ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "same-origin"}, True), ({"Sec-Fetch-Site": "none"}, True), ({}, True),
    ({"Origin": "http://localhost"}, True), ({"Origin": "https://localhost"}, False), ({"Origin": "null"}, False),
    ({"Origin": "http://localhost:81"}, False), ({"Origin": "http://evil.example"}, False),
    ({"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"}, False),
    ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, True),
]  # fmt: skip
UNSAFE = [door for door in DOORS if door[0] not in ("GET", "HEAD")]


@pytest.mark.parametrize(("headers", "is_let_in"), OTHERS)
@pytest.mark.parametrize("way", ["header", "cookie"])
def test_what_another_sites_page_sends_is_refused(guarded, headers, is_let_in, way):
    if way == "cookie":
        guarded.set_cookie("restimator_key", "all's")
    holder = None if way == "cookie" else "all"
    for method, path, sent, _ in UNSAFE:
        status = ask(guarded, method, path, holder, headers, **sent).status_code
        assert (status == 403) == (not is_let_in), (method, path, status)
    assert ask(guarded, "GET", "/titanic", holder, headers, query_string=ROW).status_code in (200, 503)
    guarded.delete_cookie("restimator_key")


@pytest.mark.parametrize("headers", [headers for headers, _ in OTHERS])
def test_an_endpoint_can_take_requests_of_other_sites(make_client, headers):
    client = make_client({"titanic": titanic_endpoint(xsrf_cookies=False)})
    assert client.post("/titanic", json=[ROW], headers=headers).status_code == 200


def test_pages_run_their_own_files_only(guarded):
    for path in ("/", "/titanic", "/runs", "/custom_classifier", "/api/v1"):
        headers = ask(guarded, "GET", path, "read", PAGE).headers
        assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"]
        assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")


def test_every_resource_is_guarded(guarded):
    """What a new resource does not say, no key opens; what is no resource must be told here."""
    app = guarded.application
    views = {name: getattr(view, "view_class", None) for name, view in app.view_functions.items()}
    guarded_ones = {name for name, view in views.items() if view is not None and issubclass(view, GuardedResource)}
    assert views.keys() - guarded_ones == OPEN
    for rule in app.url_map.iter_rules():
        view = views[rule.endpoint]
        if rule.endpoint in guarded_ones and view.scope is GuardedResource.scope:
            assert rule.methods - {"HEAD", "OPTIONS"} <= view.scopes.keys()


FORM = "application/x-www-form-urlencoded"
CHUNKED = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}


@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        ({"data": b"a&" * 40_000, "content_type": FORM}, 413, "a login is larger than 64 KiB"),
        ({"data": b"a&" * 40_000, "content_type": FORM, "environ_overrides": CHUNKED}, 413, "larger than 64 KiB"),
        ({"data": b"key=\xff", "content_type": FORM}, 400, "no text in UTF-8"),
        ({"data": b"key=%ff", "content_type": FORM}, 400, "no text in UTF-8"),
        ({"data": b"x", "content_type": "multipart/form-data"}, 415, "x-www-form-urlencoded with the field 'key'"),
        ({"json": {"key": "read's"}}, 415, "x-www-form-urlencoded with the field 'key'"),
        ({}, 415, "x-www-form-urlencoded with the field 'key'"),
    ],
)
def test_a_login_that_is_no_small_form_is_refused(guarded, sent, status, told):
    answer = guarded.post("/_login", **sent)
    assert_problem(answer, status)
    assert told in answer.json["detail"]


def test_a_login_leads_back_to_the_longest_address(guarded):
    address = "/titanic?_params&_=" + "ü" * 8000
    answer = guarded.post("/_login", data={"key": "read's", "next": address})
    assert answer.status_code == 302
    guarded.delete_cookie("restimator_key")


@pytest.mark.parametrize(("headers", "is_let_in"), OTHERS)
@pytest.mark.parametrize("path", ["/_login", "/_logout"])
def test_another_sites_page_neither_logs_in_nor_out(guarded, path, headers, is_let_in):
    answer = guarded.post(path, data={"key": "read's"}, headers=headers)
    assert answer.status_code == (302 if is_let_in else 403)
    assert ("Set-Cookie" in answer.headers) == is_let_in
    guarded.delete_cookie("restimator_key")


@pytest.mark.parametrize(("scheme", "is_secure"), [("http", False), ("https", True)])
def test_the_cookie_keeps_to_the_scheme_of_the_login(guarded, scheme, is_secure):
    answer = guarded.post("/_login", data={"key": "read's"}, base_url=f"{scheme}://localhost/")
    assert ("; Secure" in answer.headers["Set-Cookie"]) == is_secure
    guarded.delete_cookie("restimator_key", domain="localhost")


def test_a_login_below_a_mount_stays_there(guarded):
    mounted = {"SCRIPT_NAME": "/before"}
    asked = guarded.get("/titanic?x=1", headers=PAGE, environ_overrides=mounted)
    assert 'value="/before/titanic?x=1"' in asked.text
    assert 'action="/before/_login"' in asked.text
    right = guarded.post("/_login", data={"key": "read's"}, environ_overrides=mounted)
    assert right.headers["Location"] == "/before/"
    assert "Path=/before" in right.headers["Set-Cookie"]
    guarded.delete_cookie("restimator_key", path="/before")


WAYS = {
    "header": {"headers": {"X-API-Key": "KEY"}},
    "Bearer": {"headers": {"Authorization": "Bearer KEY"}},
    "Basic": {"headers": {"Authorization": "Basic KEY"}},
    "cookie": {},
    "login form": {"path": "/_login", "method": "POST", "data": {"key": "KEY", "next": "/"}},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_known", [True, False])
def test_the_log_and_the_errors_hold_no_key(make_client, caplog, way, is_known):
    secret = "a-secret-that-was-sent"
    known = {"name": "known", "hash": hash_of(secret if is_known else "another"), "scopes": ["read"]}
    client = make_client({"titanic": titanic_endpoint()}, wait=False, keys=[known], log={"requests": True})
    sent = {"path": "/titanic?_params"} | WAYS[way]
    for part in ("headers", "data"):
        if part in sent:
            sent[part] = {name: text.replace("KEY", secret) for name, text in sent[part].items()}
    if way == "cookie":
        client.set_cookie("restimator_key", secret)
    with caplog.at_level("INFO", "server"):
        caplog.clear()
        answer = client.open(**sent)
    opened = is_known and way != "Basic"
    assert answer.status_code == {"login form": 302}.get(way, 200) if opened else 401
    line = next(record.getMessage() for record in caplog.records if record.name == "server.requests")
    assert f"{sent['path'].partition('?')[0]} {answer.status_code}" in line, line
    # The cookie that a login sets is what it is for.
    headers = [pair for pair in answer.headers if pair[0] != "Set-Cookie"]
    assert secret not in answer.text + caplog.text + json.dumps(headers)
