"""The document: all operations that a key opens, put together, and kept until a model changes."""

import hashlib
import re
import threading
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from apispec import APISpec

from server.config import ServerSection
from server.service.classifier import DocumentClassifier
from server.service.endpoint import Endpoint
from server.service.inference import model_name
from server.service.interface import interface_version
from server.tables.writing import to_json
from server.web.openapi.classifier import ClassifierDoors
from server.web.openapi.components import COMPONENTS
from server.web.openapi.mlhandler import EndpointDoors
from server.web.openapi.operation import Operation, Schema
from server.web.openapi.other_doors import metrics_operation, other_operations
from server.web.openapi.own import server_operations
from server.web.probes import METRICS
from server.web.runs import prefix

if TYPE_CHECKING:
    from server.service.registry import Registry

VERSION = "1"
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
SECURITY: Mapping[str, Schema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of the server"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key"},
}
TOLD = (
    "Made from the running configuration: each endpoint with its columns as its model knows them. It changes when a "
    "model is trained anew."
)
# Sets of endpoints that keys open, for which a document is kept.
MOST_KEPT = 16


@dataclass(frozen=True)
class Served:
    """What the server has, by name."""

    endpoints: Mapping[str, Endpoint]
    classifiers: Mapping[str, DocumentClassifier]
    registry: "Registry | None"
    server: ServerSection
    with_keys: bool

    def patterns(self) -> frozenset[str]:
        """The paths that endpoints claim."""
        patterns = {one.entry.pattern for one in self.endpoints.values()}
        patterns |= {one.entry.pattern for one in self.classifiers.values()}
        return frozenset(patterns | ({self.registry.entry.pattern} if self.registry else set()))


@dataclass(frozen=True)
class Described:
    """The document as JSON, and what tells it from others."""

    text: bytes
    etag: str


@dataclass
class Documents:
    """The documents of this process, one for each set of endpoints that a key opens; safe to use from many threads."""

    served: Served
    _kept: dict[Hashable, tuple[Hashable, Described]] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock)

    def current(self, opened: frozenset[str], root: str) -> Described:
        """The document of these endpoints as they are now; `root` is the path below which the server stands."""
        key = opened, root
        with self._making:
            version = self._version(opened)
            kept = self._kept.get(key)
            if kept is None or kept[0] != version:
                text = to_json(description(self.served, opened, root))
                kept = version, Described(text, hashlib.sha256(text).hexdigest()[:32])
                if len(self._kept) >= MOST_KEPT:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = kept
            return kept[1]

    def _version(self, opened: Collection[str]) -> Hashable:
        endpoints = self.served.endpoints
        registry = self.served.registry
        registered = frozenset(one.endpoint for one in registry.registration.all()) if registry else frozenset()
        return tuple(interface_version(one) for name, one in endpoints.items() if name in opened), registered


def description(served: Served, opened: Collection[str], root: str = "") -> dict[str, Any]:
    """The OpenAPI document of these endpoints and of the server itself, as plain values."""
    options: dict[str, Any] = {"info": {"description": TOLD}, "servers": [{"url": root or "/"}]}
    if served.with_keys:
        options["security"] = [{name: []} for name in SECURITY]
    spec = APISpec(title="Restimator", version=VERSION, openapi_version="3.1.0", **options)
    if served.with_keys:
        for name, scheme in SECURITY.items():
            spec.components.security_scheme(name, dict(scheme))
    for name, schema in COMPONENTS.items():
        spec.components.schema(name, dict(schema))
    rated = served.server.limits.rate is not None
    for path, operations in _operations(spec, served, opened):
        spec.path(path, operations={verb: one.to_dict(served.with_keys, rated) for verb, one in operations.items()})
    return spec.to_dict()


def _operations(
    spec: APISpec, served: Served, opened: Collection[str]
) -> Iterator[tuple[str, Mapping[str, Operation]]]:
    """Each path with its operations. A new door is a new entry here."""
    base = prefix(served.server.base_url)
    names = _names([*served.endpoints, *served.classifiers, *([served.registry.name] if served.registry else [])])
    for name, endpoint in served.endpoints.items():
        if name in opened:
            doors = EndpointDoors.of(endpoint, names[name], served.server.requests.redact)
            _add(spec, doors.components())
            yield endpoint.entry.pattern, doors.operations()
    for name, classifier in served.classifiers.items():
        if name in opened:
            yield from ClassifierDoors(classifier, names[name]).operations()
    if served.registry is not None and served.registry.name in opened:
        # With SQLAlchemy, which a server without a registry never needs.
        from server.web.openapi.registry import RegistryDoors

        registered = RegistryDoors(served.registry, names[served.registry.name])
        _add(spec, registered.components())
        yield from registered.operations()
    yield from server_operations(base, served.patterns(), [name for name in names if name in opened])
    models = [model_name(endpoint) for name, endpoint in served.endpoints.items() if name in opened]
    yield from other_operations(base, served.patterns(), models)
    if served.server.metrics:
        yield METRICS, {"get": metrics_operation()}


def _add(spec: APISpec, schemas: Mapping[str, Schema]) -> None:
    for name, schema in schemas.items():
        spec.components.schema(name, dict(schema))


def _names(endpoints: Collection[str]) -> Mapping[str, str]:
    """For each endpoint a name of its own that a component may have."""
    names: dict[str, str] = {}
    for endpoint in endpoints:
        plain = made = NOT_IN_NAMES.sub("-", endpoint).strip("-") or "endpoint"
        number = 2
        while made in names.values() or made in COMPONENTS:
            made, number = f"{plain}-{number}", number + 1
        names[endpoint] = made
    return names
