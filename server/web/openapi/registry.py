"""The operations of a RegistryHandler."""

from collections.abc import Iterator, Mapping
from typing import Any

from server.config import LISTS, SETTABLE, STATUSES
from server.service.entries import SINGULAR, known_filters
from server.service.exports import FORMATS
from server.service.registry import Registry
from server.tables.writing import CONTENT_TYPES
from server.web.openapi.components import (
    ANYTHING,
    FLAG,
    MAYBE_MOMENT,
    MAYBE_NUMBER,
    MAYBE_TEXT,
    MAYBE_WHOLE,
    MOMENT,
    OBJECT,
    WHOLE,
)
from server.web.openapi.operation import (
    FORM,
    HTML,
    JSON,
    TEXT,
    Content,
    Operation,
    Schema,
    any_of,
    in_path,
    list_of,
    nullable,
    one_of,
    option,
    record,
)
from server.web.openapi.own import AS_PAGE
from server.web.registry_query import LARGEST, LONGEST_TEXT, MOST, ORDERS, TEST_STATES

NUMBER_OF_ENTRY: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST}
SHORT: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
MADE: Mapping[str, Schema] = {"id": WHOLE, "created_at": MOMENT}
ENTRIES: Mapping[str, Schema] = {
    "endpoints": record({**MADE, "name": TEXT, "owner": TEXT}),
    "mlalgorithms": record(
        {**MADE, "name": TEXT, "version": TEXT, "model_type": TEXT, "parent_endpoint": WHOLE},
        owner=TEXT,
        description=TEXT,
        code=TEXT,
        run=MAYBE_TEXT,
        current_status=any_of(one_of(STATUSES), {"type": "null"}),
        problem={**MAYBE_TEXT, "description": "Why it cannot be used"},
    ),
    "mlalgorithmstatuses": record(
        {**MADE, "status": one_of(STATUSES), "active": FLAG, "created_by": MAYBE_TEXT, "parent_mlalgorithm": WHOLE}
    ),
    "mlrequests": record(
        {**MADE, "input_data": ANYTHING, "full_response": OBJECT, "response": ANYTHING, "feedback": ANYTHING},
        parent_mlalgorithm=WHOLE,
        parent_abtest=MAYBE_WHOLE,
    ),
    "abtests": record(
        {**MADE, "title": TEXT, "parent_mlalgorithm1": WHOLE, "parent_mlalgorithm2": WHOLE, "min_feedback": WHOLE},
        model_type=TEXT,
        created_by=MAYBE_TEXT,
        ended_at=MAYBE_MOMENT,
        summary=MAYBE_TEXT,
        score1=MAYBE_NUMBER,
        score2=MAYBE_NUMBER,
        difference=MAYBE_NUMBER,
        interval=nullable("array", items=MAYBE_NUMBER),
        winner=MAYBE_WHOLE,
        promoted=MAYBE_WHOLE,
    ),
}
FILTERS: Mapping[str, Schema] = {
    "since": MOMENT,
    "until": MOMENT,
    "parent_endpoint": any_of(NUMBER_OF_ENTRY, SHORT),
    "parent_mlalgorithm": NUMBER_OF_ENTRY,
    "parent_abtest": NUMBER_OF_ENTRY,
}
FAILURE = record({"status": one_of(("Error",)), "message": TEXT})
ANSWER = record({"status": one_of(("OK",)), "label": ANYTHING, "request_id": WHOLE}, probability=MAYBE_NUMBER)


class RegistryDoors:
    """The operations of the registry; `prefix` begins their names."""

    def __init__(self, registry: Registry, prefix: str) -> None:
        self._registry = registry
        self._prefix = prefix

    def components(self) -> Mapping[str, Schema]:
        """The schemas of its entries."""
        return {f"{self._prefix}.{SINGULAR[name]}": schema for name, schema in ENTRIES.items()}

    def operations(self) -> Iterator[tuple[str, Mapping[str, Operation]]]:
        """By path and method."""
        base = self._registry.entry.pattern.rstrip("/")
        roots = {200: {JSON: record(dict.fromkeys(LISTS, TEXT)), HTML: TEXT}}
        root = self._operation("root", "The addresses of the lists", roots, (400, 503), (AS_PAGE,), is_page=True)
        yield base or "/", {"get": root}
        for name in LISTS:
            yield f"{base}/{name}", {"get": self._list(name), **self._making(name)}
            yield f"{base}/{name}/{{number}}", {"get": self._entry(name), **self._changing(name)}
        yield f"{base}/stop_ab_test/{{number}}", {"post": self._stop()}
        yield f"{base}/{{endpoint_name}}/predict", {"post": self._predict()}

    def _list(self, name: str) -> Operation:
        filters = [option(filter_, _filter(name, filter_), "Only these") for filter_ in known_filters(name)]
        limit: Schema = {"type": "integer", "minimum": 1, "maximum": MOST}
        offered = [
            option("limit", limit, "How many"),
            option("after", NUMBER_OF_ENTRY, "Those behind this number"),
            option("offset", NUMBER_OF_ENTRY, "Those behind so many"),
            option("order", one_of(ORDERS), "`-id` tells the newest first"),
        ]
        content: dict[str, Schema] = {JSON: list_of(self._reference(name))}
        if name == "mlrequests":
            offered.append(option("_format", one_of(FORMATS), "All that match as a file; without limit and after"))
            content |= {CONTENT_TYPES[format_].split(";")[0]: TEXT for format_ in FORMATS if format_ != "json"}
        headers = {"Link": {"schema": TEXT, "description": "The address of those that follow"}}
        counted = {"X-Total-Count": {"schema": WHOLE}} if name != "mlrequests" else {}
        return self._operation(
            name,
            f"The {name}, a page at a time",
            {200: content},
            (400, 503),
            (*filters, *offered),
            headers={200: headers | counted},
        )

    def _entry(self, name: str) -> Operation:
        content: Content = {JSON: self._reference(name)} | ({HTML: TEXT} if name == "endpoints" else {})
        number = in_path("number", f"The {SINGULAR[name]}'s number", NUMBER_OF_ENTRY)
        parameters = (number, AS_PAGE) if name == "endpoints" else (number,)
        summary = f"One {SINGULAR[name]}"
        is_page = name == "endpoints"
        return self._operation(
            f"{SINGULAR[name]}.get", summary, {200: content}, (400, 404, 503), parameters, is_page=is_page
        )

    def _making(self, name: str) -> Mapping[str, Operation]:
        by = any_of(SHORT, {"type": "null"})
        number = any_of(NUMBER_OF_ENTRY, {"type": "string", "pattern": "^[0-9]{1,18}$"})
        if name == "mlalgorithmstatuses":
            fields = record({"status": one_of(SETTABLE), "parent_mlalgorithm": number}, created_by=by)
            return {"post": self._changed("set_status", "Give an algorithm a status", fields, name, 201)}
        if name == "abtests":
            sides = {"parent_mlalgorithm1": number, "parent_mlalgorithm2": number}
            feedback = any_of({**NUMBER_OF_ENTRY, "minimum": 1}, {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"})
            fields = record({"title": SHORT, **sides}, created_by=by, min_feedback=feedback)
            return {"post": self._changed("start", "Begin a test of two algorithms", fields, name, 201)}
        return {}

    def _changing(self, name: str) -> Mapping[str, Operation]:
        if name != "mlrequests":
            return {}
        told: Schema = {"type": ["string", "number", "boolean", "array", "object"], "description": "What was true"}
        fields = record({"feedback": told})
        number = in_path("number", "The request's number", NUMBER_OF_ENTRY)
        return {
            method: self._changed(f"feedback_{method}", "Tell what was true", fields, name, 200, (number,))
            for method in ("put", "patch")
        }

    def _stop(self) -> Operation:
        flags = any_of(FLAG, one_of((0, 1, "true", "false", "0", "1")))
        number = in_path("number", "The test's number", NUMBER_OF_ENTRY)
        fields = record({}, promote=flags)
        summary = "End a test; the better algorithm goes into production"
        return self._changed("stop", summary, fields, "abtests", 200, (number,), False)

    def _changed(
        self,
        name: str,
        summary: str,
        fields: Mapping[str, Any],
        entries: str,
        status: int,
        parameters: tuple[Schema, ...] = (),
        body_required: bool = True,
    ) -> Operation:
        body = {**fields, "additionalProperties": False}
        return self._operation(
            name,
            summary,
            {status: {JSON: self._reference(entries)}},
            (400, 404, 409, 413, 415, 503),
            parameters,
            body={JSON: body, FORM: body},
            body_required=body_required,
            changes=True,
        )

    def _predict(self) -> Operation:
        names = sorted({one.endpoint for one in self._registry.registration.all()})
        usable = [status for status in STATUSES if status != "inactive"]
        failures = {status: {JSON: FAILURE} for status in (400, 404, 409, 413, 415, 503)}
        return self._operation(
            "predict",
            "The answer of an algorithm, which is written down",
            {200: {JSON: ANSWER}, **failures},
            (),
            (
                in_path("endpoint_name", "The endpoint", one_of(names)),
                option("status", one_of(usable), "Of the algorithm that is to answer; `production` by default"),
                option("version", TEXT, "Of the algorithm that is to answer"),
                option("subject", TEXT, "Who always gets the same side of a test"),
            ),
            body={JSON: {"type": "object", "description": "A row: a value for each column of the algorithm"}},
            body_required=True,
            changes=True,
        )

    def _reference(self, name: str) -> Schema:
        return {"$ref": f"#/components/schemas/{self._prefix}.{SINGULAR[name]}"}

    def _operation(
        self,
        name: str,
        summary: str,
        answers: Mapping[int, Content],
        refusals: tuple[int, ...],
        parameters: tuple[Schema, ...] = (),
        **more: Any,
    ) -> Operation:
        tag = self._registry.name
        return Operation(f"{self._prefix}.{name}", summary, tag, answers, refusals, parameters, **more)


def _filter(name: str, filter_: str) -> Schema:
    if filter_ == "status":
        return one_of(TEST_STATES if name == "abtests" else STATUSES)
    return FILTERS[filter_]
