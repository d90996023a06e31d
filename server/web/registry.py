"""RegistryHandler: predictions, feedback, statuses, A/B tests, and the lists of what there is."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Response, request
from flask_restful import Api

from server.config import LISTS
from server.errors import BadRequest, NoSuchEntry, ServerError
from server.service.choice import Asked
from server.service.exports import FORMATS, exported
from server.service.registry import Registry
from server.service.registry_views import view
from server.tables.writing import CONTENT_TYPES
from server.web.observation import tell_rows
from server.web.registry_pages import endpoint_page, overview_page
from server.web.registry_query import (
    PAGING,
    check_names,
    flag_of,
    next_address,
    number_of,
    read_fields,
    read_filters,
    read_instance_object,
    read_order,
    read_page,
    text_of,
)
from server.web.responses import chosen_format, errors_told_by, json_response, page_or_json, varying
from server.web.security import GuardedResource


class RegistryResource(GuardedResource):
    """One of the routes."""

    scopes: ClassVar = {"GET": "read", "POST": "admin"}

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._limits = registry.config.server.limits
        self.takes_other_sites = not registry.entry.kwargs.xsrf_cookies

    def subject(self) -> str | None:
        return self._registry.name


class Root(RegistryResource):
    """The addresses of the lists; for browsers the endpoints as a page."""

    def get(self) -> Response:
        check_names(request.args, ("_format",), "option")
        if page_or_json(request, "json") == "html":
            return varying(overview_page(self._registry))
        base = request.base_url.rstrip("/")
        return varying(json_response({name: f"{base}/{name}" for name in LISTS}))


class Listed(RegistryResource):
    """One of the lists, a page at a time."""

    def __init__(self, registry: Registry, list_name: str) -> None:
        super().__init__(registry)
        self._name = list_name

    def get(self) -> Response:
        filters = read_filters(request, self._name, (*PAGING, "order"))
        page = read_page(request)
        found, has_more, count = self._registry.entries.page(self._name, filters, page)
        response = json_response(found)
        if count is not None:
            response.headers["X-Total-Count"] = str(count)
        if has_more:
            response.headers["Link"] = f'<{next_address(request, found[-1]["id"])}>; rel="next"'
        return response


class RequestList(Listed):
    """The requests, a page at a time, or all that match as a file."""

    def get(self) -> Response:
        if "_format" not in request.args:
            return super().get()
        filters = read_filters(request, self._name, ("order", "_format"))
        format_ = chosen_format(request, request.args["_format"], FORMATS)
        parts = exported(self._registry.database, filters, read_order(request), format_)
        response = Response(parts, content_type=CONTENT_TYPES[format_])
        response.headers.set("Content-Disposition", "attachment", filename=f"mlrequests.{format_}")
        return response


class StatusList(Listed):
    """The statuses; a new one takes the place of the algorithm's active one."""

    def post(self) -> Response:
        known = ("status", "created_by", "parent_mlalgorithm")
        given = read_fields(request, self._limits, known, ("status", "parent_mlalgorithm"))
        number = number_of("parent_mlalgorithm", given["parent_mlalgorithm"])
        status = text_of("status", given["status"])
        return json_response(self._registry.set_status(number, status, _creator(given)), 201)


class TestList(Listed):
    """The tests; a new one begins at once."""

    def post(self) -> Response:
        required = ("title", "parent_mlalgorithm1", "parent_mlalgorithm2")
        given = read_fields(request, self._limits, (*required, "created_by", "min_feedback"), required)
        first, second = (number_of(name, given[name]) for name in required[1:])
        least = number_of("min_feedback", given.get("min_feedback", 1))
        if least < 1:
            raise BadRequest("min_feedback must be 1 or more: without feedback there is nothing to compare")
        title = text_of("title", given["title"])
        return json_response(self._registry.abtests.start(title, _creator(given), first, second, least), 201)


class Entry(RegistryResource):
    """One entry of a list."""

    def __init__(self, registry: Registry, list_name: str) -> None:
        super().__init__(registry)
        self._name = list_name

    def get(self, number: str) -> Response:
        check_names(request.args, (), "option")
        return json_response(self._registry.entries.one(self._name, _number(number)))


class EndpointEntry(Entry):
    """An endpoint; for browsers a page with all about it."""

    def get(self, number: str) -> Response:
        check_names(request.args, ("_format",), "option")
        if page_or_json(request, "json") == "html":
            return varying(endpoint_page(self._registry, view(self._registry, _number(number))))
        return varying(json_response(self._registry.entries.one(self._name, _number(number))))


class RequestEntry(Entry):
    """A request; its feedback can be given, and corrected."""

    scopes: ClassVar = {"GET": "read", "PUT": "predict", "PATCH": "predict"}

    def put(self, number: str) -> Response:
        given = read_fields(request, self._limits, ("feedback",), ("feedback",))
        return json_response(self._registry.feedback(_number(number), given["feedback"]))

    patch = put


class StopTest(RegistryResource):
    """The end of a test."""

    def post(self, number: str) -> Response:
        given = read_fields(request, self._limits, ("promote",), ())
        return json_response(
            self._registry.abtests.stop(_number(number), flag_of("promote", given.get("promote", True)))
        )


@errors_told_by
def in_envelope(error: ServerError) -> Response:
    """An error as the seed tells it: a status and a message."""
    return json_response({"status": "Error", "message": error.detail}, error.status)


class Predict(RegistryResource):
    """The answer of an algorithm, written down before it is given."""

    scopes: ClassVar = {"POST": "predict"}

    method_decorators = [in_envelope]

    def post(self, endpoint_name: str) -> Response:
        instance, asked = read_instance_object(request, self._limits)
        tell_rows(1)
        answer, failed = self._registry.predict(endpoint_name, instance, Asked(**asked))
        return json_response(answer, 400 if failed else 200)


LIST_RESOURCES: Mapping[str, type[Listed]] = {
    "mlalgorithmstatuses": StatusList,
    "mlrequests": RequestList,
    "abtests": TestList,
}
ENTRY_RESOURCES: Mapping[str, type[Entry]] = {"endpoints": EndpointEntry, "mlrequests": RequestEntry}


def register_registry(api: Api, registry: Registry) -> None:
    """Give the registry its URLs."""
    base = registry.entry.pattern.rstrip("/")

    def add(resource: type[RegistryResource], path: str, what: str, **arguments: str) -> None:
        api.add_resource(
            resource,
            f"{base}{path}" or "/",
            endpoint=f"registry:{what}",
            resource_class_kwargs={"registry": registry, **arguments},
            strict_slashes=False,
        )

    add(Root, "", "root")
    for name in LISTS:
        add(LIST_RESOURCES.get(name, Listed), f"/{name}", name, list_name=name)
        add(ENTRY_RESOURCES.get(name, Entry), f"/{name}/<number>", f"{name}:entry", list_name=name)
    add(StopTest, "/stop_ab_test/<number>", "stop")
    add(Predict, "/<endpoint_name>/predict", "predict")


def _creator(given: Mapping[str, Any]) -> str | None:
    return None if given.get("created_by") is None else text_of("created_by", given["created_by"])


def _number(text: str) -> int:
    """The number in a path.

    Raises:
        NoSuchEntry: nothing can have it.
    """
    try:
        return number_of("id", text)
    except BadRequest:
        raise NoSuchEntry(f"there is nothing of number {text!r}") from None
