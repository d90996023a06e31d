"""Cells of every kind, as an estimator takes them and as they are stored."""

import numpy as np
import pandas as pd
import pytest

from server.schema.conversion import FOR_ESTIMATOR, FOR_STORAGE, Kind, WrongCells

NAN = np.nan


def cells(*values, dtype=None):
    return pd.Series(list(values), dtype=dtype)


def converted(kind, values):
    found = FOR_ESTIMATOR[kind](values)
    return [None if isinstance(cell, float) and np.isnan(cell) else cell for cell in found.tolist()]


@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.NUMBER])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (cells(1, 2), [1.0, 2.0]),
        (cells(1.5, None), [1.5, None]),
        (cells(1, None, dtype="Int64"), [1.0, None]),
        (cells("1", " 2.5 ", "1e3", "-4"), [1.0, 2.5, 1000.0, -4.0]),
        (cells("1", "", "  ", None), [1.0, None, None, None]),
        (cells("1", None, dtype="str"), [1.0, None]),
        (cells(None, None), [None, None]),
        (cells(True, False), [1.0, 0.0]),
        (cells(1, "2", 3.5, None, dtype=object), [1.0, 2.0, 3.5, None]),
        (cells(dtype="float64"), []),
    ],
)
def test_numbers(kind, given, expected):
    found = FOR_ESTIMATOR[kind](given)
    assert found.dtype == np.float64
    assert converted(kind, given) == expected


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        (cells("1", "x"), [1]),
        (cells("1", "1,5", "2", "--"), [1, 3]),
        (cells(1.0, np.inf), [1]),
        (cells("-inf", "2"), [0]),
        (cells("Infinity"), [0]),
        (cells("1e999"), [0]),
        (cells([1], {"a": 1}, dtype=object), [0, 1]),
    ],
)
def test_what_is_no_finite_number_is_named_by_row(given, rows):
    with pytest.raises(WrongCells) as caught:
        FOR_ESTIMATOR[Kind.NUMBER](given)
    assert caught.value.rows.tolist() == rows


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (cells(True, False), [1.0, 0.0]),
        (cells(True, None, dtype="boolean"), [1.0, None]),
        (cells(1, 0), [1.0, 0.0]),
        (cells(1.0, NAN), [1.0, None]),
        (cells("true", "False", "TRUE", "1", "0"), [1.0, 0.0, 1.0, 1.0, 0.0]),
        (cells(" true ", "", None), [1.0, None, None]),
        (cells(True, "false", 1, dtype=object), [1.0, 0.0, 1.0]),
    ],
)
def test_booleans(given, expected):
    assert converted(Kind.BOOLEAN, given) == expected


@pytest.mark.parametrize("given", [cells(2), cells(0.5), cells("yes"), cells("2"), cells(np.inf)])
def test_what_is_neither_true_nor_false_is_refused(given):
    with pytest.raises(WrongCells, match="true or false"):
        FOR_ESTIMATOR[Kind.BOOLEAN](given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (cells("a", ""), ["a", None]),
        (cells("a", None, dtype="str"), ["a", None]),
        (cells("", "b", dtype=object), [None, "b"]),
        (cells(1, 2), ["1", "2"]),
        (cells(3.0, 2.5, None), ["3", "2.5", None]),
        (cells(3, None, dtype="Int64"), ["3", None]),
        (cells(2**53 + 1, None, dtype="Int64"), [str(2**53 + 1), None]),
        (cells(True, False), ["True", "False"]),
        (cells(pd.Timestamp("2020-01-02"), pd.NaT), ["2020-01-02", None]),
        (cells(pd.Timestamp("2020-01-02 03:04:05")), ["2020-01-02T03:04:05"]),
    ],
)
def test_texts(given, expected):
    assert converted(Kind.TEXT, given) == expected


@pytest.mark.parametrize(
    "given",
    [
        cells("2020-01-02", ""),
        cells("2020-01-02T00:00:00", None),
        cells("2020-01-02T00:00:00Z", None),
        cells("2020-01-02T02:00:00+02:00", None),
        cells(pd.Timestamp("2020-01-02"), pd.NaT),
        cells(pd.Timestamp("2020-01-02", tz="UTC"), pd.NaT),
        cells(1577923200000, None),
        cells(1577923200000, None, dtype="Int64"),
        cells("1577923200000", None),
    ],
)
def test_one_moment_in_every_spelling_is_one_value(given):
    assert converted(Kind.DATETIME, given) == ["2020-01-02", None]
    stored = FOR_STORAGE[Kind.DATETIME](given)
    assert stored.dt.tz is None
    assert stored[0] == pd.Timestamp("2020-01-02")


@pytest.mark.parametrize("given", [cells("soon"), cells("2020-13-01"), cells(1e20), cells(10**18), cells(-(10**18))])
def test_what_is_no_moment_is_refused(given):
    with pytest.raises(WrongCells):
        FOR_STORAGE[Kind.DATETIME](given)


@pytest.mark.parametrize(
    ("given", "expected"), [(cells("1", "2"), [1.0, 2.0]), (cells("1", "x"), ["1", "x"]), (cells(1, None), [1.0, None])]
)
def test_any_is_numbers_where_every_cell_is_one(given, expected):
    assert converted(Kind.ANY, given) == expected


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_both_conversions_and_takes_no_rows(kind):
    assert len(FOR_ESTIMATOR[kind](cells(dtype=object))) == 0
    assert len(FOR_STORAGE[kind](cells(dtype=object))) == 0


@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT, Kind.DATETIME, Kind.ANY])
def test_a_column_of_nothing_but_missing_cells_fits_every_kind(kind):
    given = cells(None, None, dtype=object)
    assert pd.Series(FOR_ESTIMATOR[kind](given)).isna().all()
    assert pd.Series(FOR_STORAGE[kind](given)).isna().all()


@pytest.mark.parametrize(
    ("kind", "given", "dtype"),
    [
        (Kind.INTEGER, cells("1", None), "Int64"),
        (Kind.NUMBER, cells("1", None), "float64"),
        (Kind.BOOLEAN, cells("true", None), "boolean"),
        (Kind.TEXT, cells(1, 2), "str"),
    ],
)
def test_stored_types_do_not_depend_on_how_a_cell_came(kind, given, dtype):
    assert FOR_STORAGE[kind](given).dtype == dtype


BIG = 2**53 + 1


@pytest.mark.parametrize(
    "given",
    [
        cells(BIG),
        cells(BIG, None, dtype="Int64"),
        cells(str(BIG)),
        cells(str(BIG), None),
        cells(str(BIG), " "),
        cells(BIG, None, dtype=object),
    ],
)
def test_stored_integers_are_exact_above_what_a_float_holds(given):
    assert FOR_STORAGE[Kind.INTEGER](given)[0] == BIG


@pytest.mark.parametrize("extreme", [2**63 - 1, -(2**63)])
def test_the_ends_of_the_integers_are_stored_exactly(extreme):
    assert FOR_STORAGE[Kind.INTEGER](cells(extreme))[0] == extreme
    assert FOR_STORAGE[Kind.INTEGER](cells(str(extreme)))[0] == extreme


@pytest.mark.parametrize(
    "given", [cells(1.5), cells("1.5"), cells("x"), cells(2.0**63), cells(str(2**63)), cells(1e300), cells("1e300")]
)
def test_what_is_no_whole_number_in_range_is_not_stored(given):
    with pytest.raises(WrongCells):
        FOR_STORAGE[Kind.INTEGER](given)


@pytest.mark.parametrize("given", ["1e17", "100000000000000000.0"])
def test_a_large_whole_number_in_any_notation_is_stored(given):
    assert FOR_STORAGE[Kind.INTEGER](cells(given))[0] == 10**17
