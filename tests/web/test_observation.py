"""Every request has an id, which is in its answer and in all that is logged of it; the log keeps no values."""

import io
import json
import logging
import os
import re
import threading
from datetime import datetime

import pytest

from server import logs
from server.config import hash_of
from server.logs import LineFormatter, current_ids
from server.web.observation import Observation, ids_of
from tests.conftest import ROW, titanic_endpoint
from tests.web.conftest import assert_problem

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def environ(**given):
    return {"REQUEST_METHOD": "GET", "PATH_INFO": "/titanic"} | given


def asked(application, **given):
    """The headers of the application's answer."""
    told = {}
    b"".join(application(environ(**given), lambda status, headers, *error: told.update(headers)))
    return told


def answers(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


@pytest.fixture
def logged():
    """What the server logs with a formatter of its own: call it with the formatter, and later the result."""
    own, output = logging.getLogger("server"), io.StringIO()
    handler, level = logging.StreamHandler(output), own.level

    def begin(formatter):
        handler.setFormatter(formatter)
        own.addHandler(handler)
        own.setLevel(logging.INFO)
        return lambda: output.getvalue().splitlines()

    yield begin
    own.removeHandler(handler)
    own.setLevel(level)


@pytest.mark.parametrize("sent", ["a", "A.b_c-9", "f" * 128])
def test_a_sane_id_is_kept(sent):
    assert asked(Observation(answers, None, False), HTTP_X_REQUEST_ID=sent)["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", [None, "", "a b", "a\n", "a;b", "ä", "f" * 129, "<script>", "٣"])
def test_any_other_is_replaced_by_a_new_one(sent):
    given = {} if sent is None else {"HTTP_X_REQUEST_ID": sent}
    made = {asked(Observation(answers, None, False), **given)["X-Request-ID"] for _ in range(100)}
    assert len(made) == 100
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in made)


@pytest.mark.parametrize(
    ("sent", "trace"),
    [
        (f"00-{TRACE}-{PARENT}-01", TRACE),
        (f"00-{TRACE}-{PARENT}-00", TRACE),
        (f"01-{TRACE}-{PARENT}-01-what.comes", TRACE),
        (f"00-{TRACE}-{PARENT}-01-more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{TRACE}-{PARENT}", None),
        ("", None),
    ],
)
def test_a_trace_is_known_by_a_valid_traceparent_only(sent, trace):
    assert ids_of(environ(HTTP_TRACEPARENT=sent)).trace == trace
    assert ids_of(environ()).trace is None


def test_what_is_logged_in_a_request_bears_its_ids_and_nothing_after_it_does(logged):
    def application(environ, start_response):
        logging.getLogger("server.somewhere").warning("look")
        elsewhere = threading.Thread(target=lambda: logging.getLogger("server.elsewhere").info("aside"))
        elsewhere.start()
        elsewhere.join()
        return answers(environ, start_response)

    lines = logged(LineFormatter(as_json=True))
    observed = Observation(application, None, True)
    asked(observed, HTTP_X_REQUEST_ID="mine", HTTP_TRACEPARENT=f"00-{TRACE}-{PARENT}-01", QUERY_STRING="Name=Braund")
    logging.getLogger("server").info("later")
    inside, aside, told, later = map(json.loads, lines())
    assert (inside["message"], inside["level"], inside["logger"]) == ("look", "warning", "server.somewhere")
    assert {inside["request_id"], told["request_id"]} == {"mine"}
    assert {inside["trace_id"], told["trace_id"]} == {TRACE}
    assert "request_id" not in aside | later
    assert current_ids.get() is None
    assert (told["method"], told["path"], told["status"], told["route"]) == ("GET", "/titanic", 200, "other")
    assert told["duration_ms"] > 0
    assert datetime.fromisoformat(told["time"]).tzinfo is not None
    assert "Braund" not in told["message"] + told["path"]


def test_an_application_that_fails_is_logged_as_500_and_its_id_is_let_go(logged):
    def fails(environ, start_response):
        raise OSError("gone")

    lines = logged(LineFormatter(as_json=True))
    with pytest.raises(OSError, match="gone"):
        asked(Observation(fails, None, True))
    assert json.loads(lines()[-1])["status"] == 500
    assert current_ids.get() is None


def test_a_line_break_in_a_path_begins_no_line(logged):
    lines = logged(LineFormatter())
    asked(Observation(answers, None, True), PATH_INFO="/a\nb\x1b[31m", HTTP_X_REQUEST_ID="mine")
    (line,) = lines()
    assert "[mine]" in line
    assert "GET /a%0Ab%1B%5B31m 200" in line


def test_a_key_in_a_path_is_not_logged(logged):
    lines = logged(LineFormatter())
    asked(Observation(answers, None, True), PATH_INFO="/titanic/restimator_" + "aB-_9" * 8)
    assert "GET /titanic/[redacted] 200" in lines()[0]


def test_a_request_is_logged_with_what_is_known_of_it(make_client, logged):
    keys = [{"name": "app", "hash": hash_of("secret"), "scopes": ["read", "predict"]}]
    client = make_client({"titanic": titanic_endpoint()}, keys=keys, log={"requests": True})
    lines = logged(LineFormatter(as_json=True))
    key = {"X-API-Key": "secret", "X-Request-ID": "mine"}
    assert client.get("/titanic", query_string=ROW, headers=key).headers["X-Request-ID"] == "mine"
    assert client.post("/titanic?_action=score&x=1", json=[], headers=key).status_code == 400
    assert client.get("/nothing", headers=key).headers["X-Request-ID"] == "mine"
    assert client.get("/titanic?_params").status_code == 401
    one, score, nothing, refused = (json.loads(line) for line in lines() if '"server.requests"' in line)
    assert (one["route"], one["endpoint"], one["rows"], one["key"]) == ("/titanic", "titanic", 1, "app")
    assert (one["status"], one["remote"]) == (200, "127.0.0.1")
    assert score["status"] == 400
    assert (nothing["route"], nothing["path"], nothing["status"]) == ("other", "/nothing", 404)
    assert (refused["status"], refused["route"], refused.get("key")) == (401, "/titanic", None)
    assert "secret" not in "".join(lines())
    assert "male" not in "".join(lines())


def test_without_the_setting_requests_are_not_logged(reader, logged):
    lines = logged(LineFormatter())
    assert len(reader.get("/titanic", query_string=ROW).headers["X-Request-ID"]) == 32
    assert lines() == []


def test_an_error_bears_the_id_too(reader):
    answer = reader.get("/titanic?Age=x", headers={"X-Request-ID": "mine"})
    assert_problem(answer, 400)
    assert answer.headers["X-Request-ID"] == "mine"


@pytest.mark.parametrize("as_json", [False, True])
def test_where_columns_are_not_kept_errors_quote_nothing(logged, as_json):
    lines = logged(LineFormatter(as_json, redacts=True))
    log, cell = logging.getLogger("server"), "Braund" + ", Mr. Owen"
    try:
        raise ValueError(f"could not convert string to float: {cell!r}")
    except ValueError as error:
        log.error("the training failed: %s", error, exc_info=error)
    log.warning('no such value: "Allen"')
    said = "\n".join(lines())
    assert "Braund" not in said
    assert "Allen" not in said
    assert "[redacted]" in said
    assert "ValueError" in said
    assert "test_observation.py" in said


def test_where_all_columns_are_kept_errors_are_whole(logged):
    lines = logged(LineFormatter())
    try:
        raise ValueError("not '1'")
    except ValueError as error:
        logging.getLogger("server").error("failed", exc_info=error)
    assert "ValueError: not '1'" in "\n".join(lines())


def test_forked_workers_make_different_ids():
    made = set()
    for _ in range(3):
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.write(writing, ids_of(environ()).request.encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        with os.fdopen(reading) as told:
            made.add(told.read())
    assert len(made) == 3


def without_times(line, as_json):
    """The line, or what stands in its object, without the moment and the duration."""
    assert re.search(r" \d+\.\d+ ms", line)
    line = re.sub(r" \d+\.\d+ ms|\d\d:\d\d:\d\d,\d{3}", "", line)
    return (
        {name: told for name, told in json.loads(line).items() if name not in ("time", "duration_ms")}
        if as_json
        else line
    )


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("is_file", [True, False])
def test_a_line_that_nobody_else_wants_is_what_a_record_would_tell(
    logged, monkeypatch, tmp_path, as_json, known, is_file
):
    sent = {"HTTP_X_REQUEST_ID": "mine"}
    if known:
        sent |= {"HTTP_TRACEPARENT": f"00-{TRACE}-{PARENT}-01", "PATH_INFO": "/\xe4 b", "REMOTE_ADDR": "::1"}
        sent |= {"restimator.endpoint": 'ä"b', "restimator.key": "app", "restimator.rows": 2}
    lines = logged(LineFormatter(as_json))
    asked(Observation(answers, None, True), **sent)
    (record,) = lines()

    output = (tmp_path / "log").open("w+") if is_file else io.StringIO()
    monkeypatch.setattr("sys.stderr", output)
    stderr = logs._Stderr(LineFormatter(as_json))
    monkeypatch.setattr(logging.getLogger("server"), "handlers", [stderr])
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    # Who wants lines is seen once a second.
    monkeypatch.setattr(logs.RequestLine, "_now", logs.NEVER)
    with output:
        asked(Observation(answers, None, True), **sent)
        output.seek(0)
        (line,) = output.read().splitlines()
    assert without_times(line, as_json) == without_times(record, as_json)
    if as_json:
        moment, duration = json.loads(line)["time"], json.loads(line)["duration_ms"]
        assert datetime.fromisoformat(moment) >= datetime.fromisoformat(json.loads(record)["time"])
        assert 0 < duration < 1000


def test_who_wants_records_later_has_them_from_the_next_second_on(logged, monkeypatch):
    # Lines of the level that is logged by default.
    logged(LineFormatter())
    output, moment = io.StringIO(), 1_700_000_000.5
    monkeypatch.setattr("sys.stderr", output)
    monkeypatch.setattr(logging.getLogger("server"), "handlers", [logs._Stderr(LineFormatter())])
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logs.RequestLine, "_now", logs.NEVER)
    monkeypatch.setattr(logs.time, "time", lambda: moment)
    records = []
    monkeypatch.setattr(logging.getLogger(logs.REQUESTS), "handlers", [])
    observed = Observation(answers, None, True)
    asked(observed)
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger(logs.REQUESTS).addHandler(handler)
    moment += 1
    asked(observed)
    assert len(output.getvalue().splitlines()) == 2
    assert [record.fields["status"] for record in records] == [200]


@pytest.mark.parametrize("is_file", [True, False])
def test_a_log_that_cannot_be_written_takes_no_answer_away(logged, monkeypatch, is_file):
    # Lines of the level that is logged by default.
    logged(LineFormatter())
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") if is_file else io.StringIO() as output:
        monkeypatch.setattr("sys.stderr", output)
        monkeypatch.setattr(logging.getLogger("server"), "handlers", [logs._Stderr(LineFormatter())])
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        monkeypatch.setattr(logs.RequestLine, "_now", logs.NEVER)
        os.close(reading)
        if not is_file:
            output.close()
        assert "X-Request-ID" in asked(Observation(answers, None, True))


def test_paths_that_clients_make_up_are_not_remembered():
    observed = Observation(answers, None, True)
    asked(observed, **{"PATH_INFO": "/titanic", "restimator.route": "/titanic"})
    (kept,) = observed._kinds
    for path, route in (("/nothing", "other"), ("/runs/" + "a" * 8000, "/runs/<run_id>")):
        asked(observed, **{"PATH_INFO": path, "restimator.route": route})
    assert list(observed._kinds) == [kept]
