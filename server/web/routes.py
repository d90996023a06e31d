"""The table of URLs."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from flask_restful import Api

from server.config import Limits, ServerSection
from server.errors import InvalidParameter, KeyMissing
from server.service.classifier import DocumentClassifier
from server.service.draining import Draining
from server.service.endpoint import Endpoint
from server.service.keys import KeyRing
from server.service.runs import Runs
from server.service.text import TextEndpoint
from server.web.classifier import ROUTES, in_its_envelope
from server.web.classifier_page import ClassifierPage
from server.web.index import Index
from server.web.inference import FOLDERS, NAME, V2, register_inference, told_by_v2
from server.web.invocations import register_invocations
from server.web.login import LOGIN, LOGOUT, login_page, register_login
from server.web.metrics import Metrics
from server.web.mlhandler import MLHandlerResource
from server.web.observation import tell_route
from server.web.openapi.own import DOCS, OPENAPI
from server.web.openapi.resource import Description, register_openapi
from server.web.probes import METRICS, Health, MetricsResource, Ready
from server.web.responses import error_response, page_or_json
from server.web.row_door import Place
from server.web.runs import PATH, RunListResource, RunResource, prefix
from server.web.security import guard
from server.web.static_files import FOLDER, register_static_files
from server.web.text import TextHandlerResource
from server.web.wording import FILTERS

if TYPE_CHECKING:
    from server.service.registry import Registry

OWN = ("/healthz", "/readyz", METRICS, PATH, V2)


class ProblemApi(Api):
    """Flask-RESTful answers errors itself, ignoring Flask's handlers; all of them become problem+json here."""

    def __init__(self, app: Flask, limits: Limits, enveloped: Iterable[str], base: str) -> None:
        self._limits = limits
        self._of_v2 = (f"{V2}/", f"{base}{V2}/")
        self._enveloped = tuple(f"{pattern.rstrip('/')}/" for pattern in enveloped)
        super().__init__(app, catch_all_404s=True)

    def error_router(self, original_handler: Any, e: Exception) -> Response:
        """Every error of the application, also outside resources."""
        if isinstance(e, KeyMissing) and _asks_for_page():
            return login_page(401, request.script_root + request.full_path.rstrip("?"))
        response = error_response(e, self._limits)
        if request.url_rule is None and request.path.startswith(self._enveloped):
            return in_its_envelope(response)
        is_of_v2 = (request.endpoint or "").startswith(NAME) or (
            request.url_rule is None and request.path.startswith(self._of_v2)
        )
        return told_by_v2(response) if is_of_v2 else response


def _asks_for_page() -> bool:
    try:
        return request.method == "GET" and page_or_json(request, "json") == "html"
    except InvalidParameter:
        return False


def belongs_to_server(pattern: str, base: str) -> bool:
    """Whether the path is one of the server's own, or inside the folder of the pages' files."""
    folders = (
        base + FOLDER,
        base + PATH,
        PATH,
        base + LOGIN,
        base + LOGOUT,
        base + OPENAPI,
        OPENAPI,
        base + DOCS,
        DOCS,
        *FOLDERS,
        *(base + path for path in FOLDERS),
    )
    return pattern in (*OWN, base + V2) or any(
        pattern == folder or pattern.startswith(folder + "/") for folder in folders
    )


def register_routes(
    app: Flask,
    endpoints: Mapping[str, Endpoint],
    classifiers: Mapping[str, DocumentClassifier],
    runs: Runs,
    server: ServerSection,
    keys: KeyRing,
    registry: "Registry | None",
    draining: Draining,
    metrics: Metrics | None,
) -> None:
    """Give every endpoint its URL, and the server its own.

    The index stands at / and at the prefix of all endpoints, where no endpoint claims the place.
    """
    base = prefix(server.base_url)
    api = ProblemApi(app, server.limits, [classifier.entry.pattern for classifier in classifiers.values()], base)
    _add_endpoints(api, endpoints, runs)
    _add_classifiers(api, classifiers, server.limits)
    _add_probes(api, {"endpoints": endpoints, "registry": registry, "draining": draining, "keys": keys}, metrics)
    _add_registry(api, registry)
    tell_route(app)
    guard(app, keys)
    if not keys.is_open:
        register_login(api, keys, base)
    _add_runs(api, runs, base)
    register_openapi(api, Description(endpoints, classifiers, registry, server, not keys.is_open), base)
    app.jinja_env.filters.update(FILTERS)
    register_static_files(app, base)
    listed = {"endpoints": endpoints, "classifiers": classifiers, "registry": registry}
    served: list[Endpoint | DocumentClassifier | Registry] = [
        *endpoints.values(),
        *classifiers.values(),
        *([registry] if registry else []),
    ]
    claimed = {one.entry.pattern for one in served}
    _add_index(api, base, claimed, listed)
    ready = Ready(endpoints, registry, draining, keys)
    _add_other_doors(api, endpoints, server, base, claimed, lambda: ready.get().status_code == 200)


def _add_index(api: Api, base: str, claimed: Collection[str], listed: Mapping[str, Any]) -> None:
    """The list of endpoints, where no endpoint claims the place; pages know where it and the runs are."""
    free = [path for path in dict.fromkeys((base or "/", "/")) if path not in claimed]
    if free:
        api.add_resource(Index, *free, resource_class_kwargs=listed, strict_slashes=False)
    api.app.context_processor(
        lambda: {
            "index": request.script_root + free[0] if free else None,
            "runs_url": f"{request.script_root}{base}{PATH}",
        }
    )


def _add_other_doors(
    api: Api,
    endpoints: Mapping[str, Endpoint],
    server: ServerSection,
    base: str,
    claimed: Collection[str],
    ready: Callable[[], bool],
) -> None:
    """What clients of other servers ask for: those of the Open Inference Protocol, and MLflow's."""
    register_inference(api, endpoints, base, ready)

    def free(place: str) -> list[str]:
        return [path for path in dict.fromkeys((base + place, place)) if path not in claimed]

    register_invocations(api, endpoints, server, free, ready)


def places(endpoints: Mapping[str, Endpoint], runs: Runs) -> list[Place]:
    """What answers plain rows."""
    return [
        Place(endpoint.entry.pattern, name, _resource_of(endpoint)(endpoint, runs).few)
        for name, endpoint in endpoints.items()
    ]


def _resource_of(endpoint: Endpoint) -> Callable[..., MLHandlerResource]:
    return TextHandlerResource if isinstance(endpoint, TextEndpoint) else MLHandlerResource


def _add_endpoints(api: Api, endpoints: Mapping[str, Endpoint], runs: Runs) -> None:
    for name, endpoint in endpoints.items():
        api.add_resource(
            _resource_of(endpoint),
            endpoint.entry.pattern,
            endpoint=f"endpoint:{name.replace('.', '·')}",
            resource_class_kwargs={"endpoint": endpoint, "runs": runs},
            strict_slashes=False,
        )


def _add_classifiers(api: Api, classifiers: Mapping[str, DocumentClassifier], limits: Limits) -> None:
    for name, classifier in classifiers.items():
        api.add_resource(
            ClassifierPage,
            classifier.entry.pattern,
            endpoint=f"classifier:{name.replace('.', '·')}",
            resource_class_kwargs={"classifier": classifier},
            strict_slashes=False,
        )
        for route, resource in ROUTES.items():
            api.add_resource(
                resource,
                f"{classifier.entry.pattern.rstrip('/')}/{route}",
                endpoint=f"classifier:{name.replace('.', '·')}:{route}",
                resource_class_kwargs={"classifier": classifier, "limits": limits},
                strict_slashes=False,
            )


def _add_probes(api: Api, watched: Mapping[str, Any], metrics: Metrics | None) -> None:
    api.add_resource(Health, "/healthz")
    api.add_resource(Ready, "/readyz", resource_class_kwargs=watched)
    if metrics is not None:
        api.add_resource(MetricsResource, METRICS, resource_class_kwargs={"metrics": metrics})


def _add_registry(api: Api, registry: "Registry | None") -> None:
    if registry is not None:
        # With SQLAlchemy, 13 MB that a server without a registry never needs.
        from server.web.registry import register_registry

        register_registry(api, registry)


def _add_runs(api: Api, runs: Runs, base: str) -> None:
    lists = dict.fromkeys((base + PATH, PATH))
    api.add_resource(RunListResource, *lists, resource_class_kwargs={"runs": runs}, strict_slashes=False)
    one = [f"{path}/<run_id>" for path in lists]
    api.add_resource(RunResource, *one, resource_class_kwargs={"runs": runs}, strict_slashes=False)
