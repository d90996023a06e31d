"""Runs: listed, shown, cancelled."""

from typing import Any, ClassVar
from urllib.parse import urlencode

from flask import Response, request
from werkzeug.http import parse_dict_header

from server.errors import BadRequest, InvalidParameter, did_you_mean
from server.service.runs import MOST, Runs
from server.web.responses import json_response, page_or_json, picture_response, varying
from server.web.run_pages import ON_PAGE, list_page, run_page
from server.web.security import SAFE, GuardedResource, opens_some, require, the_only_endpoint

PATH = "/runs"
# Digits of a number that means anything here.
LONGEST = 9
FILTERS = ("endpoint", "status", "limit", "page")
VIEWS = ("_format", "_losses", "_picture")
USUAL = 100


class RunListResource(GuardedResource):
    """The runs of all endpoints, or of those that the key opens."""

    scopes: ClassVar = {"GET": "read"}

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def get(self) -> Response:
        """Some of them, newest first, and the address of the others: as JSON, or for browsers as a page."""
        _check_names("filter", (*FILTERS, "_format"))
        is_page = page_or_json(request, "json") == "html"
        endpoint = request.args.get("endpoint") or the_only_endpoint()
        require("read", endpoint)
        found, following = _found(self._runs, endpoint, "", ON_PAGE if is_page else USUAL)
        return varying(
            list_page(found, following, self._runs.patterns)
            if is_page
            else json_response({"runs": found, "next": following})
        )


class RunResource(GuardedResource):
    """One run."""

    scopes: ClassVar = {"GET": "read", "DELETE": "train"}

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def get(self, run_id: str) -> Response:
        """What was trained, how far it is, how good it became: as JSON, or for browsers as a page."""
        _check_names("option", VIEWS)
        is_page = page_or_json(request, "json") == "html"
        self._check(run_id)
        if "_picture" in request.args:
            return picture_response(request, self._runs.picture(run_id, request.args["_picture"]))
        if "_losses" in request.args:
            return json_response({"losses": self._runs.losses(run_id)})
        if is_page:
            return varying(run_page(self._runs.view(run_id), self._runs.patterns))
        return varying(json_response(self._runs.show(run_id)))

    def delete(self, run_id: str) -> Response:
        """Cancel it."""
        self._check(run_id)
        return json_response(self._runs.cancel(run_id))

    def _check(self, run_id: str) -> None:
        if opens_some():
            require("read" if request.method in SAFE else "train", self._runs.show(run_id)["endpoint"])


def run_list(runs: Runs, endpoint: str | None, before: str) -> Response:
    """The runs that the query asks for; `before` stands before the names of its options."""
    found, following = _found(runs, endpoint, before, USUAL)
    return json_response({"runs": found, "next": following})


def _found(runs: Runs, endpoint: str | None, before: str, usual: int) -> tuple[list[dict[str, Any]], str | None]:
    """The runs that the query asks for, by default the usual number of them, and the address of those that follow."""
    limit = request.args.get(f"{before}limit", str(usual))
    if not limit.isdecimal() or len(limit) > LONGEST:
        raise BadRequest(f"{before}limit must be a number from 1 to {MOST}, not {limit!r}")
    # A form sends what nothing was chosen of as an empty value.
    status = request.args.get(f"{before}status") or None
    found, following = runs.found(endpoint, status, int(limit), request.args.get(f"{before}page"))
    query = [(name, value) for name, value in request.args.items(multi=True) if name != f"{before}page"]
    address = f"{request.script_root}{request.path}?{urlencode([*query, (f'{before}page', following)])}"
    return found, address if following else None


def _check_names(what: str, known: tuple[str, ...]) -> None:
    for name in request.args:
        if name not in (*known, "_"):
            raise InvalidParameter(f"unknown {what} {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}")


def prefix(base_url: str) -> str:
    """server.base_url as the beginning of a path: empty, or /like/this."""
    path = base_url.strip("/")
    return f"/{path}" if path else ""


def patience() -> float | None:
    """How many seconds the client would wait before it is told where to look (RFC 7240); None: as long as it takes."""
    preferences = parse_dict_header(request.headers.get("Prefer", "").lower())
    if "respond-async" not in preferences:
        return None
    wait = preferences.get("wait") or "0"
    # A preference that is not understood is no preference.
    return float(wait) if wait.isdecimal() and len(wait) <= LONGEST else 0.0


def accepted(run: dict[str, Any], base: str) -> Response:
    """202: the training goes on, and this is where to look."""
    response = json_response(run, 202)
    response.headers["Location"] = f"{request.script_root}{base}{PATH}/{run['run_id']}"
    response.headers["Preference-Applied"] = "respond-async"
    return response
