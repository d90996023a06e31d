"""JSON in which NaN stands for null."""

import time

import pytest

from server.errors import BadRequest
from server.tables.foreign_json import read_foreign_json


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"[NaN, 1]", [None, 1]),
        (b'{"NaN": NaN}', {"NaN": None}),
        (rb'["a \" NaN", NaN]', ['a " NaN', None]),
        (rb'["\\", NaN, "\\\"NaN"]', ["\\", None, '\\"NaN']),
    ],
)
def test_nan_is_null_outside_of_texts(content, value):
    assert read_foreign_json(content, "x") == value


@pytest.mark.parametrize("content", [b'[NaN, "NaN]', b'[NaN, "', b'[NaN, "\\', b"[NaN"])
def test_what_lacks_its_end_is_400(content):
    with pytest.raises(BadRequest, match="x is not valid JSON"):
        read_foreign_json(content, "x")


@pytest.mark.parametrize("before", [b'NaN"', b'"NaN'])
def test_a_text_without_end_takes_time_in_proportion(before):
    started = time.process_time()
    with pytest.raises(BadRequest):
        read_foreign_json(before + b'\\"' * 50_000, "x")
    # A hundredth of a second; a minute where each quote began a text of its own.
    assert time.process_time() - started < 10
