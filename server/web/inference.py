"""Open Inference Protocol V2 over HTTP: the endpoints as its models, at /v2."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from flask import Response, request
from flask_restful import Api, Resource

from server.errors import NoSuchEntry, did_you_mean
from server.service.endpoint import Endpoint
from server.service.inference import OUTPUTS, PREDICT, Inference, infer, is_ready, metadata, model_name
from server.tables.inference_request import read_inference
from server.tables.tensors import written
from server.tables.writing import to_json
from server.web.observation import tell_rows
from server.web.request_data import whole_body
from server.web.responses import PROBLEM, json_response
from server.web.security import GuardedResource, opens

V2 = "/v2"
# What the names of these resources begin with.
NAME = "v2"
# What patterns of endpoints must leave free; a /v2 of their own before other names they may have.
FOLDERS = (f"{V2}/health", f"{V2}/models")
JSON_LENGTH = "Inference-Header-Content-Length"
# This server has no releases yet.
ABOUT = {"name": "restimator", "version": "unreleased", "extensions": ["binary_tensor_data"]}


class Live(Resource):
    """Whether the process lives."""

    def get(self) -> Response:
        return json_response({"live": True})


class AllReady(Resource):
    """Whether every configured model can answer."""

    def __init__(self, ready: Callable[[], bool]) -> None:
        self._ready = ready

    def get(self) -> Response:
        ready = self._ready()
        return json_response({"ready": ready}, 200 if ready else 503)


class About(GuardedResource):
    """What this server is, and which extensions of the protocol it knows."""

    scopes: ClassVar = {"GET": "read"}

    def get(self) -> Response:
        return json_response(ABOUT)


class ModelResource(GuardedResource):
    """What is asked of the model that the path names; a version is the run that made it."""

    def __init__(self, models: Mapping[str, Endpoint]) -> None:
        name = (request.view_args or {})["name"]
        if name not in models:
            # A key for some endpoints does not learn of others.
            known = [model for model, endpoint in models.items() if opens(endpoint.name)]
            hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise NoSuchEntry(f"there is no model {name!r}{hint}")
        self._endpoint = models[name]
        self.takes_other_sites = not self._endpoint.entry.kwargs.xsrf_cookies

    def subject(self) -> str | None:
        return self._endpoint.name


class Metadata(ModelResource):
    """The types of inputs and outputs."""

    scopes: ClassVar = {"GET": "read"}

    def get(self, name: str, version: str | None = None) -> Response:
        return json_response(metadata(self._endpoint, version))


class ModelReady(ModelResource):
    """Whether the model can answer."""

    scopes: ClassVar = {"GET": "read"}

    def get(self, name: str, version: str | None = None) -> Response:
        ready = is_ready(self._endpoint, version)
        return json_response({"name": name, "ready": ready}, 200 if ready else 503)


class Infer(ModelResource):
    """Predictions for the rows in tensors."""

    scopes: ClassVar = {"POST": "predict"}

    def post(self, name: str, version: str | None = None) -> Response:
        content = whole_body(request, self._endpoint.config.server.limits)
        asked = read_inference(content, request.headers.get(JSON_LENGTH), PREDICT, OUTPUTS)
        found = infer(self._endpoint, asked, version)
        tell_rows(found.outputs[0].tensor.shape[0])
        return _response(name, asked.id, found)


def _response(name: str, identity: str | None, inference: Inference) -> Response:
    """The outputs as JSON, and behind it the bytes of those that are to be bytes."""
    parts = [written(output.tensor, output.parameters, output.binary) for output in inference.outputs]
    told = {
        "model_name": name,
        **({"model_version": inference.version} if inference.version else {}),
        **({} if identity is None else {"id": identity}),
        "outputs": [output for output, _ in parts],
    }
    if not any(output.binary for output in inference.outputs):
        return json_response(told)
    head = to_json(told)
    content = b"".join((head, *(blob for _, blob in parts)))
    return Response(content, content_type="application/octet-stream", headers={JSON_LENGTH: str(len(head))})


def told_by_v2(response: Response) -> Response:
    """A problem document as the protocol tells errors, and with the places of single mistakes."""
    if response.mimetype != PROBLEM:
        return response
    problem = response.get_json()
    told = {"error": problem["detail"]} | ({"errors": problem["errors"]} if problem["errors"] else {})
    response.set_data(to_json(told))
    response.content_type = "application/json"
    return response


def register_inference(api: Api, endpoints: Mapping[str, Endpoint], base: str, ready: Callable[[], bool]) -> None:
    """Give the protocol its URLs, behind the prefix of all endpoints, too."""
    models = {model_name(endpoint): endpoint for endpoint in endpoints.values()}
    roots = tuple(dict.fromkeys((base + V2, V2)))

    def add(resource: type[Resource], name: str, *paths: str, **arguments: object) -> None:
        urls = [root + path for root in roots for path in paths]
        api.add_resource(resource, *urls, endpoint=NAME + name, resource_class_kwargs=arguments, strict_slashes=False)

    add(About, "", "")
    add(Live, "_live", "/health/live")
    add(AllReady, "_ready", "/health/ready", ready=ready)
    one = ("/models/<name>", "/models/<name>/versions/<version>")
    add(Metadata, "_metadata", *one, models=models)
    add(ModelReady, "_model_ready", *(f"{path}/ready" for path in one), models=models)
    add(Infer, "_infer", *(f"{path}/infer" for path in one), models=models)
