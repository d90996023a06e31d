"""Tensors of the Open Inference Protocol: JSON and bytes, read and written."""

import struct

import numpy as np
import pytest

from server.errors import BadRequest
from server.tables.foreign_json import read_foreign_json
from server.tables.inference_request import read_inference
from server.tables.tensors import tensor_of, written
from server.tables.writing import to_json

DTYPES = {"INT8": "i1", "INT64": "i8", "UINT8": "u1", "UINT64": "u8", "FP16": "f2", "FP32": "f4", "FP64": "f8"}


def tensor(**parts):
    return {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.5, 2]} | parts


def read(inputs, blob=b"", **parts):
    content = to_json({"inputs": inputs, **parts})
    return read_inference(content + blob, str(len(content)), "predict", ("predict", "predict_proba"))


def of_bytes(datatype, blob, shape=(2,), size=None):
    entry = {"name": "x", "shape": shape, "datatype": datatype}
    return read([entry | {"parameters": {"binary_data_size": len(blob) if size is None else size}}], blob).inputs[0]


@pytest.mark.parametrize("datatype", DTYPES)
def test_numbers_come_as_bytes_and_as_json(datatype):
    cells = np.array([[1, 2], [3, 4]], dtype="<" + DTYPES[datatype])
    assert of_bytes(datatype, cells.tobytes(), [2, 2]).cells.tolist() == [1, 2, 3, 4]
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        found = read([tensor(datatype=datatype, shape=[2, 2], data=data)]).inputs[0]
        assert [list(column) for column in found.columns()] == [[1, 3], [2, 4]]


def test_texts_and_truth_values_come_as_bytes():
    blob = b"".join(struct.pack("<I", len(text)) + text for text in (b"", "größe\n".encode()))
    assert of_bytes("BYTES", blob).cells == ["", "größe\n"]
    assert of_bytes("BOOL", b"\x00\x01").cells.tolist() == [False, True]


def test_several_inputs_lie_one_after_another():
    entries = [
        {"name": name, "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}} for name in ("a", "b")
    ]
    entries.insert(1, tensor())
    found = read(entries, struct.pack("<dd", 1, 2)).inputs
    assert [list(one.cells) for one in found] == [[1.0], [1.5, 2], [2.0]]


@pytest.mark.parametrize(
    ("datatype", "blob", "said"),
    [
        ("FP64", b"\x00" * 15, "15 bytes; 2 elements of FP64 have 16"),
        ("BOOL", b"\x00\x02", "0 or 1"),
        ("BYTES", b"\x01\x00\x00\x00a", "not 2 elements"),
        ("BYTES", b"\x01\x00\x00\x00a" * 3, "not 2 elements"),
        ("BYTES", b"\xff\xff\xff\xffa", "not 2 elements"),
        ("BYTES", b"\x01\x00", "not 2 elements"),
        ("BYTES", b"\x01\x00\x00\x00\xff" * 2, "not UTF-8"),
    ],
)
def test_bytes_that_are_not_what_they_should_be_are_refused(datatype, blob, said):
    with pytest.raises(BadRequest, match=said):
        of_bytes(datatype, blob)


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        (None, "/inputs"),
        ([], "/inputs"),
        ([1], "/inputs/0"),
        ([tensor(name="")], "/inputs/0/name"),
        ([tensor(), tensor(datatype="BF16")], "/inputs/1/datatype"),
        ([tensor(shape=[2, 1, 1])], "/inputs/0/shape"),
        ([tensor(shape=[-1])], "/inputs/0/shape"),
        ([tensor(shape=[True, 2])], "/inputs/0/shape"),
        ([tensor(shape=[3])], "/inputs/0/data"),
        ([tensor(shape=[10**15])], "/inputs/0/data"),
        ([tensor(data=None)], "/inputs/0/data"),
        ([{"name": "x", "shape": [1], "datatype": "FP64"}], "/inputs/0/data"),
        ([tensor(shape=[2, 2], data=[[1, 2, 3], [4]])], "/inputs/0/data"),
        ([tensor(data=[1, "2"])], "/inputs/0/data/1"),
        ([tensor(data=[1, [2]])], "/inputs/0/data/1"),
        ([tensor(datatype="INT64", data=[1, 2.0])], "/inputs/0/data/1"),
        ([tensor(datatype="INT8", data=[1, 128])], "/inputs/0/data/1"),
        ([tensor(datatype="UINT8", data=[-1, 1])], "/inputs/0/data/0"),
        ([tensor(datatype="BOOL", data=[True, 1])], "/inputs/0/data/1"),
        ([tensor(datatype="BYTES", data=["1", 1])], "/inputs/0/data/1"),
        ([tensor(dat=[1])], "/inputs/0/dat"),
        ([tensor(parameters=[])], "/inputs/0/parameters"),
        ([tensor(parameters={"shared_memory_region": "a"})], "/inputs/0/parameters/shared_memory_region"),
        ([tensor(parameters={"content_type": "base64"})], "/inputs/0/parameters/content_type"),
        ([tensor(parameters={"binary_data_size": 16})], "/inputs/0/data"),
    ],
)
def test_wrong_inputs_are_pointed_at(inputs, pointer):
    with pytest.raises(BadRequest) as refused:
        read(inputs)
    assert refused.value.problems[0].pointer == pointer


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({"id": 1}, "/id"),
        ({"output": []}, "/output"),
        ({"outputs": {}}, "/outputs"),
        ({"outputs": [{"name": "predict_probs"}]}, "/outputs/0/name"),
        ({"outputs": [{"name": "predict"}] * 2}, "/outputs/1/name"),
        (
            {"outputs": [{"name": "predict", "parameters": {"classification": 2}}]},
            "/outputs/0/parameters/classification",
        ),
        ({"parameters": {"binary_data_output": 1}}, "/parameters/binary_data_output"),
        ({"parameters": {"sequence_id": 1}}, "/parameters/sequence_id"),
    ],
)
def test_what_else_is_wrong_is_pointed_at(parts, pointer):
    with pytest.raises(BadRequest) as refused:
        read([tensor()], **parts)
    assert refused.value.problems[0].pointer == pointer


@pytest.mark.parametrize("length", ["", "-1", "1e3", "٣", "99999", "9" * 40])
def test_the_length_of_the_json_must_be_one(length):
    with pytest.raises(BadRequest, match="Inference-Header-Content-Length"):
        read_inference(to_json({"inputs": [tensor()]}), length, "predict", ())


@pytest.mark.parametrize("size", [-1, 17, "16", True])
def test_bytes_must_be_there(size):
    with pytest.raises(BadRequest, match="16 are left"):
        of_bytes("FP64", b"\x00" * 16, size=size)


def test_bytes_that_nobody_asked_for_are_refused():
    with pytest.raises(BadRequest, match="1 bytes are left"):
        read([tensor()], b"x")


@pytest.mark.parametrize(
    ("values", "datatype", "cells"),
    [
        (np.array([1, 2], dtype=np.int32), "INT64", [1, 2]),
        ([1.5, 2.0], "FP64", [1.5, 2.0]),
        (np.array([True, False]), "BOOL", [True, False]),
        (np.array(["a", "ü"], dtype=object), "BYTES", ["a", "ü"]),
        (np.array([1, 0], dtype=object), "INT64", [1, 0]),
        (np.array([True, False], dtype=object), "BOOL", [True, False]),
        (np.array(["a", None, 1], dtype=object), "BYTES", ["a", "null", "1"]),
        ([[1.0, 2.0], [3.0, 4.0]], "FP64", [1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_predictions_keep_their_type(values, datatype, cells):
    found = tensor_of("predict", values)
    assert (found.datatype, list(found.cells), found.shape) == (datatype, cells, np.shape(values))


def test_what_is_written_as_bytes_is_read_again():
    for values in ([1, 2], [1.5, np.nan], [True, False], ["a", "größe"]):
        made = tensor_of("x", values)
        told, blob = written(made, {"classes": "[]"}, binary=True)
        del told["parameters"]["classes"]
        np.testing.assert_array_equal(read([told], blob).inputs[0].cells, made.cells)


def test_nan_is_missing_and_in_a_text_it_is_text():
    assert read_foreign_json(b'[NaN, "NaN", "\\"NaN\\\\", NaN]', "it") == [None, "NaN", '"NaN\\', None]
    for text in (b"[Infinity]", b"[-NaN]", b'{"a": NaN', b"[NaNa]", b"\xff"):
        with pytest.raises(BadRequest):
            read_foreign_json(text, "it")
