"""How rows are sent to a server, and its answers read."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from benchmarks.processes import Failed, Server

Row = dict[str, Any]
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Query:
    """One row in the query of a GET, answered by a list of one class."""

    path: str

    def answers(self, server: Server, rows: list[Row]) -> list[Any]:
        """The answer's list. Raises: Failed if it is none."""
        (row,) = rows
        return _read(server.ask("GET", f"{self.path}?{urlencode(row)}"), list)


@dataclass(frozen=True)
class Body:
    """Rows in the JSON body of a POST: `wrap` makes it of the records, `unwrap` takes the classes out of the answer."""

    path: str
    wrap: Callable[[list[Row]], Any] = list
    unwrap: Callable[[Any], list[Any]] = list

    def answers(self, server: Server, rows: list[Row]) -> list[Any]:
        """One class for each row. Raises: Failed if the answer is of another shape."""
        return _read(server.ask("POST", self.path, json.dumps(self.wrap(rows)).encode(), JSON), self.unwrap)


Door = Query | Body


def _read(content: bytes, unwrap: Callable[[Any], list[Any]]) -> list[Any]:
    try:
        return unwrap(json.loads(content))
    except (ValueError, LookupError, TypeError) as error:
        raise Failed(f"an answer of another shape: {content[:200]!r}") from error


def named(name: str) -> Callable[[list[Row]], Any]:
    """The records below one key."""
    return lambda rows: {name: rows}


def below(name: str) -> Callable[[Any], list[Any]]:
    """The list at one key of an answer."""
    return lambda answer: list(answer[name])


def split(rows: list[Row]) -> Any:
    """MLflow's `dataframe_split`: names once, then lists of cells."""
    return {"dataframe_split": {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}}


def inference_request(rows: list[Row]) -> Any:
    """An inference request of the Open Inference Protocol, version 2: one tensor for each column."""
    return {"inputs": [_tensor(name, [row[name] for row in rows]) for name in rows[0]]}


def _tensor(name: str, values: list[Any]) -> dict[str, Any]:
    tensor = {"name": name, "shape": [len(values), 1], "data": values}
    if isinstance(values[0], str):
        return tensor | {"datatype": "BYTES", "parameters": {"content_type": "str"}}
    return tensor | {"datatype": "FP64"}


def first_output(answer: Any) -> list[Any]:
    """The data of an inference response's first tensor."""
    return list(answer["outputs"][0]["data"])
