"""The operations of an endpoint's URL: MLHandler's verbs, and TextHandler's question beside them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from server.service.endpoint import Endpoint
from server.service.interface import Interface, interface
from server.service.prediction import OUTPUTS
from server.service.recipe import OPTIONS
from server.service.runs import MOST, STATUSES
from server.service.text import TextEndpoint
from server.tables.formats import BY_CONTENT_TYPE
from server.tables.writing import CONTENT_TYPES
from server.web.mlhandler import ACTIONS
from server.web.openapi.columns import query_parameters, row_schema
from server.web.openapi.components import ANYTHING, MAYBE_NUMBER, OBJECT
from server.web.openapi.operation import (
    BINARY,
    CSV,
    FORM,
    HTML,
    JSON,
    MULTIPART,
    TEXT,
    Content,
    Operation,
    Schema,
    any_of,
    flag,
    list_of,
    one_of,
    option,
    record,
    reference,
)
from server.web.responses import PREDICTION_FORMATS, TABLE_FORMATS

NUMBERS = any_of(MAYBE_NUMBER, list_of(MAYBE_NUMBER))
CHANCES: Schema = {"type": "object", "additionalProperties": MAYBE_NUMBER}
ACTION_TOLD = (
    "`predict` (default) answers each row; `score` measures the model on the rows, or without any on the stored ones; "
    "`append` adds the rows to the training data; `train` and `retrain` train on the rows, or without any on the stored"
)
VIEW_TOLD = {
    "_model": "Class and parameters as they will next be trained",
    "_params": "Options, class, parameters, what was learned",
    "_cache": "The training data",
    "_download": "The model file",
    "_runs": "The trainings of this endpoint",
}
RESPOND_ASYNC: Schema = {
    "name": "Prefer",
    "in": "header",
    "schema": TEXT,
    "description": "`respond-async` answers 202 as soon as a training is begun; `wait=10` beside it, after 10 seconds",
}
ACCEPTED_HEADERS: Mapping[int, Mapping[str, Schema]] = {
    202: {
        "Location": {"schema": TEXT, "description": "The address of the run"},
        "Preference-Applied": {"schema": TEXT},
    }
}


@dataclass(frozen=True)
class EndpointDoors:
    """The operations of one endpoint; `prefix` begins the names of its schemas."""

    endpoint: Endpoint
    known: Interface
    prefix: str
    redacted: Collection[str]

    @classmethod
    def of(cls, endpoint: Endpoint, prefix: str, redacted: Collection[str]) -> "EndpointDoors":
        """Those that the endpoint has now."""
        known = interface(endpoint)
        if known.target in redacted:
            # The labels are values of that column.
            known = replace(known, labels=())
        return cls(endpoint, known, prefix, redacted)

    def components(self) -> Mapping[str, Schema]:
        """The schemas of its rows and answers."""
        return {
            f"{self.prefix}.Row": row_schema(self.known, self.redacted),
            f"{self.prefix}.Prediction": self._prediction(),
            f"{self.prefix}.Predictions": self._predictions(),
        }

    def operations(self) -> Mapping[str, Operation]:
        """By method."""
        return {"get": self._get(), "post": self._post(), "put": self._put(), "delete": self._delete()}

    def _operation(self, verb: str, summary: str, answers: Mapping[int, Content], **more: Any) -> Operation:
        # A test, a training, a picture: each kind of request to the one address may end in each of these.
        refusals = (400, 404, 409, 413, 415, 429, 503)
        return Operation(f"{self.prefix}.{verb}", summary, self.endpoint.name, answers, refusals, **more)

    def _get(self) -> Operation:
        views = any_of(
            reference(f"{self.prefix}.Predictions"),
            *map(reference, ("Model", "Parameters", "RunList")),
            list_of(OBJECT),
            *self._text_answers(),
        )
        answers = {200: {JSON: views, HTML: TEXT, **_files(TABLE_FORMATS), **_OTHER_VIEWS}, 304: {}}
        return self._operation(
            "get",
            f"{self._asks()}; or show the model, the data, the runs",
            answers,
            parameters=(*self._questions(), *query_parameters(self.known, self.redacted), *_views()),
            description=(
                "A column given n times makes n rows; all columns are needed. With nothing, the endpoint's page. Views "
                "(`_model`, `_params`, …) need no value, and no columns."
            ),
            is_page=True,
        )

    def _post(self) -> Operation:
        scored = {"type": "object", "additionalProperties": True, "properties": {"score": MAYBE_NUMBER}}
        posted = any_of(
            reference(f"{self.prefix}.Predictions"), reference("Appended"), scored, *self._text_answers(), OBJECT
        )
        rows = any_of(reference(f"{self.prefix}.Row"), list_of(reference(f"{self.prefix}.Row")))
        return self._operation(
            "post",
            f"{self._asks()}; score, append or train",
            {200: {JSON: posted, **_files(PREDICTION_FORMATS)}, 202: {JSON: reference("Run")}},
            parameters=(
                option("_action", one_of(ACTIONS), ACTION_TOLD),
                _output_option(),
                option("_format", one_of(PREDICTION_FORMATS), "Of predictions; or say it by Accept"),
                option("_metric", TEXT, "What `score` computes: any scorer of scikit-learn, such as `accuracy`"),
                option("_target_col", TEXT, "The column to predict, for `score` and `train`"),
                RESPOND_ASYNC,
            ),
            body={JSON: rows, **_tables(), FORM: OBJECT, MULTIPART: _FILES},
            description=ACTION_TOLD + ". Rows come as JSON, as a raw table, or as files of a multipart form.",
            headers=ACCEPTED_HEADERS,
            changes=True,
        )

    def _put(self) -> Operation:
        free: Schema = {"type": "object", "additionalProperties": TEXT}
        return self._operation(
            "put",
            "Change class, parameters or options of the next training; or train",
            {200: {JSON: any_of(reference("Model"), OBJECT)}, 202: {JSON: reference("Run")}},
            parameters=(
                flag("_model", "May be left out"),
                option("_action", one_of(("train", "retrain")), "Train at once"),
                option("class", TEXT, "The model's class", example=self.known.class_name or "LogisticRegression"),
                option("run", TEXT, "Serve the model of this run again; by itself"),
                *(option(name, list_of(TEXT), "An option of the training") for name in OPTIONS),
                option("parameters", free, "Parameters of the class, by name", style="form", explode=True),
                RESPOND_ASYNC,
            ),
            body={JSON: OBJECT, FORM: OBJECT},
            headers=ACCEPTED_HEADERS,
            changes=True,
        )

    def _delete(self) -> Operation:
        return self._operation(
            "delete",
            "Remove the model, the training data, or changed options",
            {200: {JSON: reference("Deleted")}},
            parameters=(
                flag("_model", "The serving model"),
                flag("_cache", "The training data"),
                option("delete", list_of(one_of(("model", "cache", "opts"))), "The same by name"),
                option("_opts", list_of(one_of(OPTIONS)), "Which options, with `delete=opts`; without it, all"),
            ),
            changes=True,
        )

    def _asks(self) -> str:
        return f"Predict {self.known.target}" if self.known.target else "Predict"

    def _prediction(self) -> Schema:
        """The answer for one row as `_output=values` tells it."""
        known = self.known
        if not known.is_own and not known.labels:
            return ANYTHING
        if known.kind == "classifier" and known.answers == (known.answers[:1] and known.target or "", "score"):
            return record({"label": ANYTHING, "score": MAYBE_NUMBER})
        by_kind: Mapping[str | None, Schema] = {
            "classifier": one_of(known.labels) if known.labels else ANYTHING,
            "regressor": NUMBERS,
            "forecaster": NUMBERS,
            "clusterer": {"type": "integer"},
            "outlier detector": one_of((1, -1)),
            "transformer": list_of(ANYTHING),
        }
        return by_kind.get(known.kind, ANYTHING)

    def _predictions(self) -> Schema:
        told = [reference(f"{self.prefix}.Prediction"), OBJECT]
        if self.known.has_probabilities:
            chances = {str(label): MAYBE_NUMBER for label in self.known.labels}
            told.append({"type": "object", "properties": chances} if chances else CHANCES)
        return list_of(any_of(*told))

    def _questions(self) -> tuple[Schema, ...]:
        if not isinstance(self.endpoint, TextEndpoint):
            return ()
        question = any_of({"type": "string", "minLength": 1}, list_of({"type": "string", "minLength": 1}))
        return (option(self.endpoint.query, question, "The text to classify", example="that movie was boring"),)

    def _text_answers(self) -> tuple[Schema, ...]:
        if not isinstance(self.endpoint, TextEndpoint):
            return ()
        answer = record({"prediction": ANYTHING, "confidence": MAYBE_NUMBER})
        return (answer, list_of(answer))


def _files(formats: Collection[str]) -> Content:
    """Tables in the formats beside JSON."""
    types = {name: CONTENT_TYPES[name].split(";")[0] for name in formats if name != "json"}
    return {type_: TEXT if name in ("csv", "jsonl") else BINARY for name, type_ in types.items()}


def _tables() -> Content:
    """Tables as raw bodies, by the first content type of each format."""
    first: dict[str, str] = {}
    for type_, name in BY_CONTENT_TYPE.items():
        first.setdefault(name, type_)
    return {type_: TEXT if type_ == CSV else BINARY for name, type_ in first.items() if name != "json"}


def _output_option() -> Schema:
    told = "`records` adds the row to its prediction, `proba` tells the probability of each class"
    return option("_output", one_of(OUTPUTS), told)


def _views() -> tuple[Schema, ...]:
    counts: Schema = {"type": "integer", "minimum": 1, "maximum": MOST}
    return (
        _output_option(),
        option("_format", one_of(TABLE_FORMATS), "Of predictions and of `_cache`; `h5` of the latter only"),
        *(flag(name, told) for name, told in VIEW_TOLD.items()),
        option("_picture", TEXT, "A picture of the model, such as `roc_curve`"),
        option("_shape", one_of(("usual", "wide")), "Of the picture"),
        option("_status", one_of(STATUSES), "Of `_runs`"),
        option("_limit", counts, "Of `_runs`: how many"),
        option("_page", TEXT, "Of `_runs`: where the page before ended"),
    )


_FILES: Schema = {"type": "object", "properties": {"file": BINARY}, "additionalProperties": True}
_OTHER_VIEWS: Content = {"image/svg+xml": TEXT, "application/octet-stream": BINARY, "application/zip": BINARY}
