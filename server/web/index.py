"""The index: every endpoint with its state."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response, render_template, request
from flask_restful import Resource

from server.errors import InvalidParameter, did_you_mean
from server.service.endpoint import Endpoint
from server.service.overview import Overview, overview
from server.web.responses import json_response

FORMATS = ("html", "json")


class Index(Resource):
    """The endpoints, for people as a page and for programs as JSON."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints

    def get(self) -> Response:
        entries = [(endpoint, overview(endpoint)) for endpoint in self._endpoints.values()]
        if _format() == "json":
            return json_response({"endpoints": [_entry(endpoint, seen) for endpoint, seen in entries]})
        page = render_template("index.html", entries=entries, now=datetime.now(UTC))
        return Response(page, content_type="text/html; charset=utf-8")


def _format() -> str:
    """What ?_format= says, else what Accept prefers; HTML where both will do.

    Raises:
        InvalidParameter: another format.
    """
    name = request.args.get("_format")
    if name is None:
        best = request.accept_mimetypes.best_match(["text/html", "application/json"], default="text/html")
        return "json" if best == "application/json" else "html"
    if name not in FORMATS:
        hint = did_you_mean(name, FORMATS) or f"; known: {', '.join(FORMATS)}"
        raise InvalidParameter(f"unknown _format {name!r}{hint}")
    return name


def _entry(endpoint: Endpoint, seen: Overview) -> dict[str, Any]:
    return {
        "name": seen.name,
        "url": endpoint.entry.pattern,
        "handler": endpoint.entry.handler,
        "state": seen.state,
        "reason": seen.reason,
        "class": seen.class_name,
        "kind": seen.kind,
        "target": seen.target,
        "columns": seen.columns,
        "score": seen.score,
        "score_name": seen.score_name,
        "pretrained": seen.pretrained,
        "trained": seen.trained.isoformat() if seen.trained else None,
        "rows": seen.rows,
    }
