"""The user's function of the rows: found, called with plain types, and held to one row for each row."""

import os

import pandas as pd
import pytest

from server.errors import InvalidRows, NotReady, TransformFailed
from server.schema import Column, Kind
from server.tables.transform import find_transform

ROWS = pd.DataFrame({"a": [3, 1, 2], "b": [0.5, 1.5, 2.5], "c": ["x", "y", "z"]})
COLUMNS = (Column("a", Kind.INTEGER), Column("b", Kind.NUMBER), Column("c", Kind.TEXT))
MODULE = "def double(data, factor=2):\n    return data.assign(a=data.a * factor)\n"


@pytest.fixture
def write(tmp_path):
    """Write a Python file below the configuration's folder."""

    def write(text, name="mymodule.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


@pytest.fixture
def run(tmp_path):
    """The transformed ROWS."""

    def run(text, rows=ROWS, aligned=True):
        return find_transform(text, tmp_path)(rows, COLUMNS, aligned=aligned)

    return run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mymodule.double", [6, 2, 4]),
        ("mymodule.double(data)", [6, 2, 4]),
        ("mymodule.double(data, factor=3)", [9, 3, 6]),
        ("pack.inner.double", [6, 2, 4]),
        ("data.assign(a=data.a * 2)", [6, 2, 4]),
        ("data.assign(a=np.square(data['a']))", [9, 1, 4]),
        ("pd.DataFrame({'a': data.a + 1})", [4, 2, 3]),
        ("numpy.abs(data[['a']])", [3, 1, 2]),
        ("(lambda rows: rows.head(9))(data)", [3, 1, 2]),
        ("[rows for rows in [data]][0]", [3, 1, 2]),
        ("  data  ", [3, 1, 2]),
    ],
)
def test_a_path_and_an_expression_find_the_same_functions(write, run, text, expected):
    write(MODULE)
    write(MODULE, "pack/inner.py")
    assert run(text)["a"].tolist() == expected


def test_a_function_of_an_installed_module(run):
    assert run("pandas.get_dummies").columns.tolist() == ["a", "b", "c_x", "c_y", "c_z"]


@pytest.mark.parametrize("text", ["pack.double", "pack.double(data)", "pack.inner.double(data)"])
def test_a_package_beside_the_configuration(write, run, text):
    write(MODULE, "pack/__init__.py")
    write(MODULE, "pack/inner.py")
    assert run(text)["a"].tolist() == [6, 2, 4]


def test_an_expression_may_name_a_submodule(run):
    assert run("data.assign(c=json.tool.__name__)")["c"].tolist() == ["json.tool"] * 3


def test_a_module_may_define_a_data_class(write, run):
    write(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Settings:\n    factor: int = 2\n"
        "def double(data):\n    return data.assign(a=data.a * Settings().factor)\n"
    )
    assert run("mymodule.double")["a"].tolist() == [6, 2, 4]


def test_a_module_may_import_another_one_beside_it(write, run):
    write("FACTOR = 5\n", "constants_beside.py")
    write("from constants_beside import FACTOR\ndef times(data):\n    return data.assign(a=data.a * FACTOR)\n")
    assert run("mymodule.times")["a"].tolist() == [15, 5, 10]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mymodle.double", ["no module 'mymodle'", "did you mean 'mymodule'"]),
        ("mymodule.duble", ["'mymodule' has no function 'duble'", "did you mean 'double'"]),
        ("mymodule.NUMBER", ["'mymodule' has no function 'NUMBER'"]),
        ("mymodule", ["names no function", "module.function"]),
        ("data.assign(", ["neither a module.function nor an expression", "'(' was never closed"]),
        ("import os", ["neither a module.function nor an expression"]),
        ("", ["neither a module.function nor an expression"]),
        ("nowhere(data)", ["no module 'nowhere'"]),
        ("broken.double", ["'broken' cannot be imported", "SyntaxError"]),
        ("raising.double", ["'raising' cannot be imported", "ZeroDivisionError"]),
        ("lacking.double", ["'lacking' cannot be imported", "absent_module"]),
    ],
)
def test_what_cannot_be_found_is_told(write, tmp_path, text, words):
    write("NUMBER = 1\n" + MODULE)
    write("def double(data:\n", "broken.py")
    write("1 / 0\n", "raising.py")
    write("import absent_module\n", "lacking.py")
    with pytest.raises(NotReady) as caught:
        find_transform(text, tmp_path)
    for word in words:
        assert word in caught.value.detail


def test_a_file_that_has_changed_is_read_anew(write, run, tmp_path):
    write(MODULE)
    before = find_transform("mymodule.double", tmp_path).digest()
    assert run("mymodule.double")["a"].tolist() == [6, 2, 4]
    # The same size, and within the same second.
    write(MODULE.replace("=2", "=7"))
    os.utime(tmp_path / "mymodule.py", ns=(1, 1))
    assert run("mymodule.double")["a"].tolist() == [21, 7, 14]
    assert find_transform("mymodule.double", tmp_path).digest() != before


def test_an_expression_has_no_file_and_no_checksum(tmp_path):
    assert find_transform("data.assign(z=1)", tmp_path).digest() is None


def test_a_function_that_returns_nothing_has_changed_its_argument(write, run):
    write("def change(data):\n    data['a'] = 0\n")
    assert run("mymodule.change")["a"].tolist() == [0, 0, 0]


def test_the_rows_given_are_never_changed(write, run):
    write(
        "def change(data):\n    data['a'] = 0\n    data.loc[0, 'b'] = 99.0\n    data.drop(columns='c', inplace=True)\n"
    )
    kept = ROWS.copy()
    run("mymodule.change")
    pd.testing.assert_frame_equal(ROWS, kept)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("data.a", "returned a Series, not a DataFrame"),
        ("[1, 2, 3]", "returned a list, not a DataFrame"),
        ("data.to_numpy()", "returned a ndarray, not a DataFrame"),
        ("data.iloc[1:]", "made 2 rows of 3"),
        ("pd.concat([data, data])", "made 6 rows of 3"),
        ("data.iloc[:0]", "made 0 rows of 3"),
        ("pd.concat([data, data], axis=1)", "column 'a' more than once"),
        ("data.assign(z=[object()] * 3)", "which holds something else than"),
        ("data.assign(z=1j)", "which holds something else than"),
        ("1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("data.nope", "failed: AttributeError"),
    ],
)
def test_what_is_no_table_of_the_same_rows_is_refused(run, result, words):
    with pytest.raises(TransformFailed) as caught:
        run(result)
    assert words in caught.value.detail
    assert "the transform " in caught.value.detail


@pytest.mark.parametrize(("text", "count"), [("data[data.a > 1]", 2), ("pd.concat([data, data])", 6)])
def test_rows_to_train_on_may_be_left_out_or_added(run, text, count):
    result = run(text, aligned=False)
    assert result.index.equals(pd.RangeIndex(count))


@pytest.mark.parametrize(
    "text",
    ["data.sort_values('a')", "data.sample(frac=1, random_state=3)", "data[::-1]", "data.sort_index(ascending=False)"],
)
def test_rows_in_another_order_find_their_places(run, text):
    pd.testing.assert_frame_equal(run(text), ROWS)


def test_an_index_of_the_users_own_is_no_row_number(run):
    rows = ROWS.assign(a=[2, 0, 1])
    assert run("data.set_index('a')", rows)["c"].tolist() == ["x", "y", "z"]


@pytest.mark.parametrize("text", ["data.loc[[0, 0, 1]]", "data.sample(frac=1, replace=True, random_state=1)"])
def test_a_row_that_stands_for_another_is_refused(run, text):
    with pytest.raises(TransformFailed):
        run(text)


def test_the_line_of_the_users_file_is_told(write, run):
    write(
        "def fail(data):\n    rows = data\n    return inner(rows)\n"
        "\ndef inner(rows):\n    raise ValueError('too small')\n"
    )
    with pytest.raises(TransformFailed, match=r"mymodule\.fail failed \(line 6\): ValueError: too small"):
        run("mymodule.fail")


def test_a_missing_column_is_named_with_the_nearest_one(run):
    with pytest.raises(InvalidRows) as caught:
        run("data.assign(z=data['b'] + data['a'])", ROWS.rename(columns={"b": "B1"}))
    assert "needs columns that are missing: 'b'" in caught.value.detail
    assert caught.value.problems[0].pointer == "/b"


def test_an_attribute_that_is_a_missing_column_is_told(run):
    with pytest.raises(TransformFailed, match="columns of the training data that were not sent: b"):
        run("data.assign(z=data.b)", ROWS.drop(columns="b"))


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS.astype({"a": "Int64", "b": "Float64"}),
        ROWS.astype({"a": "float64"}),
        ROWS.astype("str"),
        ROWS.astype(object),
    ],
    ids=["plain", "nullable", "floats", "texts", "objects"],
)
def test_the_function_sees_the_types_of_read_csv(write, run, rows):
    write("def types(data):\n    return data.assign(**{f'{n}_type': str(t) for n, t in data.dtypes.items()})\n")
    result = run("mymodule.types", rows)
    assert result.filter(like="_type").iloc[0].tolist() == ["int64", "float64", "str"]


def test_a_missing_integer_makes_floats_as_read_csv_does(run):
    result = run("data.assign(z=str(data['a'].dtype))", ROWS.astype({"a": "Int64"}).assign(a=[1, None, 3]))
    assert result["z"].tolist() == ["float64"] * 3
    assert result["a"].isna().tolist() == [False, True, False]


def test_a_cell_that_does_not_fit_is_named_before_the_function_runs(run):
    with pytest.raises(InvalidRows, match=r"row 2, a: 'many' is not a number"):
        run("1 / 0", ROWS.astype(object).assign(a=[1, "many", 3]))


def test_columns_come_in_the_order_of_training(run):
    assert run("data.iloc[:, [0]]", ROWS[["c", "b", "a"]]).columns.tolist() == ["a"]


def test_numbered_columns_become_text(run):
    assert run("data.rename(columns={'a': 1})").columns.tolist() == ["1", "b", "c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data.assign(z=data.c.astype('category'))", ["x", "y", "z"]),
        ("data.assign(z=pd.cut(data.a, [0, 1, 9], labels=['low', 'high']))", ["high", "low", "high"]),
        ("data.assign(z=data.a > 1)", [True, False, True]),
        ("data.assign(z=np.float32(0.5))", [0.5, 0.5, 0.5]),
    ],
)
def test_categories_flags_and_small_floats_are_values(run, text, expected):
    assert run(text)["z"].tolist() == expected


def test_periods_are_no_values(run):
    with pytest.raises(TransformFailed):
        run("data.assign(z=pd.period_range('2020', periods=3, freq='D'))")


def test_no_rows_stay_no_rows(run):
    assert run("data.assign(z=np.exp(data.b))", ROWS.head(0)).shape == (0, 4)


def test_an_imported_module_that_has_changed_is_read_anew(write, run):
    write("FACTOR = 5\n", "changing_beside.py")
    write("from changing_beside import FACTOR\ndef times(data):\n    return data.assign(a=data.a * FACTOR)\n")
    assert run("mymodule.times")["a"].tolist() == [15, 5, 10]
    write("FACTOR = 7\n", "changing_beside.py")
    assert run("mymodule.times")["a"].tolist() == [21, 7, 14]


def test_a_function_that_exits_has_failed(run):
    with pytest.raises(TransformFailed, match="SystemExit"):
        run("exit(3)")
