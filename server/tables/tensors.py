"""Tensors of the Open Inference Protocol ↔ cells: as JSON, or as bytes behind the JSON.

https://github.com/kserve/open-inference-protocol (V2, HTTP/REST); the bytes are its binary tensor data extension.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from server.errors import BadRequest, Problem, did_you_mean, shortened
from server.tables.writing import plain_json

FLOATS = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}
INTEGERS = {
    f"{sign}INT{bits}": f"<{code}{bits // 8}" for sign, code in (("", "i"), ("U", "u")) for bits in (8, 16, 32, 64)
}
NUMBERS = INTEGERS | FLOATS
DATATYPES = ("BOOL", *NUMBERS, "BYTES")
# What a JSON element of each datatype may be, beside null.
PLAIN: dict[str, tuple[type, ...]] = {
    "BOOL": (bool,),
    "BYTES": (str,),
    **dict.fromkeys(INTEGERS, (int,)),
    **dict.fromkeys(FLOATS, (int, float)),
}
# The datatype of what numpy holds.
OF_KIND = {"i": "INT64", "u": "INT64", "f": "FP64", "b": "BOOL"}
OF_OBJECTS = (((bool, np.bool_), "?"), ((int, np.integer), "i8"), ((float, np.floating), "f8"))
LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Tensor:
    """Its elements lie in `cells`, row by row: a list in which None is missing, or an array of one dimension."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    cells: list[Any] | np.ndarray

    def columns(self) -> list[list[Any] | np.ndarray]:
        """The cells of each column of a tensor of two dimensions."""
        width = self.shape[1]
        return [self.cells[index::width] for index in range(width)]


def wrong(at: str, detail: str) -> BadRequest:
    """The error for a part of a request, which the pointer names."""
    return BadRequest(f"{at}: {detail}", [Problem(at, detail)])


def read_tensor(value: Mapping[str, Any], blob: memoryview, at: str) -> tuple[Tensor, memoryview]:
    """One of a request's inputs, and the bytes that are left for those after it.

    Raises:
        BadRequest: its parts are wrong, or do not fit one another.
    """
    name, datatype, shape = value.get("name"), value.get("datatype"), value.get("shape")
    if not isinstance(name, str) or not name:
        raise wrong(f"{at}/name", "an input needs a name, a text that is not empty")
    told = shortened(name)
    if datatype not in DATATYPES:
        hint = did_you_mean(str(datatype), DATATYPES) or f"; known: {', '.join(DATATYPES)}"
        raise wrong(f"{at}/datatype", f"{told} has the unknown datatype {shortened(str(datatype))!r}{hint}")
    if not isinstance(shape, list) or not all(type(length) is int and length >= 0 for length in shape):
        raise wrong(f"{at}/shape", f"the shape of {told} must be a list of whole numbers")
    if len(shape) not in (1, 2):
        raise wrong(
            f"{at}/shape", f"{told} has {len(shape)} dimensions; a column is [n] or [n, 1], rows are [n, columns]"
        )
    size = (value.get("parameters") or {}).get("binary_data_size")
    if size is None:
        if "data" not in value:
            raise wrong(f"{at}/data", f"{told} has neither data nor the parameter binary_data_size")
        return Tensor(
            name, datatype, tuple(shape), _plain_cells(value["data"], shape, datatype, f"{at}/data", told)
        ), blob
    if "data" in value:
        raise wrong(f"{at}/data", f"{told} has both data and the parameter binary_data_size; send one of them")
    if type(size) is not int or not 0 <= size <= len(blob):
        raise wrong(
            f"{at}/parameters/binary_data_size",
            f"{told} is said to have {size} bytes, and {len(blob)} are left behind the JSON "
            "(Inference-Header-Content-Length says where that ends)",
        )
    cells = _unpacked(blob[:size], math.prod(shape), datatype, f"{at}/parameters/binary_data_size", told)
    return Tensor(name, datatype, tuple(shape), cells), blob[size:]


def _plain_cells(data: Any, shape: list[int], datatype: str, at: str, name: str) -> list[Any]:
    """The elements of JSON data, which may be nested as the shape says, or flat."""
    if not isinstance(data, list):
        raise wrong(at, f"the data of {name} must be a list")
    for length in shape[1:]:
        if not data or not isinstance(data[0], list):
            break
        if not all(isinstance(part, list) and len(part) == length for part in data):
            raise wrong(at, f"the lists within the data of {name} must have {length} elements each, as its shape says")
        data = list(chain.from_iterable(data))
    if len(data) != math.prod(shape):
        raise wrong(at, f"{name} has {len(data)} elements, and its shape {shape} says {math.prod(shape)}")
    if not set(map(type, data)) <= {type(None), *PLAIN[datatype]}:
        odd = next(index for index, cell in enumerate(data) if cell is not None and type(cell) not in PLAIN[datatype])
        raise wrong(f"{at}/{odd}", f"{_shown(data[odd])} in {name} is not {datatype}")
    if datatype in INTEGERS:
        bounds = np.iinfo(INTEGERS[datatype])
        odd = next(
            (at for at, cell in enumerate(data) if cell is not None and not bounds.min <= cell <= bounds.max), -1
        )
        if odd >= 0:
            raise wrong(f"{at}/{odd}", f"{_shown(data[odd])} in {name} is beyond {datatype}")
    return data


def _shown(cell: Any) -> str:
    text = plain_json(cell)
    return text if len(text) <= 60 else text[:57] + "…"


def _unpacked(content: memoryview, count: int, datatype: str, at: str, name: str) -> list[Any] | np.ndarray:
    """The elements of bytes: little-endian, row by row, without gaps."""
    if datatype == "BYTES":
        return _texts(content, count, at, name)
    dtype = np.dtype(NUMBERS.get(datatype, "u1"))
    if len(content) != count * dtype.itemsize:
        raise wrong(
            at, f"{name} has {len(content)} bytes; {count} elements of {datatype} have {count * dtype.itemsize}"
        )
    cells = np.frombuffer(content, dtype)
    if datatype == "BOOL":
        if cells.size and cells.max() > 1:
            raise wrong(at, f"an element of BOOL is one byte, 0 or 1; one of {name} is {cells.max()}")
        return cells.astype(np.bool_)
    # Tables have no numbers of 16 bits, and integers beyond 63 bits are read as JSON's are.
    is_beyond = datatype == "UINT64" and cells.size and cells.max() > np.iinfo(np.int64).max
    return cells.astype(np.float64) if datatype in FLOATS or is_beyond else cells


def _texts(content: memoryview, count: int, at: str, name: str) -> list[str]:
    """Elements that each have their length before them, in four bytes."""
    cells: list[str] = []
    position = 0
    while position < len(content) and len(cells) < count:
        begin = position + LENGTH.size
        position = begin + LENGTH.unpack_from(content, position)[0] if begin <= len(content) else begin
        if position > len(content):
            break
        try:
            cells.append(str(content[begin:position], "utf-8"))
        except UnicodeDecodeError as error:
            raise wrong(at, f"element {len(cells)} of {name} is not UTF-8 (byte {error.start})") from error
    if len(cells) != count or position != len(content):
        raise wrong(
            at, f"the bytes of {name} are not {count} elements of BYTES, each a length in four bytes and so many bytes"
        )
    return cells


def tensor_of(name: str, values: Any) -> Tensor:
    """The tensor of predictions: one value for each row, or a list of as many for each.

    Numbers and labels keep their type; what has no datatype becomes BYTES, as JSON texts.
    """
    array = np.asarray(values)
    if array.dtype == object:
        types = set(map(type, array.ravel()))
        fitting = (dtype for plain, dtype in OF_OBJECTS if types and all(issubclass(one, plain) for one in types))
        array = array.astype(next(fitting, object))
    cells = array.ravel()
    if array.dtype.kind in OF_KIND:
        datatype = OF_KIND[array.dtype.kind]
        return Tensor(name, datatype, array.shape, cells.astype(NUMBERS.get(datatype, "bool")))
    texts = [cell if isinstance(cell, str) else plain_json(cell) for cell in cells.tolist()]
    return Tensor(name, "BYTES", array.shape, texts)


def written(tensor: Tensor, parameters: Mapping[str, Any], binary: bool) -> tuple[dict[str, Any], bytes]:
    """An output as it stands in the answer, and its bytes behind that, if it is to have any."""
    told: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape), "datatype": tensor.datatype}
    if not binary:
        return told | ({"parameters": dict(parameters)} if parameters else {}) | {"data": tensor.cells}, b""
    content = _packed(tensor)
    return told | {"parameters": {**parameters, "binary_data_size": len(content)}}, content


def _packed(tensor: Tensor) -> bytes:
    if isinstance(tensor.cells, np.ndarray):
        return tensor.cells.tobytes()
    texts = [cell.encode() for cell in tensor.cells]
    return b"".join(chain.from_iterable((LENGTH.pack(len(text)), text) for text in texts))
