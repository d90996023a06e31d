"""The outermost layer: every request gets an id, is counted, and if so wished logged, whoever answers it.

Who answers tells it through the WSGI environment what only they know: `restimator.route` (the rule of the URL),
`restimator.endpoint`, `restimator.action` and `restimator.rows` (what was done with how many rows) and `restimator.key`
(the name of the key). What is not told is not known.
"""

import os
import random
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, request

from server.logs import Ids, RequestLine, current_ids
from server.web.counters import OTHER, Counters, Tally
from server.web.metrics import Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROUTE, ENDPOINT, KEY = "restimator.route", "restimator.endpoint", "restimator.key"
ACTION, ROWS = "restimator.action", "restimator.rows"
PREDICT = "predict"
HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII).fullmatch
# W3C Trace Context: version, trace, parent, flags; later versions may append fields.
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII)
# What a response without a status would be.
FAILED = "500"
# The system's own source costs more than all the rest here; ids are no secrets. Forked workers must not repeat them.
_random = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_random.seed)


# Method, mount and path as WSGI has them, status, route, endpoint, key, remote address, rows and action of a request.
Facts = tuple[str, str, str, str, str, str | None, str | None, str | None, int | None, str]
# Kinds of requests that are remembered, and the longest path of one: a client can make up as many as it likes.
MOST_KINDS, LONGEST_PATH = 1024, 200


class _Kind(NamedTuple):
    """What requests alike have in common: what counts each, and what logs it."""

    tally: Tally | None
    log: Callable[[float, Ids], None] | None


class Observation:
    """The application, observed.

    Args:
        application: what answers.
        metrics: what counts; None if nothing is counted.
        logs: whether a line is logged for each request.
    """

    def __init__(self, application: "WSGIApplication", metrics: Metrics | None, logs: bool) -> None:
        self._application, self._metrics, self._logs = application, metrics, logs
        self._counters: Counters | None = None
        self._kinds: dict[Facts, _Kind] = {}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The application's answer, with the request's id.

        What is logged of the request holds nothing of what was asked but where: neither query nor body.
        """
        began = time.perf_counter()
        status = FAILED
        ids = ids_of(environ)

        def started(line: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, [*headers, (HEADER, ids.request)], *error)

        counters = self._counters
        if counters is None and self._metrics is not None:
            counters = self._counters = self._metrics.counters
        if counters is not None:
            counters.begun()
        before = current_ids.set(ids)
        try:
            return self._application(environ, started)
        finally:
            try:
                if counters is not None or self._logs:
                    # Every call of a function from here on takes a hundredth of what a prediction does.
                    seconds, get = time.perf_counter() - began, environ.get
                    facts: Facts = (
                        environ["REQUEST_METHOD"], get("SCRIPT_NAME", ""), get("PATH_INFO", ""), status,
                        get(ROUTE, OTHER), get(ENDPOINT), get(KEY), get("REMOTE_ADDR"), get(ROWS), get(ACTION, PREDICT),
                    )  # fmt: skip
                    kind = self._kinds.get(facts) or self._learn(facts, counters)
                    if kind.tally is not None:
                        kind.tally(seconds)
                    if kind.log is not None:
                        kind.log(seconds, ids)
            finally:
                current_ids.reset(before)

    def _learn(self, facts: Facts, counters: Counters | None) -> _Kind:
        method, mount, path, status, route, endpoint, key, remote, rows, action = facts
        done = rows if rows and endpoint and status[0] == "2" else 0
        where = (route, method, status, endpoint, action) if done else (route, method, status)
        places = counters.places(*where) if counters is not None else None
        line = RequestLine(method, mount + path, status, route, endpoint, key, remote, rows) if self._logs else None
        tally = counters.tally(places, done) if counters is not None else None
        kind = _Kind(tally, line.log if line is not None else None)
        if len(self._kinds) >= MOST_KINDS:
            self._kinds.clear()
        # Where there was no room there may be some later.
        if (places is not None or counters is None) and route != OTHER and len(path) <= LONGEST_PATH:
            self._kinds[facts] = kind
        return kind


def ids_of(environ: "WSGIEnvironment") -> Ids:
    """The request's own id, which a proxy before this server may have given it, and its trace's, if it has one."""
    sent = environ.get("HTTP_X_REQUEST_ID")
    own = sent if sent is not None and SANE(sent) else f"{_random.getrandbits(128):032x}"
    traced = environ.get("HTTP_TRACEPARENT")
    trace = TRACEPARENT.fullmatch(traced) if traced is not None else None
    # Version 00 has these fields and no others.
    known = trace is not None and not (trace[0].startswith("00") and trace[2])
    return Ids(own, trace[1] if trace is not None and known else None)


def tell_rows(count: int, action: str = PREDICT) -> None:
    """Say what the request did with how many rows."""
    request.environ[ROWS], request.environ[ACTION] = count, action


def tell_route(app: Flask) -> None:
    """Have Flask say where a request went; to be registered before what may refuse it."""

    @app.before_request
    def tell() -> None:
        rule = request.url_rule
        if rule is not None:
            request.environ[ROUTE] = rule.rule
