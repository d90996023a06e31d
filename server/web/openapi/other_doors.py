"""The operations for clients of other servers: the Open Inference Protocol's, MLflow's, and Prometheus'."""

from collections.abc import Collection, Iterator, Mapping

from server.web.inference import V2
from server.web.invocations import INVOCATIONS
from server.web.openapi.components import ANYTHING, FLAG, OBJECT, WHOLE
from server.web.openapi.operation import (
    BINARY,
    CSV,
    JSON,
    TEXT,
    Content,
    Operation,
    Schema,
    any_of,
    in_path,
    list_of,
    one_of,
    record,
)

TAG = "other doors"
OCTETS, PLAIN = "application/octet-stream", "text/plain"
PARQUET = "application/vnd.apache.parquet"
TYPES = (
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64", "BYTES",
)  # fmt: skip
SHAPE = list_of({"type": "integer"})
TENSOR = record(
    {"name": TEXT, "shape": list_of({"type": "integer", "minimum": 0}), "datatype": one_of(TYPES)},
    data={"type": "array", "description": "The cells of a column, or of all columns, row by row"},
    parameters=OBJECT,
)
TENSORS: Schema = {"type": "array", "items": TENSOR, "minItems": 1}
WANTED = record({"name": one_of(("predict", "predict_proba"))}, parameters=OBJECT)
REQUEST = record({"inputs": TENSORS}, id=TEXT, parameters=OBJECT, outputs=list_of(WANTED))
RESPONSE = record(
    {"model_name": TEXT, "outputs": list_of(record({"name": TEXT, "shape": SHAPE, "datatype": TEXT}))},
    model_version=TEXT,
    id=TEXT,
)
TYPED = list_of(record({"name": TEXT, "datatype": TEXT, "shape": SHAPE}))
METADATA = record({"name": TEXT, "platform": TEXT, "inputs": TYPED, "outputs": TYPED}, versions=list_of(TEXT))
ABOUT = record({"name": TEXT, "version": TEXT, "extensions": list_of(TEXT)})
WRONG: Content = {JSON: record({"error": TEXT}, errors=list_of(record({"pointer": TEXT, "detail": TEXT})))}
ROWS = {"type": "array", "items": ANYTHING}
SPLIT = record({"columns": list_of(TEXT), "data": list_of(ROWS)}, index=ROWS)
INVOKED = any_of(
    *(record({name: schema}, params=OBJECT) for name, schema in (
        ("dataframe_split", SPLIT), ("dataframe_records", list_of(OBJECT)), ("instances", ROWS), ("inputs", ANYTHING),
    ))
)  # fmt: skip
REFUSALS = (400, 404, 413, 415, 503)


def metrics_operation() -> Operation:
    """Prometheus' figures."""
    return Operation("metrics", "Figures for Prometheus", TAG, {200: {PLAIN: TEXT}}, refusals=(503,))


def other_operations(
    base: str, claimed: Collection[str], models: Collection[str]
) -> Iterator[tuple[str, Mapping[str, Operation]]]:
    """Each path with its operations.

    Args:
        base: the prefix, behind which they stand once more.
        claimed: the paths that endpoints have.
        models: what the models are called there.
    """
    for number, place in enumerate(dict.fromkeys((base, ""))):
        again = f"_{number + 1}" if number else ""
        yield from _v2(place + V2, again, models)
        yield from _mlflow(place, again, claimed)


def _v2(root: str, again: str, models: Collection[str]) -> Iterator[tuple[str, Mapping[str, Operation]]]:
    live = {200: {JSON: record({"live": FLAG})}}
    ready = dict.fromkeys((200, 503), {JSON: record({"ready": FLAG})})
    yield root, {"get": Operation(f"v2{again}", "What this server is", TAG, {200: {JSON: ABOUT}}, (), told=WRONG)}
    yield f"{root}/health/live", {"get": Operation(f"v2_live{again}", "Does it live", TAG, live, (), is_open=True)}
    yield f"{root}/health/ready", {"get": Operation(f"v2_ready{again}", "Is it ready", TAG, ready, (), is_open=True)}
    for path, which in (("", ""), ("/versions/{version}", "_of_version")):
        yield from _v2_model(f"{root}/models/{{name}}{path}", f"{which}{again}", models)


def _v2_model(path: str, again: str, models: Collection[str]) -> Iterator[tuple[str, Mapping[str, Operation]]]:
    parameters = [in_path("name", "The endpoint; '-' stands for a slash", one_of(models) if models else TEXT)]
    if "{version}" in path:
        parameters.append(in_path("version", "The run whose model serves"))

    def operation(name: str, summary: str, schema: Schema, also: int | None = None) -> Operation:
        answers = {status: {JSON: schema} for status in (200, also) if status}
        return Operation(f"v2_{name}{again}", summary, TAG, answers, (404, 503), tuple(parameters), told=WRONG)

    yield path, {"get": operation("model", "The types of its inputs and outputs", METADATA)}
    is_ready = record({"name": TEXT, "ready": FLAG})
    yield f"{path}/ready", {"get": operation("model_ready", "Can it answer", is_ready, 503)}
    length: Schema = {
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "schema": {**WHOLE, "minimum": 0},
        "description": "Bytes of the JSON in front of tensors that are bytes",
    }
    infer = Operation(
        f"v2_infer{again}",
        "Predict the rows in the tensors",
        TAG,
        {200: {JSON: RESPONSE, OCTETS: BINARY}},
        REFUSALS,
        (*parameters, length),
        {JSON: REQUEST, OCTETS: BINARY},
        body_required=True,
        changes=True,
        told=WRONG,
    )
    yield f"{path}/infer", {"post": infer}


def _mlflow(place: str, again: str, claimed: Collection[str]) -> Iterator[tuple[str, Mapping[str, Operation]]]:
    answer = {JSON: record({"predictions": ANYTHING})}
    body: Content = {JSON: INVOKED, CSV: TEXT, PARQUET: BINARY}
    pinged = dict.fromkeys((200, 503), {PLAIN: TEXT})
    found = {
        INVOCATIONS: {
            "post": Operation(
                f"invocations{again}", "Predict the rows, as MLflow's own server does", TAG, {200: answer}, REFUSALS,
                body=body, body_required=True, changes=True,
            )
        },
        "/ping": {"get": Operation(f"ping{again}", "Can it answer", TAG, pinged, (), is_open=True)},
        "/health": {"get": Operation(f"mlflow_health{again}", "Can it answer", TAG, pinged, (), is_open=True)},
        "/version": {"get": Operation(f"mlflow_version{again}", "MLflow's release", TAG, {200: {PLAIN: TEXT}}, ())},
    }  # fmt: skip
    for path, operations in found.items():
        if place + path not in claimed:
            yield place + path, operations
