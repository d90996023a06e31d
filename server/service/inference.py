"""Open Inference Protocol: tensors in, tensors out, by the serving model of an endpoint."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.config import Limits
from server.errors import InvalidRows, NoSuchEntry, NotReady
from server.estimators.base import ModelKind
from server.schema import NUMERIC, Column, Kind
from server.service.endpoint import Endpoint
from server.service.few_rows import answered_as_json
from server.service.prediction import Prediction
from server.service.served_model import ServedModel
from server.tables.extent import check_extent, too_many_columns
from server.tables.inference_request import InferenceRequest, Wanted
from server.tables.reading import read_columns
from server.tables.tensors import Tensor, tensor_of
from server.tables.writing import plain_json, records

PREDICT = "predict"
PROBA = "predict_proba"
OUTPUTS = (PREDICT, PROBA)
DATATYPES = {Kind.INTEGER: "INT64", Kind.NUMBER: "FP64", Kind.BOOLEAN: "BOOL"}
# Of kind ANY nothing is known that would speak against it.
BY_POSITION = NUMERIC | {Kind.BOOLEAN, Kind.ANY}
WHAT = "the request"


@dataclass(frozen=True)
class Output:
    """An output, its parameters, and whether it goes out as bytes."""

    tensor: Tensor
    parameters: dict[str, Any]
    binary: bool


@dataclass(frozen=True)
class Inference:
    """The answer, and the run whose model gave it; None for a model that no run made."""

    version: str | None
    outputs: tuple[Output, ...]


def model_name(endpoint: Endpoint) -> str:
    """The endpoint's name as one part of a path: a slash becomes '-', as in the names of its files."""
    return endpoint.name.replace("/", "-")


def infer(endpoint: Endpoint, request: InferenceRequest, version: str | None = None) -> Inference:
    """The outputs for a request's rows, alike what the endpoint's own URL answers for them.

    Args:
        endpoint: whose model is asked.
        request: what was sent.
        version: the run whose model is meant; None for the one that serves.

    Raises:
        NoSuchEntry: another model serves.
        ModelMissing, NotReady: there is no model that could answer.
        InvalidRows, BadRequest, TooLarge: the rows do not fit.
    """
    return endpoint.asked(lambda served: _inferred(endpoint, served, request, version))


def _inferred(endpoint: Endpoint, served: ServedModel, request: InferenceRequest, version: str | None) -> Inference:
    check_version(endpoint, served, version)
    columns = _columns(served, request.inputs, endpoint.config.server.limits)
    rows = read_columns(columns, WHAT, endpoint.config.server.limits)
    outputs = []
    for wanted in request.wanted:
        form = "proba" if wanted.name == PROBA else "values"
        outputs.append(_output(served, answered_as_json(endpoint, served, rows, form), wanted))
    return Inference(version_of(served), tuple(outputs))


def check_version(endpoint: Endpoint, served: ServedModel, version: str | None) -> None:
    """Accept the run whose model serves, or none named.

    Raises:
        NoSuchEntry: another one.
    """
    serving = version_of(served)
    if version is not None and version != serving:
        known = f"the model of run {serving} serves" if serving else "the serving model has no version"
        raise NoSuchEntry(f"{endpoint.name} has no version {version!r} that serves; {known}")


def version_of(served: ServedModel) -> str | None:
    """The run that made the model; None for a model that a user brought."""
    return served.facts.get("run")


def _columns(served: ServedModel, inputs: Sequence[Tensor], limits: Limits) -> dict[str, list[Any] | np.ndarray]:
    """The cells by column: an input for each, or one with all of them side by side."""
    names = [column.name for column in served.inputs]
    if len(inputs) == 1 and len(inputs[0].shape) == 2 and (inputs[0].shape[1] != 1 or inputs[0].name not in names):
        return _by_position(served, inputs[0], limits)
    for tensor in inputs:
        if len(tensor.shape) == 2 and tensor.shape[1] != 1:
            raise InvalidRows(
                f"{tensor.name} has {tensor.shape[1]} columns; beside other inputs each is one, [n] or [n, 1]"
            )
    lengths = {tensor.name: tensor.shape[0] for tensor in inputs}
    usual = Counter(lengths.values()).most_common(1)[0][0]
    odd = next((name for name, length in lengths.items() if length != usual), None)
    if odd is not None:
        raise InvalidRows(f"every input needs as many rows as the others: {odd} has {lengths[odd]}, most have {usual}")
    check_extent(usual, [tensor.name for tensor in inputs], WHAT, limits)
    return {tensor.name: tensor.cells for tensor in inputs}


def _by_position(served: ServedModel, tensor: Tensor, limits: Limits) -> dict[str, list[Any] | np.ndarray]:
    rows, width = tensor.shape
    check_extent(rows, (), WHAT, limits)
    # Without rows a shape may say any number, and a model that does not tell its columns takes it.
    if width > limits.columns:
        raise too_many_columns(width, WHAT, limits)
    texts = [column.name for column in served.inputs if column.kind not in BY_POSITION]
    if texts:
        raise InvalidRows(
            f"{texts[0]} is no column of numbers, so that one tensor cannot hold all columns; "
            f"send an input for each column, named as it"
        )
    return dict(zip(served.names_by_position(width), tensor.columns(), strict=True))


def _values(prediction: Prediction) -> Any:
    """One value for each row; what is told as an object otherwise, as a JSON text."""
    if prediction.values is not None:
        return prediction.values
    return [plain_json(record) for record in records(prediction.frame)]


def _typed(tensor: Tensor, served: ServedModel) -> Tensor:
    """The tensor; one without elements has the datatype that it would have with some."""
    if tensor.shape[0]:
        return tensor
    told = _prediction(served)
    return Tensor(tensor.name, told["datatype"], (0, *(0 for _ in told["shape"][1:])), [])


def _output(served: ServedModel, prediction: Prediction, wanted: Wanted) -> Output:
    if wanted.name == PROBA:
        return _probabilities(served, prediction, wanted)
    return Output(_typed(tensor_of(PREDICT, _values(prediction)), served), {}, wanted.binary)


def _probabilities(served: ServedModel, prediction: Prediction, wanted: Wanted) -> Output:
    classes = list(prediction.frame.columns) or _classes(served)
    shape = (len(prediction.frame), len(classes))
    cells = prediction.frame.to_numpy(dtype=np.float64).ravel()
    return Output(Tensor(PROBA, "FP64", shape, cells), _named(classes), wanted.binary)


def _named(classes: Sequence[str]) -> dict[str, Any]:
    """The classes in the order of the columns; parameters hold texts, numbers and booleans only."""
    return {"classes": plain_json(list(classes))}


def metadata(endpoint: Endpoint, version: str | None = None) -> dict[str, Any]:
    """Inputs and outputs of the serving model, with their types; -1 is any number of rows.

    Raises:
        NoSuchEntry: another model serves.
        ModelMissing, NotReady: there is no model that could answer.
    """
    return endpoint.asked(lambda served: _metadata(endpoint, served, version))


def _metadata(endpoint: Endpoint, served: ServedModel, version: str | None) -> dict[str, Any]:
    check_version(endpoint, served, version)
    serving = version_of(served)
    outputs = [_prediction(served)]
    if _tells_probabilities(served):
        classes = _classes(served)
        outputs.append({"name": PROBA, "datatype": "FP64", "shape": [-1, len(classes)], "parameters": _named(classes)})
    return {
        "name": model_name(endpoint),
        "versions": [serving] if serving else [],
        "platform": served.estimator.class_name,
        "inputs": [
            {"name": column.name, "datatype": _datatype(column, served.schema.positional), "shape": [-1]}
            for column in served.inputs
        ],
        "outputs": outputs,
    }


def _datatype(column: Column, positional: bool) -> str:
    """What fits the column; others are taken too, if the cells can be read as what it holds."""
    if column.kind is Kind.ANY and positional:
        return "FP64"
    return DATATYPES.get(column.kind, "BYTES")


def _prediction(served: ServedModel) -> dict[str, Any]:
    kind = served.estimator.kind
    many = kind is ModelKind.TRANSFORMER
    datatype = {
        ModelKind.REGRESSOR: "FP64",
        ModelKind.FORECASTER: "FP64",
        ModelKind.TRANSFORMER: "FP64",
        ModelKind.CLUSTERER: "INT64",
        ModelKind.OUTLIER_DETECTOR: "INT64",
        ModelKind.RECOGNIZER: "BYTES",
    }.get(kind)
    if datatype is None:
        labels = getattr(served.estimator.estimator, "classes_", None)
        # Of several targets there is a list of their classes.
        known = labels is not None and len(labels) and not isinstance(labels[0], np.ndarray)
        datatype = tensor_of(PREDICT, labels).datatype if known else "FP64"
    return {"name": PREDICT, "datatype": datatype, "shape": [-1, -1] if many else [-1]}


def _tells_probabilities(served: ServedModel) -> bool:
    estimator = served.estimator
    if estimator.kind is not ModelKind.CLASSIFIER:
        return False
    # To ask a folder's model would load its weights.
    return estimator.is_folder or hasattr(estimator.model, "predict_proba")


def _classes(served: ServedModel) -> list[str]:
    return [str(label) for label in getattr(served.estimator.estimator, "classes_", ())]


def is_ready(endpoint: Endpoint, version: str | None = None) -> bool:
    """Whether a model serves that could answer now.

    Raises:
        NoSuchEntry: one serves, and not of this version.
    """
    try:
        endpoint.readiness.check()
    except NotReady:
        return False
    served = endpoint.readiness.served_or_none()
    if served is not None:
        check_version(endpoint, served, version)
    return served is not None
