"""A row read by itself has the cells that a table of it has, or is left to the table."""

import math

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.errors import InvalidRows
from server.schema import Column, Kind, Schema
from server.schema.cells import RowReader, Unusual

KINDS = [Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT, Kind.ANY]
TEXTS = (
    st.text(max_size=6)
    | st.floats().map(repr)
    | st.from_regex(r"\s?[+-]?[0-9]{0,18}[.]?[0-9]{0,5}([eE][+-]?[0-9]{1,3})?\s?", fullmatch=True)
    | st.sampled_from(["true", "False", " 1 ", "0", "nan", "inf", "-inf", "NA", "1_000", "0x10", "١", "", "  ", "-0"])
)
CELLS = TEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)


def through_table(kind, cell):
    features = Schema((Column("a", kind),)).parse_features(pd.DataFrame({"a": [cell]}))
    value = features["a"].iloc[0]
    return None if value != value else value


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(KINDS), CELLS)
@example(Kind.NUMBER, "-0")
@example(Kind.NUMBER, "1e400")
@example(Kind.ANY, "1e400")
@example(Kind.TEXT, " ")
def test_a_cell_is_read_as_a_table_reads_it(kind, cell):
    try:
        found = RowReader(Schema((Column("a", kind),))).read([{"a": cell}])[0][0]
    except Unusual:
        return
    expected = through_table(kind, cell)
    assert found == expected
    assert type(found) is type(expected) or (isinstance(found, float) and math.isclose(found, float(expected)))
    assert not isinstance(found, float) or math.copysign(1, found) == math.copysign(1, expected)


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        (Kind.NUMBER, "7.25", 7.25),
        (Kind.NUMBER, "0.30000000000000004", 0.30000000000000004),
        # Python reads 3e30; pandas has always read its neighbour.
        (Kind.NUMBER, "+3E30", 3.0000000000000003e30),
        (Kind.INTEGER, 3, 3.0),
        (Kind.NUMBER, "", None),
        (Kind.BOOLEAN, "TRUE", 1.0),
        (Kind.TEXT, "male", "male"),
        (Kind.TEXT, None, None),
        (Kind.ANY, "12", 12.0),
        (Kind.ANY, "S", "S"),
    ],
)
def test_the_usual_cells_need_no_table(kind, cell, expected):
    assert RowReader(Schema((Column("a", kind),))).read([{"a": cell}]) == [[expected]]


@pytest.mark.parametrize("cell", ["abc", "inf", "nan", True, [1], 2**60])
def test_what_is_no_plain_number_is_left_to_the_table(cell):
    with pytest.raises(Unusual):
        RowReader(Schema((Column("a", Kind.NUMBER),))).read([{"a": cell}])


def test_a_missing_column_is_left_to_the_table_which_names_it():
    schema = Schema((Column("a", Kind.NUMBER), Column("b", Kind.NUMBER)))
    with pytest.raises(Unusual):
        RowReader(schema).read([{"a": 1}])
    with pytest.raises(InvalidRows, match="'b'"):
        schema.parse_features(pd.DataFrame({"a": [1]}))


def test_columns_that_all_rows_decide_on_are_read_for_one_row_only():
    reader = RowReader(Schema((Column("a", Kind.ANY),)))
    assert reader.read([{"a": "1"}]) == [[1.0]]
    with pytest.raises(Unusual):
        reader.read([{"a": "1"}, {"a": "S"}])


@pytest.mark.parametrize(
    "schema", [Schema(()), Schema((Column("a", Kind.DATETIME),)), Schema((), index=Column("t", Kind.DATETIME))]
)
def test_a_schema_that_needs_more_than_cells_is_not_read_row_by_row(schema):
    with pytest.raises(Unusual):
        RowReader(schema)
