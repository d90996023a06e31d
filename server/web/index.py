"""The index: every endpoint with its state."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from flask import Response, render_template, request

from server.service.classifier import DocumentClassifier
from server.service.endpoint import Endpoint
from server.service.overview import Overview, overview
from server.web.responses import html_response, json_response, page_or_json
from server.web.security import GuardedResource, opens

if TYPE_CHECKING:
    from server.service.registry import Registry


class Index(GuardedResource):
    """The endpoints that the key opens, for people as a page and for programs as JSON."""

    scopes: ClassVar = {"GET": "read"}

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        classifiers: Mapping[str, DocumentClassifier],
        registry: "Registry | None",
    ) -> None:
        self._endpoints = endpoints
        self._classifiers = classifiers
        self._registry = registry

    def get(self) -> Response:
        entries = [(endpoint, overview(endpoint)) for name, endpoint in self._endpoints.items() if opens(name)]
        classifiers = [one for name, one in self._classifiers.items() if opens(name)]
        registry = self._registry if self._registry and opens(self._registry.name) else None
        if page_or_json(request, "html") == "json":
            listed = [_entry(endpoint, seen) for endpoint, seen in entries]
            listed += map(_classifier_entry, classifiers)
            return json_response({"endpoints": listed + ([_registry_entry(registry)] if registry else [])})
        page = render_template(
            "index.html",
            entries=entries,
            classifiers=classifiers,
            registry=registry,
            registry_entry=_registry_entry(registry) if registry else None,
            now=datetime.now(UTC),
        )
        return html_response(page)


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


def _classifier_entry(classifier: DocumentClassifier) -> dict[str, Any]:
    """What can be said without looking at its runs, for which MLflow would have to be started."""
    return {
        "name": classifier.name,
        "url": classifier.entry.pattern,
        "handler": classifier.entry.handler,
        "state": "ready",
        "reason": None,
        "class": classifier.entry.kwargs.model.class_,
    }


def _registry_entry(registry: "Registry") -> dict[str, Any]:
    """What can be said without its database."""
    defects = registry.own_defects()
    return {
        "name": registry.name,
        "url": registry.entry.pattern,
        "handler": registry.entry.handler,
        "state": "not ready" if defects else "ready",
        "reason": "; ".join(defects) or None,
    }
