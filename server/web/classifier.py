"""ClassifierHandler's eight routes, with the answers that its seed documents."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Response, request

from server.config import Limits
from server.errors import BadRequest, NoSuchRun, RunConflict, ServerError, did_you_mean
from server.service.classifier import DocumentClassifier
from server.service.classifier_fields import check_known, text_field
from server.service.runs import run_info
from server.web.observation import tell_rows
from server.web.request_data import read_request
from server.web.responses import PROBLEM, errors_told_by, json_response
from server.web.security import GuardedResource

NO_DOCUMENTS: Mapping[str, Any] = {
    "number_documents_treated": 0,
    "number_documents_non_treated": 0,
    "list_id_not_treated": [],
}
USUAL = 10
MOST = 1000
# Of a request with more mistakes, so many are told.
MOST_PROBLEMS = 20


def enveloped(status: int, message: str, data: Any = None, error: str = "") -> Response:
    """The seed's envelope; `status.code` is the HTTP status."""
    told = {"status": {"code": status, "message": message}, "data": data or {}, "error": error}
    return json_response({**told, **NO_DOCUMENTS}, status)


def in_its_envelope(response: Response) -> Response:
    """A problem document below a classifier's pattern, where no route answered, as an envelope."""
    if response.mimetype != PROBLEM:
        return response
    problem = response.get_json()
    made = enveloped(response.status_code, problem["title"], error=problem["detail"])
    made.headers.extend({name: value for name, value in response.headers.items() if name in ("Allow", "Retry-After")})
    return made


@errors_told_by
def in_envelope(error: ServerError) -> Response:
    """An error in the seed's envelope."""
    several = "; ".join(problem.detail for problem in error.problems[:MOST_PROBLEMS])
    return enveloped(error.status, error.title, error=several if len(error.problems) > 1 else error.detail)


class ClassifierResource(GuardedResource):
    """One of the routes."""

    method_decorators = [in_envelope]

    def __init__(self, classifier: DocumentClassifier, limits: Limits) -> None:
        self._classifier = classifier
        self._limits = limits
        self.takes_other_sites = not classifier.entry.kwargs.xsrf_cookies

    def subject(self) -> str | None:
        return self._classifier.name

    def _given(self) -> dict[str, Any]:
        """The body's fields; those of a form or query have one value each, but for the labels."""
        data = read_request(request, self._limits)
        sent = data.options | data.fields
        plain = {name: values[0] if len(values) == 1 and name != "labels" else values for name, values in sent.items()}
        return plain | {name: value for name, value in data.given(self._limits).items() if name not in sent}

    def _named(self, name: str) -> str:
        """The only field there may be."""
        given = self._given()
        check_known(given, (name,))
        return text_field(given, name)


class Process(ClassifierResource):
    """Begin to read documents and to learn from them."""

    scopes: ClassVar = {"POST": "train"}

    def post(self) -> Response:
        return enveloped(200, "Success", run_info(self._classifier.process(self._given())))


class Predict(ClassifierResource):
    """Classify a text."""

    scopes: ClassVar = {"POST": "predict"}

    def post(self) -> Response:
        tell_rows(1)
        return enveloped(200, "Success", self._classifier.predict(self._given()))


class JobStatus(ClassifierResource):
    """The last three runs of an experiment."""

    scopes: ClassVar = {"POST": "read"}

    def post(self) -> Response:
        return _last_runs(self._classifier, self._named("experiment_name"))


class RunIdStatus(ClassifierResource):
    """The last three runs of an experiment, by GET."""

    scopes: ClassVar = {"GET": "read"}

    def get(self) -> Response:
        return _last_runs(self._classifier, self._named("experiment_name"))


class LastRuns(ClassifierResource):
    """The latest run of each experiment."""

    scopes: ClassVar = {"GET": "read"}

    def get(self) -> Response:
        for name in request.args:
            if name != "limit":
                raise BadRequest(f"unknown filter {name!r}{did_you_mean(name, ('limit',))}; known: limit")
        limit = request.args.get("limit", str(USUAL))
        if not (limit.isascii() and limit.isdecimal()) or len(limit) > len(str(MOST)) or not 1 <= int(limit) <= MOST:
            raise BadRequest(f"limit must be a number from 1 to {MOST}, not {limit!r}")
        found = self._classifier.latest_runs(int(limit))
        return json_response([told(run, labels=False) | {"experiment_name": name} for name, run in found])


class Deletion(ClassifierResource):
    """Deletions answer by one sentence, also when nothing could be deleted."""

    scopes: ClassVar = {"POST": "admin"}
    field = "experiment_name"
    what = "Experiment"

    def post(self) -> Response:
        name = self._named(self.field)
        try:
            self._delete(name)
        except (NoSuchRun, RunConflict) as error:
            return json_response(
                {"status": f"Problem deleting {self.what} {name}. Status {error.detail}"}, error.status
            )
        return json_response({"status": f"{self.what[0].upper()}{self.what[1:]} {name} deleted"})

    def _delete(self, name: str) -> None:
        raise NotImplementedError


class ExperimentSoftDelete(Deletion):
    """Mark an experiment as deleted."""

    def _delete(self, name: str) -> None:
        self._classifier.delete_experiment(name)


class ExperimentHardDelete(Deletion):
    """Remove an experiment and its artifacts."""

    def _delete(self, name: str) -> None:
        self._classifier.delete_experiment(name, for_good=True)


class RunSoftDelete(Deletion):
    """Mark a run as deleted."""

    field = "run_id"
    what = "run"

    def _delete(self, name: str) -> None:
        self._classifier.delete_run(name)


ROUTES: Mapping[str, type[ClassifierResource]] = {
    "process": Process,
    "predict": Predict,
    "job_status": JobStatus,
    "experiment/soft_delete": ExperimentSoftDelete,
    "experiment/hard_delete": ExperimentHardDelete,
    "run/soft_delete": RunSoftDelete,
    "all_experiments/last_run": LastRuns,
    "runid/status": RunIdStatus,
}


def _last_runs(classifier: DocumentClassifier, experiment: str) -> Response:
    return json_response([told(run, labels=True) for run in classifier.last_runs(experiment)])


def told(run: Any, labels: bool) -> dict[str, Any]:
    """The run as the seed lists it, with or without its labels."""
    told = {"run_id": run.id, "status": run.status.value}
    if labels:
        told |= {f"params.{name}": run.params.get(name) for name in ("label2id", "id2label")}
    return told | {"tags.mlflow.runName": run.name}
