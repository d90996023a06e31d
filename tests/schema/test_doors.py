"""The same row through every door: CSV, JSON, JSON lines, XLSX and Parquet give the same features."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.config import Limits
from server.schema import Column, Kind, Schema
from server.schema.columns import conform
from server.tables.formats import Upload
from server.tables.reading import read_upload
from server.tables.text_formats import MISSING
from server.tables.writing import write_table

pytestmark = pytest.mark.slow

DOORS = ("csv", "json", "jsonl", "xlsx", "parquet")
EXACT = ("csv", "json", "jsonl", "parquet")  # a spreadsheet's numbers are floats
# A spreadsheet that ends in empty rows has fewer rows, so every row has an `i`.
KINDS = {"i": Kind.INTEGER, "n": Kind.INTEGER, "x": Kind.NUMBER, "b": Kind.BOOLEAN, "t": Kind.TEXT, "d": Kind.DATETIME}
COLUMNS = tuple(Column(name, kind) for name, kind in KINDS.items())
WORDS = st.text(st.sampled_from("abcXYZ019 .,;:'\"-+=_/\\\n\t|{}[]<>&éß漢😀"), min_size=1, max_size=8).filter(
    lambda text: text not in MISSING and text.strip()
)
MOMENTS = st.datetimes(pd.Timestamp("1950-01-01"), pd.Timestamp("2090-01-01")).map(lambda t: t.replace(microsecond=0))
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9).map(float)


def rows_of(integers, floats):
    cells = [integers, floats, st.booleans(), WORDS, MOMENTS]
    return st.lists(st.tuples(st.integers(-9, 9), *(st.none() | cell for cell in cells)), min_size=1, max_size=6)


def frame_of(rows):
    cells = dict(zip(KINDS, zip(*rows, strict=True), strict=True))
    types = {"i": "Int64", "n": "Int64", "x": "float64", "b": "boolean", "t": "str", "d": "datetime64[us]"}
    return pd.DataFrame({name: pd.Series(list(values), dtype=types[name]) for name, values in cells.items()})


def through(frame, door):
    return read_upload(Upload(write_table(frame, door), f"rows.{door}"), Limits(), text_columns=["t"])


def assert_same_features(frame, doors):
    schema = Schema(COLUMNS)
    expected = schema.parse_features(frame)
    for door in doors:
        pd.testing.assert_frame_equal(schema.parse_features(through(frame, door)), expected, obj=door, check_exact=True)


@settings(max_examples=25, deadline=None)
@given(rows_of(INTEGERS, FLOATS))
def test_a_row_has_the_same_features_through_every_exact_door(rows):
    assert_same_features(frame_of(rows), EXACT)


@settings(max_examples=25, deadline=None)
@given(rows_of(st.integers(-(10**15), 10**15), st.decimals(-(10**9), 10**9, places=3).map(float)))
def test_a_row_has_the_same_features_through_a_spreadsheet(rows):
    assert_same_features(frame_of(rows), ["xlsx"])


@settings(max_examples=25, deadline=None)
@given(rows_of(INTEGERS, FLOATS))
def test_a_row_is_stored_alike_through_every_exact_door(rows):
    frame = frame_of(rows)
    expected = conform(frame, COLUMNS)
    for door in EXACT:
        found = conform(through(frame, door), COLUMNS)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, obj=door)
        assert [str(kind) for kind in found.dtypes[:5]] == ["Int64", "Int64", "float64", "boolean", "str"], door


@settings(max_examples=25, deadline=None)
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6))
def test_the_cells_of_a_single_column_keep_their_number_and_order(cells):
    frame = pd.DataFrame({"n": pd.Series(cells, dtype="Int64")})
    for door in EXACT:
        found = conform(through(frame, door), [Column("n", Kind.INTEGER)])["n"]
        assert [None if cell is pd.NA else cell for cell in found] == cells, door


@pytest.mark.parametrize("door", DOORS)
def test_a_column_name_may_hold_anything(door):
    names = ["a b", "ü", "=1", "q\"'", "x,y;z", "1", "漢", "new\nline"]
    frame = pd.DataFrame([range(len(names))], columns=names)
    found = through(frame, door)
    assert list(found.columns) == names
    assert found.iloc[0].tolist() == list(range(len(names)))


@pytest.mark.parametrize("door", DOORS)
def test_a_form_sends_text_and_means_the_same(door):
    frame = frame_of([(1, 3, 2.5, True, "007", None), (2, None, None, None, None, None)])
    form = pd.DataFrame(
        {"i": ["1", "2"], "n": ["3", ""], "x": ["2.5", ""], "b": ["true", ""], "t": ["007", ""], "d": ["", ""]}
    )
    schema = Schema(COLUMNS)
    pd.testing.assert_frame_equal(schema.parse_features(through(frame, door)), schema.parse_features(form))


def test_text_that_looks_like_a_number_stays_text_where_the_schema_says_so():
    frame = pd.DataFrame({"t": ["007", "1.50", "true"]})
    for door in DOORS:
        assert through(frame, door)["t"].tolist() == ["007", "1.50", "true"], door


def test_features_are_floats_and_plain_text_never_extension_types():
    found = Schema(COLUMNS).parse_features(frame_of([(1, 1, 1.0, True, "a", None)]))
    assert [found[name].dtype for name in "inxb"] == [np.float64] * 4
