"""The description at /openapi.json, and the page that shows it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from flask import Response, render_template, request
from flask_restful import Api

from server.config import ServerSection
from server.service.classifier import DocumentClassifier
from server.service.endpoint import Endpoint
from server.web.openapi.own import DOCS, OPENAPI
from server.web.responses import html_response
from server.web.security import GuardedResource, opens

if TYPE_CHECKING:
    from server.service.registry import Registry
    from server.web.openapi.document import Documents


class Description:
    """What the server tells of itself; nothing is loaded for it before somebody asks."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        classifiers: Mapping[str, DocumentClassifier],
        registry: "Registry | None",
        server: ServerSection,
        with_keys: bool,
    ) -> None:
        self._endpoints = endpoints
        self._classifiers = classifiers
        self._registry = registry
        self._server = server
        self._with_keys = with_keys
        self._documents: Documents | None = None

    @property
    def names(self) -> Iterable[str]:
        """The names of all that can be described."""
        return [*self._endpoints, *self._classifiers, *([self._registry.name] if self._registry else [])]

    def documents(self) -> "Documents":
        """The documents of this process."""
        if self._documents is None:
            # apispec takes 30 ms that only who asks for a description is to wait for.
            from server.web.openapi.document import Documents, Served

            served = Served(self._endpoints, self._classifiers, self._registry, self._server, self._with_keys)
            self._documents = Documents(served)
        return self._documents


class OpenApi(GuardedResource):
    """The description, of what the key opens."""

    scopes: ClassVar = {"GET": "read"}

    def __init__(self, description: Description) -> None:
        self._description = description

    def get(self) -> Response:
        opened = frozenset(filter(opens, self._description.names))
        document = self._description.documents().current(opened, request.script_root)
        response = Response(document.text, content_type="application/json")
        response.headers["Cache-Control"] = "no-cache"
        response.set_etag(document.etag)
        response.make_conditional(request)
        return response


class Docs(GuardedResource):
    """The description as a page on which each operation can be tried."""

    scopes: ClassVar = {"GET": "read"}

    def get(self) -> Response:
        return html_response(render_template("docs.html"))


def register_openapi(api: Api, description: Description, base: str) -> None:
    """Give the description and its page their addresses; pages know that of the latter."""
    places = list(dict.fromkeys((base, "")))
    described = {"description": description}
    api.add_resource(OpenApi, *[place + OPENAPI for place in places], resource_class_kwargs=described)
    api.add_resource(Docs, *[place + DOCS for place in places], strict_slashes=False)
    api.app.context_processor(
        lambda: {
            "docs_url": f"{request.script_root}{base}{DOCS}",
            "openapi_url": f"{request.script_root}{base}{OPENAPI}",
        }
    )
