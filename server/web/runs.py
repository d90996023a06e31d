"""Runs: listed, shown, cancelled."""

from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from flask_restful import Resource
from werkzeug.http import parse_dict_header

from server.errors import BadRequest, InvalidParameter, did_you_mean
from server.service.runs import MOST, Runs
from server.web.responses import json_response

PATH = "/runs"
FILTERS = ("endpoint", "status", "limit", "page")
USUAL = 100


class RunListResource(Resource):
    """The runs of all endpoints."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def get(self) -> Response:
        """Some of them, newest first, and the address of the others."""
        for name in request.args:
            if name not in (*FILTERS, "_"):
                raise InvalidParameter(
                    f"unknown filter {name!r}{did_you_mean(name, FILTERS)}; known: {', '.join(FILTERS)}"
                )
        return run_list(self._runs, request.args.get("endpoint"), "")


class RunResource(Resource):
    """One run."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def get(self, run_id: str) -> Response:
        """What was trained, how far it is, how good it became."""
        return json_response(self._runs.show(run_id))

    def delete(self, run_id: str) -> Response:
        """Cancel it."""
        return json_response(self._runs.cancel(run_id))


def run_list(runs: Runs, endpoint: str | None, before: str) -> Response:
    """The runs that the query asks for; `before` stands before the names of its options."""
    limit = request.args.get(f"{before}limit", str(USUAL))
    if not limit.isdecimal():
        raise BadRequest(f"{before}limit must be a number from 1 to {MOST}, not {limit!r}")
    status = request.args.get(f"{before}status")
    found, following = runs.found(endpoint, status, int(limit), request.args.get(f"{before}page"))
    query = [(name, value) for name, value in request.args.items(multi=True) if name != f"{before}page"]
    following = f"{request.path}?{urlencode([*query, (f'{before}page', following)])}" if following else None
    return json_response({"runs": found, "next": following})


def prefix(base_url: str) -> str:
    """server.base_url as the beginning of a path: empty, or /like/this."""
    path = base_url.strip("/")
    return f"/{path}" if path else ""


def patience() -> float | None:
    """How many seconds the client would wait before it is told where to look (RFC 7240); None: as long as it takes."""
    preferences = parse_dict_header(request.headers.get("Prefer", ""))
    if "respond-async" not in preferences:
        return None
    wait = preferences.get("wait") or "0"
    # A preference that is not understood is no preference.
    return float(wait) if wait.isdecimal() else 0.0


def accepted(run: dict[str, Any], base: str) -> Response:
    """202: the training goes on, and this is where to look."""
    response = json_response(run, 202)
    response.headers["Location"] = f"{request.script_root}{base}{PATH}/{run['run_id']}"
    response.headers["Preference-Applied"] = "respond-async"
    return response
