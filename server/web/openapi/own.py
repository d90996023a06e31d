"""The operations of the server itself: health, the list of endpoints, runs, and this description."""

from collections.abc import Collection, Iterator, Mapping

from server.service.runs import MOST, STATUSES
from server.web.openapi.components import ANYTHING, FLAG, MAYBE_TEXT, NUMBER, OBJECT
from server.web.openapi.operation import (
    HTML,
    JSON,
    TEXT,
    Operation,
    Schema,
    any_of,
    in_path,
    list_of,
    one_of,
    option,
    record,
    reference,
)
from server.web.responses import PAGE_FORMATS

TAG = "server"
STATUS_OF_ENDPOINTS = record({"ready": FLAG, "endpoints": {"type": "object", "additionalProperties": TEXT}})
LISTED = record(
    {"name": TEXT, "url": TEXT, "handler": TEXT, "state": TEXT, "reason": MAYBE_TEXT},
    **{"class": MAYBE_TEXT, "kind": MAYBE_TEXT, "target": MAYBE_TEXT},
)
AS_PAGE = option("_format", one_of(PAGE_FORMATS), "A page or JSON; or say it by Accept")
OPENAPI, DOCS = "/openapi.json", "/docs"


def _health() -> Operation:
    answers = {200: {JSON: record({"status": one_of(("ok",))})}}
    return Operation("health", "Whether the process lives", TAG, answers, refusals=(), is_open=True)


def _ready() -> Operation:
    answers = {200: {JSON: STATUS_OF_ENDPOINTS}, 503: {JSON: STATUS_OF_ENDPOINTS}}
    return Operation("ready", "Whether every endpoint can answer, or why not", TAG, answers, refusals=(), is_open=True)


def _index(name: str) -> Operation:
    listed = record({"endpoints": list_of(LISTED)})
    answers = {200: {HTML: TEXT, JSON: listed}}
    return Operation(name, "The endpoints with their state", TAG, answers, parameters=(AS_PAGE,), is_page=True)


def _description(name: str) -> Operation:
    same: Schema = {"name": "If-None-Match", "in": "header", "schema": TEXT, "description": "The ETag of an answer"}
    return Operation(name, "This description", TAG, {200: {JSON: OBJECT}, 304: {}}, refusals=(503,), parameters=(same,))


def _docs(name: str) -> Operation:
    return Operation(name, "This description as a page", TAG, {200: {HTML: TEXT}}, refusals=(), is_page=True)


def _run_list(name: str, endpoints: Collection[str]) -> Operation:
    counts: Schema = {"type": "integer", "minimum": 1, "maximum": MOST}
    return Operation(
        name,
        "The trainings, newest first",
        TAG,
        {200: {JSON: reference("RunList"), HTML: TEXT}},
        (400, 404, 503),
        (
            option("endpoint", one_of(("", *endpoints)), "Of this endpoint only"),
            option("status", one_of(("", *STATUSES)), "Of this status only"),
            option("limit", counts, "How many"),
            option("page", TEXT, "Where the page before ended; see `next`"),
            AS_PAGE,
        ),
        is_page=True,
    )


def _run(name: str) -> Operation:
    losses = record({"losses": list_of(record({"step": NUMBER, "loss": ANYTHING}))})
    return Operation(
        name,
        "A training: status, progress, metrics, the reason of a failure",
        TAG,
        {200: {JSON: any_of(reference("Run"), losses), HTML: TEXT, "image/svg+xml": TEXT}, 304: {}},
        (400, 404, 503),
        (
            in_path("run_id", "The run"),
            AS_PAGE,
            option("_losses", TEXT, "The loss by step", allowEmptyValue=True),
            option("_picture", TEXT, "A picture drawn after the training"),
        ),
        is_page=True,
    )


def _cancel(name: str) -> Operation:
    answers = {200: {JSON: reference("Run")}}
    parameters = (in_path("run_id", "The run"),)
    return Operation(name, "Cancel the training", TAG, answers, (404, 409, 503), parameters, changes=True)


def server_operations(
    base: str, claimed: Collection[str], endpoints: Collection[str]
) -> Iterator[tuple[str, Mapping[str, Operation]]]:
    """Each path of the server itself with its operations.

    Args:
        base: the prefix, where most stand once more.
        claimed: the paths that endpoints have.
        endpoints: the names of those that are described.
    """
    yield "/healthz", {"get": _health()}
    yield "/readyz", {"get": _ready()}
    for number, path in enumerate(dict.fromkeys((base or "/", "/"))):
        if path not in claimed:
            yield path, {"get": _index(f"index{_again(number)}")}
    for number, place in enumerate(dict.fromkeys((base, ""))):
        again = _again(number)
        yield f"{place}/runs", {"get": _run_list(f"runs{again}", endpoints)}
        yield f"{place}/runs/{{run_id}}", {"get": _run(f"run{again}"), "delete": _cancel(f"cancel{again}")}
        yield f"{place}{OPENAPI}", {"get": _description(f"openapi{again}")}
        yield f"{place}{DOCS}", {"get": _docs(f"docs{again}")}


def _again(number: int) -> str:
    """What tells the name of an operation from that of the same one at another place."""
    return f"_{number + 1}" if number else ""
