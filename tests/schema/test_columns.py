"""Columns by name and kind; features, targets and stored rows through them."""

import contextlib

import numpy as np
import orjson
import pandas as pd
import pytest

from server.errors import InvalidRows, SchemaConflict
from server.schema import Column, Kind, Schema, kind_of
from server.schema.columns import MAX_CATEGORIES, conform

FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "x": [0.5, None, 2.5],
        "b": [True, False, True],
        "t": ["a", None, "b"],
        "d": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"]),
        "l": [[1], [], [2]],
    }
)
KINDS = [Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT, Kind.DATETIME, Kind.NESTED]
SCHEMA = Schema((Column("Age", Kind.NUMBER), Column("Sex", Kind.TEXT)), Column("Survived", Kind.INTEGER))


def test_the_kind_of_a_column_is_what_it_holds():
    assert [kind_of(FRAME[name]) for name in FRAME.columns] == KINDS
    assert kind_of(FRAME["n"].astype("Int64")) is Kind.INTEGER
    assert kind_of(FRAME["b"].astype("boolean")) is Kind.BOOLEAN


@pytest.mark.parametrize("categorical", [False, True])
def test_a_schema_survives_json(categorical):
    columns = tuple(Column.of(name, FRAME[name], categorical) for name in FRAME.columns)
    for schema in (Schema(columns, Column.of("n", FRAME["n"], True)), Schema(columns, positional=True)):
        assert Schema.from_dict(schema.to_dict()) == schema
        assert Schema.from_dict(orjson.loads(orjson.dumps(schema.to_dict()))) == schema


def test_a_column_remembers_range_gaps_and_categories():
    assert Column.of("x", FRAME["x"]) == Column("x", Kind.NUMBER, True, None, 0.5, 2.5)
    assert Column.of("n", FRAME["n"], True) == Column("n", Kind.INTEGER, False, (1, 2, 3), 1.0, 3.0)
    assert Column.of("t", FRAME["t"], True).categories == ("a", "b")


def test_a_column_without_a_value_has_no_range():
    assert Column.of("x", pd.Series([np.nan])) == Column("x", Kind.NUMBER, True)


def test_too_many_categories_are_not_listed():
    assert Column.of("n", pd.Series(range(MAX_CATEGORIES + 1)), True).categories is None


def test_features_come_in_the_order_of_training_without_other_columns():
    found = SCHEMA.parse_features(pd.DataFrame({"other": [0], "Sex": ["male"], "Age": ["22"]}, index=[7]))
    assert found.to_dict("split") == {"index": [0], "columns": ["Age", "Sex"], "data": [[22.0, "male"]]}
    assert [str(dtype) for dtype in found.dtypes] == ["float64", "object"]


@pytest.mark.parametrize(
    ("rows", "pointer", "words"),
    [
        ({"Age": [1, "x"], "Sex": ["a", "b"]}, "/1/Age", ("row 2", "Age", "'x'")),
        ({"Age": [np.inf, 1.0], "Sex": ["a", "b"]}, "/0/Age", ("row 1", "Age", "finite")),
        ({"Age": [1, 2]}, "/Sex", ("'Sex'", "missing")),
        ({"Age": [1, 2], "sex": ["a", "b"]}, "/Sex", ("'Sex'", "missing", "'sex'")),
    ],
)
def test_a_wrong_cell_or_column_is_named(rows, pointer, words):
    with pytest.raises(InvalidRows) as caught:
        SCHEMA.parse_features(pd.DataFrame(rows))
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    assert all(word in caught.value.detail for word in words)


def test_a_pointer_escapes_the_name():
    with pytest.raises(InvalidRows) as caught:
        Schema((Column("a/b~c", Kind.NUMBER),)).parse_features(pd.DataFrame({"a/b~c": ["x"]}))
    assert caught.value.problems[0].pointer == "/0/a~1b~0c"
    assert "row 1" in caught.value.detail


def test_a_positional_schema_takes_any_names_in_the_right_number():
    schema = Schema((Column("0", Kind.NUMBER), Column("1", Kind.NUMBER)), positional=True)
    assert schema.parse_features(pd.DataFrame({"a": [1], "b": [2]})).to_numpy().tolist() == [[1.0, 2.0]]
    for odd in ({"a": [1]}, {"0": [1], "b": [2]}):
        with pytest.raises(InvalidRows, match="unnamed columns"):
            schema.parse_features(pd.DataFrame(odd))


@pytest.mark.parametrize(
    ("kind", "cells", "expected", "dtype"),
    [
        (Kind.INTEGER, ["0", "1"], [0, 1], "int64"),
        (Kind.BOOLEAN, ["true", "0"], [True, False], "bool"),
        (Kind.NUMBER, [1, 2], [1.0, 2.0], "float64"),
        (Kind.TEXT, [1, 2], ["1", "2"], "object"),
    ],
)
def test_a_target_has_the_type_that_is_answered(kind, cells, expected, dtype):
    found = Schema((), Column("y", kind)).parse_target(pd.DataFrame({"y": cells}))
    assert (found.tolist(), found.dtype) == (expected, dtype)


@pytest.mark.parametrize(
    ("kind", "gap"),
    [(kind, gap) for kind in (Kind.INTEGER, Kind.BOOLEAN, Kind.NUMBER) for gap in (None, "", " ")]
    + [(Kind.TEXT, None), (Kind.TEXT, "")],
)
def test_a_missing_target_is_named_and_never_guessed(kind, gap):
    schema = Schema((), Column("y", kind))
    with pytest.raises(InvalidRows, match=r"row 2.*y"):
        schema.parse_target(pd.DataFrame({"y": ["1", gap]}, dtype=object))


def test_a_target_that_is_not_whole_is_not_rounded():
    with contextlib.suppress(InvalidRows):
        assert SCHEMA.parse_target(pd.DataFrame({"Survived": [0.5]})).tolist() == [0.5]


def test_a_missing_target_column_is_named_with_the_nearest():
    with pytest.raises(InvalidRows, match=r"'Survived' is missing.*'survived'"):
        SCHEMA.parse_target(pd.DataFrame({"survived": [1]}))


STORED = [Column("n", Kind.INTEGER), Column("t", Kind.TEXT)]


@pytest.mark.parametrize(
    "rows",
    [
        {"n": [2**53 + 1, None], "t": ["a", None]},
        {"t": ["a", None], "n": [str(2**53 + 1), None]},
        {"n": [str(2**53 + 1), ""], "t": ["a", ""]},
    ],
)
def test_appended_rows_take_the_stored_order_and_types_exactly(rows):
    found = conform(pd.DataFrame(rows, dtype=object), STORED)
    assert list(found.columns) == ["n", "t"]
    assert [str(dtype) for dtype in found.dtypes] == ["Int64", "str"]
    assert found["n"][0] == 2**53 + 1
    assert found.iloc[1].isna().all()


@pytest.mark.parametrize(
    ("rows", "pointer"),
    [
        ({"n": [1]}, "/t"),
        ({"n": [1], "t": ["a"], "extra": [1]}, "/extra"),
        ({"n": ["x"], "t": ["a"]}, "/0/n"),
        ({"n": [0.5], "t": ["a"]}, "/0/n"),
        ({"n": [2.0**63], "t": ["a"]}, "/0/n"),
        ({"n": ["99999999999999999999"], "t": ["a"]}, "/0/n"),
    ],
)
def test_rows_that_do_not_fit_are_a_conflict_that_names_the_place(rows, pointer):
    with pytest.raises(SchemaConflict) as caught:
        conform(pd.DataFrame(rows), STORED)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_at_most_twenty_problems_are_listed():
    with pytest.raises(SchemaConflict) as caught:
        conform(pd.DataFrame({f"c{index}": [1] for index in range(50)}), STORED)
    assert len(caught.value.problems) == 20
