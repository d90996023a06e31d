"""Rows as bytes in every format, and back."""

import datetime as dt
import zipfile
from io import BytesIO

import numpy as np
import orjson
import pandas as pd
import pytest

from server.config import Limits
from server.tables.formats import Upload
from server.tables.reading import read_upload
from server.tables.writing import CONTENT_TYPES, WRITERS, to_json, write_table

pytestmark = pytest.mark.slow

LIMITS = Limits()
FRAME = pd.DataFrame(
    {
        "i": pd.Series([1, None, 3], dtype="Int64"),
        "x": [0.5, None, -2.25],
        "b": pd.Series([True, None, False], dtype="boolean"),
        "t": ["a,\"b'\n", None, "é漢😀"],
        "full": [1, 2, 3],
    }
)
READABLE = ("csv", "json", "jsonl", "xlsx", "parquet")


def back(frame, name):
    return read_upload(Upload(write_table(frame, name), f"x.{name}"), LIMITS)


def test_every_format_has_a_content_type_and_a_writer():
    assert WRITERS.keys() == CONTENT_TYPES.keys() == {*READABLE, "h5"}


@pytest.mark.parametrize("name", READABLE)
def test_every_format_comes_back_as_it_went(name):
    pd.testing.assert_frame_equal(back(FRAME, name), FRAME)


def test_hdf5_is_read_by_pandas(tmp_path):
    (tmp_path / "x.h5").write_bytes(write_table(FRAME[["x", "t", "full"]], "h5"))
    found = pd.read_hdf(tmp_path / "x.h5", "data")
    pd.testing.assert_frame_equal(found, FRAME[["x", "t", "full"]], check_dtype=False)


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series([True, None], dtype="boolean"),
        pd.Series([None, None], dtype="str"),
        pd.Series([2**53 + 1, None], dtype="Int64"),
        pd.Series([[1], [2, 3]]),
        pd.Series(pd.to_datetime(["2020-01-02", None])),
        pd.Series(pd.to_datetime(["2020-01-02", None], utc=True)),
        pd.Series(["x" * 5000, None], dtype="str"),
        pd.Series([], dtype="float64"),
    ],
)
@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_column_can_be_written(name, cells):
    content = write_table(pd.DataFrame({"id": range(len(cells)), "a": cells}), name)
    assert len(content) > 0 or name == "jsonl"


@pytest.mark.parametrize("name", READABLE)
def test_no_rows_keep_their_columns_where_the_format_can(name):
    found = back(pd.DataFrame({"a": pd.Series(dtype="float64"), "b": pd.Series(dtype="str")}), name)
    assert len(found) == 0
    if not name.startswith("json"):
        assert list(found.columns) == ["a", "b"]


@pytest.mark.parametrize("name", READABLE)
def test_a_single_column_keeps_its_gaps(name):
    frame = pd.DataFrame({"a": pd.Series([1, None, 3], dtype="Int64")})
    pd.testing.assert_frame_equal(back(frame, name), frame)


@pytest.mark.parametrize("text", ["NA", "null", "None", "nan", "N/A"])
@pytest.mark.parametrize("name", ["json", "jsonl", "xlsx", "parquet"])
def test_text_that_only_a_csv_takes_for_a_gap_stays_text(name, text):
    assert back(pd.DataFrame({"a": [text, "x"]}), name)["a"].tolist() == [text, "x"]


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("number", [0.1 + 0.2, 1e300, 5e-324, 1 / 3, 1.7976931348623157e308])
def test_every_digit_of_a_number_is_written(name, number):
    assert back(pd.DataFrame({"a": [number, 0.5]}), name)["a"].tolist() == [number, 0.5]


@pytest.mark.parametrize("text", ["=1+1", "=HYPERLINK('x')", "+1", "-1", "@a", "#N/A", "007", "TRUE", "1e5"])
def test_text_in_a_workbook_stays_text(text):
    content = write_table(pd.DataFrame({text: [text]}), "xlsx")
    assert b"<f>" not in zipfile.ZipFile(BytesIO(content)).read("xl/worksheets/sheet1.xml")
    assert back(pd.DataFrame({"a": [text]}), "xlsx")["a"].tolist() == [text]


def test_letters_that_xml_cannot_hold_are_left_out():
    assert back(pd.DataFrame({"a": ["x\x00\x08y"]}), "xlsx")["a"].tolist() == ["xy"]


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, None, pd.NA, pd.NaT, np.float32("nan"), np.datetime64("NaT")]
)
def test_what_json_cannot_hold_is_null(value):
    assert to_json(value) == b"null"
    assert to_json({"a": [value, 1]}) == b'{"a":[null,1]}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int64(3), b"3"),
        (np.float32(0.5), b"0.5"),
        (np.float16(0.5), b"0.5"),
        (np.bool_(True), b"true"),
        (np.array([1.5, np.nan]), b"[1.5,null]"),
        (np.array(["NaT", "2020-01-02"], "datetime64[ns]"), b'[null,"2020-01-02T00:00:00"]'),
        (np.array(["a", "b"]), b'["a","b"]'),
        (np.array([[1, 2]], order="F").T, b"[[1],[2]]"),
        (np.str_("a"), b'"a"'),
        (pd.Timestamp("2020-01-02"), b'"2020-01-02T00:00:00"'),
        (dt.date(2020, 1, 2), b'"2020-01-02"'),
        ((1, 2), b"[1,2]"),
    ],
)
def test_plain_and_numpy_values_become_json(value, text):
    found = to_json(value)
    assert found == text
    orjson.loads(found)


@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_json_never_holds_nan_or_infinity(name):
    frame = pd.DataFrame({"a": [np.nan, np.inf, -np.inf], "b": [[np.nan], [np.inf], []]})
    text = write_table(frame, name).decode()
    assert "nan" not in text.lower()
    assert "inf" not in text.lower()
    assert text.count("null") == 5


def test_a_moment_is_written_alike_in_json_and_csv():
    frame = pd.DataFrame({"a": pd.to_datetime(["2020-01-02T03:04:05"]), "b": ["x"]})
    assert orjson.loads(write_table(frame, "json")) == [{"a": "2020-01-02T03:04:05", "b": "x"}]
    assert b"2020-01-02T03:04:05" in write_table(frame, "csv")


def test_lists_are_json_text_where_cells_are_plain():
    found = back(pd.DataFrame({"a": [[1, 2], []], "b": [1, 2]}), "csv")
    assert found["a"].tolist() == ["[1,2]", "[]"]
