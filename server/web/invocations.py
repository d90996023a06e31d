"""MLflow's scoring protocol: /invocations, /ping, /health and /version, as its own scoring server has them."""

from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version
from typing import Any, ClassVar

from flask import Response, request
from flask_restful import Api, Resource

from server.config import Limits, ServerSection
from server.errors import BadRequest, NoSuchEntry, UnsupportedFormat
from server.service.endpoint import Endpoint
from server.service.inference import is_ready
from server.service.invocation import invoked, read_invocation
from server.service.prediction import Prediction
from server.tables.formats import BY_CONTENT_TYPE, Upload
from server.tables.writing import records
from server.web.observation import tell_rows
from server.web.request_data import RequestData, read_request
from server.web.responses import json_response
from server.web.security import GuardedResource, opens

INVOCATIONS = "/invocations"
TABLES = ("csv", "parquet")
# MLflow calls its texts JSON, which they are not.
PLAIN = "text/plain; charset=utf-8"
TAKEN = "application/json, text/csv or application/vnd.apache.parquet"


class Ping(Resource):
    """Whether the model that /invocations asks can answer; where none is chosen, whether all can."""

    def __init__(self, ready: Callable[[], bool]) -> None:
        self._ready = ready

    def get(self) -> Response:
        return Response("\n", 200 if self._ready() else 503, content_type=PLAIN)


class Version(GuardedResource):
    """The release of MLflow whose protocol this is."""

    scopes: ClassVar = {"GET": "read"}

    def get(self) -> Response:
        return Response(version("mlflow-skinny"), content_type=PLAIN)


class Invocations(GuardedResource):
    """Predictions of the one endpoint that answers here."""

    scopes: ClassVar = {"POST": "predict"}

    def __init__(self, endpoint: Endpoint | None, names: Collection[str], limits: Limits) -> None:
        self._chosen = endpoint
        self._names = names
        self._limits = limits
        self.takes_other_sites = endpoint is not None and not endpoint.entry.kwargs.xsrf_cookies

    def subject(self) -> str | None:
        return self._endpoint().name

    def post(self) -> Response:
        endpoint = self._endpoint()
        data = read_request(request, self._limits)
        if data.options or data.fields:
            name = next(iter(data.options | data.fields))
            raise BadRequest(f"{name!r} is not understood: {INVOCATIONS} takes no query and no form; send {TAKEN}")
        if len(data.uploads) != 1:
            raise BadRequest(f"the body holds no rows; send {TAKEN}")
        values = _plain(self._prediction(endpoint, data.uploads[0]))
        tell_rows(len(values))
        return json_response({"predictions": values})

    def _prediction(self, endpoint: Endpoint, upload: Upload) -> Prediction:
        format_ = BY_CONTENT_TYPE.get(upload.content_type or "")
        charset = request.mimetype_params.get("charset", "utf-8")
        if charset.lower() != "utf-8":
            raise UnsupportedFormat(f"the charset must be utf-8, not {charset!r}")
        if format_ == "json":
            return invoked(endpoint, read_invocation(upload.held(self._limits)))
        if format_ in TABLES:
            return endpoint.predict(RequestData(uploads=(upload,)).rows(self._limits, endpoint.text_columns()))
        raise UnsupportedFormat(
            f"{upload.content_type or 'a body without Content-Type'} is not read here; send {TAKEN}"
        )

    def _endpoint(self) -> Endpoint:
        if self._chosen is None:
            known = [name for name in self._names if opens(name)]
            listed = f"one of {', '.join(known)}" if known else "an MLHandler endpoint"
            raise NoSuchEntry(f"no endpoint answers at {INVOCATIONS}; set server.invocations to {listed}")
        return self._chosen


def _plain(prediction: Prediction) -> Any:
    return prediction.values if prediction.values is not None else records(prediction.frame)


def register_invocations(
    api: Api,
    endpoints: Mapping[str, Endpoint],
    server: ServerSection,
    free: Callable[[str], list[str]],
    ready: Callable[[], bool],
) -> None:
    """Give the protocol its URLs.

    Args:
        api: to which they are added.
        endpoints: those that are one model each, by name.
        server: which of them answers, and limits.
        free: the paths of a name at which no endpoint stands.
        ready: whether all endpoints can answer.
    """
    tabular = [name for name, one in endpoints.items() if one.entry.handler == "MLHandler"]
    chosen = server.invocations or (tabular[0] if len(tabular) == 1 else None)
    endpoint = endpoints[chosen] if chosen else None
    own = {"endpoint": endpoint, "names": tuple(endpoints), "limits": server.limits}

    def add(resource: type[Resource], name: str, *places: str, **arguments: object) -> None:
        urls = [url for place in places for url in free(place)]
        if urls:
            api.add_resource(resource, *urls, endpoint=name, resource_class_kwargs=arguments, strict_slashes=False)

    add(Invocations, "invocations", INVOCATIONS, **own)
    add(Ping, "ping", "/ping", "/health", ready=lambda: is_ready(endpoint) if endpoint else ready())
    add(Version, "mlflow_version", "/version")
