"""The operations of a ClassifierHandler."""

from collections.abc import Iterator, Mapping
from typing import Any

from server.service.classifier import DocumentClassifier
from server.web.classifier import MOST
from server.web.openapi.components import ANYTHING, MAYBE_NUMBER, MAYBE_TEXT, OBJECT, WHOLE
from server.web.openapi.operation import (
    FORM,
    HTML,
    JSON,
    TEXT,
    Content,
    Operation,
    Schema,
    any_of,
    list_of,
    one_of,
    option,
    record,
)

# Not blank.
FILLED: Schema = {"type": "string", "minLength": 1, "pattern": r"[^\s\u0000-\u001f]"}
ENVELOPE = record(
    {
        "status": record({"code": WHOLE, "message": TEXT}),
        "data": OBJECT,
        "error": TEXT,
        "number_documents_treated": WHOLE,
        "number_documents_non_treated": WHOLE,
        "list_id_not_treated": list_of(ANYTHING),
    }
)
SENTENCE = record({"status": TEXT})
RUN_STATUS = record({"run_id": TEXT, "status": TEXT, "tags.mlflow.runName": MAYBE_TEXT})
REFUSALS = (400, 404, 409, 413, 415, 429, 503)
EXPERIMENT: Schema = {**FILLED, "description": "The experiment's name"}
VALIDATION = any_of(one_of((0, 1, "0", "1")), {"type": "boolean"})


class ClassifierDoors:
    """The operations of one classifier of documents; `prefix` begins their names."""

    def __init__(self, classifier: DocumentClassifier, prefix: str) -> None:
        self._classifier = classifier
        self._prefix = prefix

    def operations(self) -> Iterator[tuple[str, Mapping[str, Operation]]]:
        """By path and method."""
        base = self._classifier.entry.pattern.rstrip("/")
        page = self._operation("page", "The classifier's page", {200: {HTML: TEXT}}, (), is_page=True)
        yield base or "/", {"get": page}
        for route, operation in self._posts().items():
            yield f"{base}/{route}", {"post": operation}
        limit: Schema = {"type": "integer", "minimum": 1, "maximum": MOST}
        last = self._enveloped(
            "last_run",
            "The latest run of each experiment",
            {JSON: list_of({**RUN_STATUS, "required": ["run_id", "status", "experiment_name"]})},
            parameters=(option("limit", limit, "How many"),),
        )
        yield f"{base}/all_experiments/last_run", {"get": last}
        named = option("experiment_name", FILLED, "The experiment's name", required=True)
        runs = self._enveloped(
            "runid_status", "The last three runs of an experiment", {JSON: list_of(RUN_STATUS)}, parameters=(named,)
        )
        yield f"{base}/runid/status", {"get": runs}

    def _posts(self) -> Mapping[str, Operation]:
        learned = record(
            {"labels": list_of(TEXT), "path": FILLED, "experiment_name": EXPERIMENT}, validation=VALIDATION
        )
        told = record({"label": TEXT, "prediction": WHOLE, "score": MAYBE_NUMBER})
        answered = {**ENVELOPE, "properties": {**ENVELOPE["properties"], "data": told}}
        return {
            "process": self._posted("process", "Learn from the documents of a folder", learned, ENVELOPE),
            "predict": self._posted(
                "predict", "Classify a text by the model of a run", record({"runid": FILLED, "text": FILLED}), answered
            ),
            "job_status": self._posted(
                "job_status",
                "The last three runs of an experiment",
                record({"experiment_name": EXPERIMENT}),
                list_of(RUN_STATUS),
            ),
            "experiment/soft_delete": self._deletion("experiment_soft_delete", "Mark an experiment as deleted"),
            "experiment/hard_delete": self._deletion("experiment_hard_delete", "Remove an experiment for good"),
            "run/soft_delete": self._deletion("run_soft_delete", "Mark a run as deleted", "run_id"),
        }

    def _deletion(self, name: str, summary: str, field: str = "experiment_name") -> Operation:
        told = {status: {JSON: any_of(SENTENCE, ENVELOPE)} for status in (404, 409)}
        return self._posted(name, summary, record({field: FILLED}), SENTENCE, told)

    def _posted(
        self,
        name: str,
        summary: str,
        fields: Mapping[str, Any],
        answer: Schema,
        told: Mapping[int, Content] | None = None,
    ) -> Operation:
        body = {**fields, "additionalProperties": False}
        return self._enveloped(
            name, summary, {JSON: answer}, told, body={JSON: body, FORM: body}, body_required=True, changes=True
        )

    def _enveloped(
        self, name: str, summary: str, answer: Content, told: Mapping[int, Content] | None = None, **more: Any
    ) -> Operation:
        """An operation whose errors come in the envelope."""
        errors: Mapping[int, Content] = {status: {JSON: ENVELOPE} for status in REFUSALS}
        return self._operation(name, summary, {200: answer, **errors, **(told or {})}, (), **more)

    def _operation(
        self, name: str, summary: str, answers: Mapping[int, Content], refusals: tuple[int, ...], **more: Any
    ) -> Operation:
        return Operation(f"{self._prefix}.{name}", summary, self._classifier.name, answers, refusals, **more)
