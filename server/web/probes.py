"""What those ask who watch the server: does it live, can it answer, and what are its figures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from flask import Response
from flask_restful import Resource

from server.service.draining import Draining
from server.service.endpoint import Endpoint
from server.service.keys import KeyRing
from server.web.metrics import CONTENT_TYPE, Metrics
from server.web.responses import json_response
from server.web.security import GuardedResource, key_of, opens, opens_some

if TYPE_CHECKING:
    from server.service.registry import Registry

METRICS = "/metrics"


class Health(Resource):
    """Whether the process lives."""

    def get(self) -> Response:
        return json_response({"status": "ok"})


class Ready(Resource):
    """Whether every configured model can answer, or which cannot, and why; false while the server drains.

    Anybody may ask; why not, which names files and versions, is told to who may read, where keys are asked for.
    """

    def __init__(
        self, endpoints: Mapping[str, Endpoint], registry: "Registry | None", draining: Draining, keys: KeyRing
    ) -> None:
        self._endpoints = endpoints
        self._registry = registry
        self._draining = draining
        self._keys = keys

    def get(self) -> Response:
        reasons = {name: endpoint.readiness.reason() for name, endpoint in self._endpoints.items()}
        if self._registry is not None:
            reasons[self._registry.name] = self._registry.reason()
        draining = bool(self._draining)
        ready = not draining and not any(reasons.values())
        told = {name: self._told(name, reason) if reason else "ready" for name, reason in reasons.items()}
        body = {"ready": ready, "endpoints": told}
        if draining:
            body["reason"] = "the server is draining: it answers, but is about to end"
        return json_response(body, 200 if ready else 503)

    def _told(self, endpoint: str, reason: str) -> str:
        if self._keys.is_open:
            return reason
        key = key_of(self._keys)
        may_know = key is not None and "read" in key.scopes and key.opens(endpoint)
        return reason if may_know else "not ready; a key with the scope read is told why"


class MetricsResource(GuardedResource):
    """The figures; a key for some endpoints sees theirs."""

    scopes: ClassVar = {"GET": "read"}

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def get(self) -> Response:
        return Response(self._metrics.text(opens if opens_some() else None), content_type=CONTENT_TYPE)
