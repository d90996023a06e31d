"""Keys open what their scopes say, at their endpoints, and nothing else."""

import json

import pytest

from server.app import create_app
from server.config import SCOPES, hash_of, load_config
from server.web.security import OPEN, GuardedResource
from tests.conftest import ROW, BriefRunner, titanic_endpoint, write_config
from tests.registering import registry, write_models
from tests.web.classifying import classifier_entry
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow
PAGE = {"Accept": "text/html"}
DOORS = [
    ("GET", "/", {}, "read"),
    ("GET", "/runs", {}, "read"),
    ("GET", "/metrics", {}, "read"),
    ("DELETE", "/runs/none", {}, "train"),
    ("GET", "/titanic", {}, "read"),
    *(
        ("GET", f"/titanic?{view}", {}, "read")
        for view in ("_params", "_cache", "_model", "_runs", "_picture=roc_curve")
    ),
    ("GET", "/titanic?_download", {}, "admin"),
    ("GET", "/titanic?Age=1&%5Fdownload", {}, "admin"),
    ("GET", "/titanic?Age=1&%5fcache=&x", {}, "read"),
    ("GET", "/titanic", {"query_string": ROW}, "predict"),
    ("HEAD", "/titanic", {"query_string": ROW}, "predict"),
    ("GET", "/titanic", {"json": ROW}, "predict"),
    # Chunked, as gunicorn hands it on.
    (
        "GET",
        "/titanic",
        {
            "data": json.dumps(ROW),
            "content_type": "application/json",
            "environ_overrides": {
                "CONTENT_LENGTH": "",
                "wsgi.input_terminated": True,
                "HTTP_TRANSFER_ENCODING": "chunked",
            },
        },
        "predict",
    ),
    ("POST", "/titanic", {"json": [ROW]}, "predict"),
    ("POST", "/titanic?_action=predict", {"json": [ROW]}, "predict"),
    ("POST", "/titanic?_action=score", {}, "predict"),
    *(("POST", f"/titanic?_action={action}", {"json": [ROW]}, "train") for action in ("append", "train", "retrain")),
    *(("POST", "/titanic", {"data": {"_action": action}}, "train") for action in ("append", "train", "retrain")),
    ("PUT", "/titanic?_model&C=-1", {}, "train"),
    ("DELETE", "/titanic?_nothing", {}, "admin"),
    ("GET", "/custom_classifier", {}, "read"),
    ("GET", "/custom_classifier/all_experiments/last_run", {}, "read"),
    ("GET", "/custom_classifier/runid/status", {}, "read"),
    ("POST", "/custom_classifier/job_status", {"json": {}}, "read"),
    ("POST", "/custom_classifier/predict", {"json": {}}, "predict"),
    ("POST", "/custom_classifier/process", {"json": {}}, "train"),
    ("POST", "/custom_classifier/experiment/soft_delete", {"json": {}}, "admin"),
    ("POST", "/custom_classifier/experiment/hard_delete", {"json": {}}, "admin"),
    ("POST", "/custom_classifier/run/soft_delete", {"json": {}}, "admin"),
    ("GET", "/api/v1", {}, "read"),
    *(("GET", f"/api/v1/{name}", {}, "read") for name in ("endpoints", "mlalgorithms", "mlrequests", "abtests")),
    ("GET", "/api/v1/endpoints/1", {}, "read"),
    ("POST", "/api/v1/iris/predict", {"json": {}}, "predict"),
    ("PUT", "/api/v1/mlrequests/1", {"json": {"feedback": 1}}, "predict"),
    ("PATCH", "/api/v1/mlrequests/1", {"json": {"feedback": 1}}, "predict"),
    ("POST", "/api/v1/mlalgorithmstatuses", {"json": {}}, "admin"),
    ("POST", "/api/v1/abtests", {"json": {}}, "admin"),
    ("POST", "/api/v1/stop_ab_test/1", {"json": {}}, "admin"),
    *(("GET", path, {}, "read") for path in ("/v2", "/version", "/v2/models/titanic", "/v2/models/titanic/ready")),
    ("GET", "/v2/models/titanic/versions/none", {}, "read"),
    ("POST", "/v2/models/titanic/infer", {"json": {}}, "predict"),
    ("POST", "/v2/models/titanic/versions/none/infer", {"json": {}}, "predict"),
    ("POST", "/invocations", {"json": {"instances": [ROW]}}, "predict"),
]
PLACES = {"/titanic": "titanic", "/custom_classifier": "documents", "/api/v1": "registry"}
# The only MLHandler endpoint answers MLflow's clients.
DOORS_OF = PLACES | {"/v2/models/titanic": "titanic", "/invocations": "titanic"}


def key(name, scopes, endpoints=()):
    return {"name": name, "hash": hash_of(f"{name}'s"), "scopes": list(scopes), "endpoints": list(endpoints)}


KEYS = [
    *(key(scope, [scope]) for scope in SCOPES),
    key("all", SCOPES),
    *(key(f"at {name}", SCOPES, [name]) for name in PLACES.values()),
    key("at two", SCOPES, ["titanic", "documents"]),
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A titanic endpoint, a classifier of documents and a registry, opened by keys."""
    folder = tmp_path_factory.mktemp("keys")
    url = {"titanic": titanic_endpoint(), "documents": classifier_entry(), "registry": registry()}
    write_models(folder)
    path = write_config(folder, {"server": {"keys": KEYS}, "url": url})
    return create_app(load_config(path, {}), BriefRunner()).test_client()


def ask(client, method, path, holder=None, headers=None, **sent):
    given = {"X-API-Key": f"{holder}'s"} if holder else {}
    return client.open(path, method=method, headers=given | (headers or {}), buffered=True, **sent)


@pytest.mark.parametrize(("method", "path", "sent", "scope"), DOORS)
def test_each_scope_opens_its_doors_and_no_others(guarded, method, path, sent, scope):
    for holder in SCOPES:
        status = ask(guarded, method, path, holder, **sent).status_code
        assert (status == 403) == (holder != scope), (holder, status)
        assert status != 401
    assert ask(guarded, method, path, "all", **sent).status_code not in (401, 403)


@pytest.mark.parametrize(("method", "path", "sent", "scope"), DOORS)
def test_without_a_key_that_is_known_nothing_is_opened(guarded, method, path, sent, scope):
    for headers in ({}, {"X-API-Key": "all'S"}, {"Authorization": "Bearer no"}, {"Authorization": "Basic YWxs"}):
        answer = ask(guarded, method, path, headers=headers, **sent)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "sent", "scope"), DOORS)
def test_a_key_for_one_endpoint_opens_no_other(guarded, method, path, sent, scope):
    mine = next((name for place, name in DOORS_OF.items() if path.startswith(place)), None)
    for name in PLACES.values():
        status = ask(guarded, method, path, f"at {name}", **sent).status_code
        assert (status == 403) == (mine not in (None, name)), (name, status)


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
    assert len(ask(guarded, "GET", "/?_format=json", "read").json["endpoints"]) == 3
    runs = ask(guarded, "GET", "/runs", "at titanic").json["runs"]
    assert {run["endpoint"] for run in runs} <= {"titanic"}
    assert ask(guarded, "GET", "/runs?endpoint=documents", "at titanic").status_code == 403
    assert_problem(ask(guarded, "GET", "/runs", "at two"), 403, "endpoint=titanic")
    assert ask(guarded, "GET", "/runs?endpoint=documents", "at two").status_code == 200


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
        if rule.endpoint in guarded_ones and "scope" not in vars(view):
            assert rule.methods - {"HEAD", "OPTIONS"} <= view.scopes.keys()


def test_the_log_and_the_errors_hold_no_key(guarded, caplog):
    answer = ask(guarded, "GET", "/titanic", headers={"X-API-Key": "a-secret-that-was-sent"})
    assert "a-secret" not in answer.text + caplog.text + json.dumps(dict(answer.headers))


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
