"""The table of URLs."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response
from flask_restful import Api, Resource

from server.config import Limits
from server.service.endpoint import Endpoint
from server.service.text import TextEndpoint
from server.web.mlhandler import MLHandlerResource
from server.web.responses import error_response, json_response
from server.web.text import TextHandlerResource

OWN = ("/healthz", "/readyz")


class ProblemApi(Api):
    """Flask-RESTful answers errors itself, ignoring Flask's handlers; all of them become problem+json here."""

    def __init__(self, app: Flask, limits: Limits) -> None:
        self._limits = limits
        super().__init__(app, catch_all_404s=True)

    def error_router(self, original_handler: Any, e: Exception) -> Response:
        """Every error of the application, also outside resources."""
        return error_response(e, self._limits)


class Health(Resource):
    """Whether the process lives."""

    def get(self) -> Response:
        return json_response({"status": "ok"})


class Ready(Resource):
    """Whether every configured model can answer, or which cannot, and why."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints

    def get(self) -> Response:
        reasons = {name: endpoint.readiness.reason() for name, endpoint in self._endpoints.items()}
        waiting = {name: reason for name, reason in reasons.items() if reason is not None}
        body = {"ready": not waiting, "endpoints": {name: reason or "ready" for name, reason in reasons.items()}}
        return json_response(body, 503 if waiting else 200)


class Index(Resource):
    """The endpoints."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints

    def get(self) -> Response:
        listing = [
            {"name": name, "url": endpoint.entry.pattern, "handler": endpoint.entry.handler}
            for name, endpoint in self._endpoints.items()
        ]
        return json_response({"endpoints": listing})


def register_routes(app: Flask, endpoints: Mapping[str, Endpoint], limits: Limits) -> None:
    """Give every endpoint its URL, and the server its own."""
    api = ProblemApi(app, limits)
    for name, endpoint in endpoints.items():
        api.add_resource(
            TextHandlerResource if isinstance(endpoint, TextEndpoint) else MLHandlerResource,
            endpoint.entry.pattern,
            endpoint=f"endpoint:{name.replace('.', '·')}",
            resource_class_kwargs={"endpoint": endpoint},
            strict_slashes=False,
        )
    api.add_resource(Health, "/healthz")
    api.add_resource(Ready, "/readyz", resource_class_kwargs={"endpoints": endpoints})
    if all(endpoint.entry.pattern != "/" for endpoint in endpoints.values()):
        api.add_resource(Index, "/", resource_class_kwargs={"endpoints": endpoints})
