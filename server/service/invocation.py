"""MLflow's scoring protocol: the rows of a JSON body, as its clients write them.

https://mlflow.org/docs/latest/deployment/deploy-model-locally.html: exactly one of FORMATS, and params.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from server.config import Limits
from server.errors import BadRequest, Problem, did_you_mean, shortened
from server.service.endpoint import Endpoint
from server.service.few_rows import answered_as_json
from server.service.prediction import OUTPUTS, Prediction
from server.service.served_model import ServedModel
from server.tables.extent import check_extent
from server.tables.foreign_json import read_foreign_json
from server.tables.reading import read_values

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
OF_SPLIT = ("columns", "data", "index")
PARAMS = ("output",)


@dataclass(frozen=True)
class Invocation:
    """The rows that were sent, in one of FORMATS, and the form of the answer; None is the endpoint's usual one."""

    form: str
    value: Any
    output: str | None


def read_invocation(content: bytes) -> Invocation:
    """What a JSON body says.

    Raises:
        BadRequest: it is not one of FORMATS, or asks for what is not understood.
    """
    body = read_foreign_json(content, "the body")
    usual = f"send a JSON object with one of {', '.join(FORMATS)}"
    if not isinstance(body, dict):
        raise BadRequest(f"the body is no JSON object; {usual}")
    for name in body:
        if name not in (*FORMATS, "params"):
            raise BadRequest(f"{shortened(name)!r} is not understood{did_you_mean(name, FORMATS)}; {usual}")
    given = [name for name in FORMATS if name in body]
    if len(given) != 1:
        raise BadRequest(f"{' and '.join(given) or 'none of them'} came; {usual}")
    return Invocation(given[0], body[given[0]], _output(body.get("params")))


def _output(params: Any) -> str | None:
    if params is None:
        return None
    if not isinstance(params, dict):
        raise BadRequest("params must be an object")
    for name in params:
        if name not in PARAMS:
            raise BadRequest(
                f"params: {shortened(name)!r} is not understood; known: output, one of {', '.join(OUTPUTS)}",
                [Problem("/params", "the model takes no parameters with its rows")],
            )
    output = params.get("output")
    if output is not None and output not in OUTPUTS:
        raise BadRequest(f"params: output must be one of {', '.join(OUTPUTS)}, not {output!r}")
    return output


def invoked(endpoint: Endpoint, invocation: Invocation) -> Prediction:
    """What the endpoint's own URL answers for these rows.

    Raises:
        ModelMissing, NotReady: there is no model that could answer.
        InvalidRows, BadRequest, TooLarge: the rows do not fit.
    """
    limits = endpoint.config.server.limits
    return endpoint.asked(
        lambda served: answered_as_json(endpoint, served, _rows(invocation, served, limits), invocation.output)
    )


def _rows(invocation: Invocation, served: ServedModel, limits: Limits) -> pd.DataFrame:
    readers: dict[str, Callable[[], pd.DataFrame]] = {
        "dataframe_split": lambda: _split(invocation.value, served, limits),
        "dataframe_records": lambda: _records(invocation.value, limits),
        "instances": lambda: _instances("instances", invocation.value, served, limits),
        "inputs": lambda: _inputs(invocation.value, served, limits),
    }
    return readers[invocation.form]()


def _records(value: Any, limits: Limits) -> pd.DataFrame:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise BadRequest("dataframe_records must be a list of objects, one for each row")
    return read_values(value, "dataframe_records", limits)


def _inputs(value: Any, served: ServedModel, limits: Limits) -> pd.DataFrame:
    if isinstance(value, dict):
        return read_values(value, "inputs", limits)
    return _instances("inputs", value, served, limits)


def _instances(form: str, value: Any, served: ServedModel, limits: Limits) -> pd.DataFrame:
    """Rows as objects, as lists in the order of the model's columns, or as the only cell of each."""
    if not isinstance(value, list):
        raise BadRequest(f"{form} must be a list, of one object, list or value for each row")
    if value and isinstance(value[0], dict):
        return read_values(value, form, limits)
    nested = bool(value) and isinstance(value[0], list)
    return _by_position(form, value if nested else [[cell] for cell in value], served, limits)


def _split(value: Any, served: ServedModel, limits: Limits) -> pd.DataFrame:
    """Rows as lists below the names of their columns; their index, which no model reads, is left out."""
    if not isinstance(value, dict) or "data" not in value or not value.keys() <= set(OF_SPLIT):
        raise BadRequest(f"dataframe_split must be an object of data and columns (of {', '.join(OF_SPLIT)})")
    columns, rows = value.get("columns"), value["data"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise BadRequest("dataframe_split: data must be a list of lists, one for each row")
    if columns is None:
        return _by_position("dataframe_split", rows, served, limits)
    if not isinstance(columns, list) or not all(type(name) in (str, int) for name in columns):
        raise BadRequest("dataframe_split: columns must be a list of names")
    names = [str(name) for name in columns]
    check_extent(len(rows), names, "dataframe_split", limits)
    if not names:
        raise BadRequest("dataframe_split has no columns")
    if not rows:
        return pd.DataFrame({name: [] for name in names}, dtype="str")
    frame = read_values(rows, "dataframe_split", limits)
    if len(frame.columns) != len(names):
        raise BadRequest(f"dataframe_split has {len(names)} columns, and {len(frame.columns)} cells in each row")
    return frame.set_axis(names, axis=1)


def _by_position(form: str, rows: list[list[Any]], served: ServedModel, limits: Limits) -> pd.DataFrame:
    frame = read_values(rows, form, limits)
    return frame.set_axis(served.names_by_position(len(frame.columns)), axis=1) if rows else frame
