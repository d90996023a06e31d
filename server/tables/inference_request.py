"""Bytes → a request of the Open Inference Protocol (V2, HTTP/REST), checked as far as it can be without a model."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from server.errors import BadRequest, did_you_mean, shortened
from server.schema import pointer
from server.tables.foreign_json import read_foreign_json
from server.tables.tensors import Tensor, read_tensor, wrong

WHAT = "the request"
# Parameters that are understood, and those that ask for nothing else than what is done anyway.
OF_REQUEST = ("binary_data_output", "content_type", "priority", "timeout")
OF_INPUT = ("binary_data_size", "content_type")
OF_OUTPUT = ("binary_data", "content_type")
# MLServer's names for what tensors hold; others, such as base64, would mean other cells.
CONTENT_TYPES = ("np", "str", "pd", "datetime")
MOST_DIGITS = 12


@dataclass(frozen=True)
class Wanted:
    """An output that is asked for, as JSON or as bytes."""

    name: str
    binary: bool


@dataclass(frozen=True)
class InferenceRequest:
    """What is sent to `infer`; without `wanted`, the prediction is."""

    id: str | None
    inputs: tuple[Tensor, ...]
    wanted: tuple[Wanted, ...]


def read_inference(content: bytes, json_length: str | None, default: str, known: Collection[str]) -> InferenceRequest:
    """The request in a body.

    Args:
        content: the body: JSON, and behind it the bytes of binary inputs, one after another.
        json_length: the header Inference-Header-Content-Length, if there is one.
        default: the output of a request that names none.
        known: the outputs that there can be.

    Raises:
        BadRequest: with a pointer to what is wrong.
    """
    end = len(content) if json_length is None else _length(json_length, len(content))
    value = read_foreign_json(content[:end], WHAT)
    if not isinstance(value, dict):
        raise BadRequest("the request must be a JSON object with inputs")
    _check_names(value, ("id", "parameters", "inputs", "outputs"), "")
    identity = value.get("id")
    if identity is not None and not isinstance(identity, str):
        raise wrong("/id", "id must be a text")
    parameters = _parameters(value, OF_REQUEST, "")
    binary = _flag(parameters, "binary_data_output", "")
    wanted = tuple(_wanted(value.get("outputs"), known, binary)) or (Wanted(default, binary),)
    return InferenceRequest(identity, _inputs(value.get("inputs"), memoryview(content)[end:]), wanted)


def _length(text: str, size: int) -> int:
    """The header's number."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS and int(text) <= size):
        raise BadRequest(
            f"Inference-Header-Content-Length must be the length of the JSON, at most that of the body ({size}), "
            f"not {text[:40]!r}"
        )
    return int(text)


def _inputs(value: Any, blob: memoryview) -> tuple[Tensor, ...]:
    if not isinstance(value, list) or not value:
        raise wrong("/inputs", "the request needs inputs, a list of one tensor or more")
    tensors = []
    for number, entry in enumerate(value):
        at = f"/inputs/{number}"
        _check_object(entry, ("name", "shape", "datatype", "parameters", "data"), at)
        _parameters(entry, OF_INPUT, at)
        tensor, blob = read_tensor(entry, blob, at)
        tensors.append(tensor)
    if blob:
        raise BadRequest(f"{len(blob)} bytes are left behind the JSON that no input's binary_data_size accounts for")
    return tuple(tensors)


def _wanted(value: Any, known: Collection[str], binary: bool) -> list[Wanted]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong("/outputs", "outputs must be a list")
    wanted: list[Wanted] = []
    for number, entry in enumerate(value):
        at = f"/outputs/{number}"
        _check_object(entry, ("name", "parameters"), at)
        name = entry.get("name")
        if name not in known:
            hint = did_you_mean(str(name), known) or f"; there are {', '.join(known)}"
            raise wrong(f"{at}/name", f"unknown output {shortened(str(name))!r}{hint}")
        if any(name == before.name for before in wanted):
            raise wrong(f"{at}/name", f"the output {name!r} is asked for more than once")
        wanted.append(Wanted(name, _flag(_parameters(entry, OF_OUTPUT, at), "binary_data", at, binary)))
    return wanted


def _parameters(value: dict[str, Any], known: Collection[str], at: str) -> dict[str, Any]:
    """The parameters of a request, an input or an output; one that means something else here is refused."""
    parameters = value.get("parameters")
    if parameters is None:
        return {}
    _check_object(parameters, known, f"{at}/parameters")
    kind = parameters.get("content_type")
    if kind is not None and kind not in CONTENT_TYPES:
        raise wrong(
            f"{at}/parameters/content_type",
            f"{shortened(str(kind))!r} is not understood; known: {', '.join(CONTENT_TYPES)}",
        )
    return parameters


def _flag(parameters: dict[str, Any], name: str, at: str, default: bool = False) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise wrong(f"{at}/parameters/{name}", f"{name} must be true or false")
    return value


def _check_object(value: Any, known: Collection[str], at: str) -> None:
    if not isinstance(value, dict):
        raise wrong(at, f"this must be an object, of {', '.join(known)}")
    _check_names(value, known, at)


def _check_names(value: dict[str, Any], known: Collection[str], at: str) -> None:
    for name in value:
        if name not in known:
            hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
            raise wrong(at + pointer(shortened(name)), f"{shortened(name)!r} is not understood{hint}")
