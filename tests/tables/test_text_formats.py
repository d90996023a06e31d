"""CSV, TSV, JSON and JSON lines, and their many spellings."""

import contextlib

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather

from server.config import Limits
from server.errors import BadRequest, ServerError
from server.tables.formats import Upload
from server.tables.reading import read_upload

LIMITS = Limits()


def read(content, name="x.csv", **options):
    content = content.encode() if isinstance(content, str) else content
    return read_upload(Upload(content, name), LIMITS, **options)


def rows(frame):
    return [
        [None if pd.api.types.is_scalar(cell) and pd.isna(cell) else cell for cell in row]
        for row in frame.astype(object).to_numpy()
    ]


def columns_or_status(text, name="x.csv"):
    try:
        return list(read(text, name).columns)
    except ServerError as error:
        return error.status


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_delimiter_and_line_ends_are_found_out(mark, end):
    found = read(end.join([f"a{mark}b", f"1{mark}x", f"2{mark}y", ""]))
    assert (list(found.columns), rows(found)) == (["a", "b"], [[1, "x"], [2, "y"]])


def test_other_delimiters_may_stand_in_cells():
    assert rows(read('a;b\n"1,5;2|3";x\n')) == [["1,5;2|3", "x"]]


def test_a_single_column_needs_no_delimiter():
    assert rows(read("a\n1\n2\n")) == [[1], [2]]


def test_the_last_line_needs_no_end():
    assert rows(read("a,b\n1,2")) == [[1, 2]]


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.json", "x.jsonl"])
def test_a_byte_order_mark_is_not_part_of_the_first_name(name):
    text = {"csv": "a,b\n1,2\n", "tsv": "a\tb\n1\t2\n", "json": '[{"a":1,"b":2}]', "jsonl": '{"a":1,"b":2}\n'}
    found = read(b"\xef\xbb\xbf" + text[name.split(".")[1]].encode(), name)
    assert (list(found.columns), rows(found)) == (["a", "b"], [[1, 2]])
    assert rows(read_upload(Upload(b"\xef\xbb\xbf" + text[name.split(".")[1]].encode()), LIMITS)) == [[1, 2]]


def test_quoted_cells_may_hold_delimiters_quotes_and_line_breaks():
    found = read('"a,1","b\n2"\n"x ""y""","z\nz"\n')
    assert (list(found.columns), rows(found)) == (["a,1", "b\n2"], [['x "y"', "z\nz"]])


def test_types_are_kept_apart_and_gaps_do_not_change_them():
    found = read("i,f,b,t,e\n1,0.5,true,x,\n,,,,\n3,2,false,y,\n")
    assert rows(found) == [[1, 0.5, True, "x", None], [None] * 5, [3, 2.0, False, "y", None]]
    assert [str(dtype) for dtype in found.dtypes[:3]] == ["Int64", "float64", "boolean"]


def test_columns_known_as_text_keep_their_zeros():
    assert rows(read("zip,n\n007,01\n", text_columns=["zip"])) == [["007", 1]]


def test_lines_behind_a_single_column_of_dates_are_no_rows():
    assert rows(read("d\n2020-01-02\n\n\n")) == [["2020-01-02"]]


def test_dates_stay_the_text_they_were():
    assert rows(read("d,e\n2020-01-02,2020-01-02 03:04:05\n")) == [["2020-01-02", "2020-01-02 03:04:05"]]


def test_a_type_that_changes_far_down_is_still_read():
    found = read("a,b\n" + "1,2\n" * 400_000 + "x,2.5\n")
    assert found.iloc[-1].tolist() == ["x", 2.5]
    assert found.iloc[0].tolist() == ["1", 2.0]


@pytest.mark.parametrize(
    ("text", "row"), [("a,b\n1,2\n1,2,3\n", 3), ("a,b\n1\n", 2), ("a,b\n" + "1,2\n" * 300_000 + "1\n", 300_002)]
)
def test_a_ragged_csv_names_the_row(text, row):
    with pytest.raises(BadRequest, match=rf"x\.csv.*#{row}\b"):
        read(text)


@pytest.mark.parametrize("text", ["a,b,a\n1,2,3\n", "a,,\n1,2,3\n"])
def test_two_columns_of_one_name_are_refused(text):
    with pytest.raises(BadRequest, match="more than once"):
        read(text)


@pytest.mark.parametrize(
    ("content", "word"),
    [("a,b\né,1\n".encode("latin-1"), "UTF-8"), ("a,b\n1,2\n".encode("utf-16"), "UTF-16"), (b"a,b\n\0,1\n", "NUL")],
)
def test_text_that_is_not_utf8_says_so(content, word):
    with pytest.raises(BadRequest, match=word):
        read(content)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ('5" pipe,x\n1,2\n', [['5" pipe', "x"]]),
        ('a,5"\n1,2\n3,4\n', [["a", '5"']]),
        ('"a"x,b\n1,2\n', [["ax", "b"], 400]),
        ('"a,b\n1,2\n', [["a,b\n1,2\n"], ["a,b\n1,2"], 400]),
        ("a\r\n\n,b\n1,2\n", [400]),
        ('"\r', [400, ["\r"], [""]]),
        ('"a"\r"b"\n"c"\n', [["a"]]),
    ],
)
def test_a_strange_header_is_read_or_refused(text, allowed):
    assert columns_or_status(text) in allowed


def test_a_long_header_is_read():
    names = [f"a_rather_long_name_{index}" for index in range(9000)]
    found = read(",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n")
    assert list(found.columns) == names
    assert read("a" * 200_000 + "\n1\n").shape == (1, 1)


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ('[{"a":1,"b":"x"},{"a":2,"b":"y"}]', ["a", "b"], [[1, "x"], [2, "y"]]),
        ('[{"a":1},{"b":"y","a":null}]', ["a", "b"], [[1, None], [None, "y"]]),
        ('[{"a":1,"b":2},{"b":3,"a":4}]', ["a", "b"], [[1, 2], [4, 3]]),
        ('{"a":[1,2],"b":["x","y"]}', ["a", "b"], [[1, "x"], [2, "y"]]),
        ('{"a":{"0":1,"1":2},"b":{"1":"y","0":"x"}}', ["a", "b"], [[1, "x"], [2, "y"]]),
        ('{"a":1,"b":"x"}', ["a", "b"], [[1, "x"]]),
        ('{"a":1,"b":[1]}', ["a", "b"], [[1, [1]]]),
        ("[[1,2],[3,4]]", ["0", "1"], [[1, 2], [3, 4]]),
        ('{"a":1}\n{"a":2}', ["a"], [[1], [2]]),
        ('{"a":1}{"a":2} {"a":3}', ["a"], [[1], [2], [3]]),
        ('{"a":true}\n{"a":null}', ["a"], [[True], [None]]),
        ("[]", [], []),
        ("{}", [], []),
        ('{"a":[]}', ["a"], []),
    ],
)
def test_json_in_every_shape(text, names, expected):
    found = read(text, "x.json")
    assert list(found.columns) == names
    assert [[list(cell) if hasattr(cell, "tolist") else cell for cell in row] for row in rows(found)] == expected


def test_columns_of_unequal_length_are_named_with_their_lengths():
    with pytest.raises(BadRequest) as caught:
        read('{"a":[1,2],"b":[1],"c":[1,2],"d":[]}', "x.json")
    assert caught.value.detail == (
        "x.json: the columns have unequal lengths: 'b' has 1 values, 'a' has 2 (and 1 more); "
        "give every column one value for each row"
    )
    assert [(problem.pointer, problem.detail) for problem in caught.value.problems] == [
        ("/b", "1 values instead of 2"),
        ("/d", "0 values instead of 2"),
    ]


def test_an_object_with_anything_but_lists_is_one_row():
    found = read('{"text":"Anna","labels":[[0,4,"PER"]]}', "x.json")
    assert found["text"].tolist() == ["Anna"]
    assert found["labels"].tolist() == ['[[0,4,"PER"]]']
    found = read('{"text":["Anna","Ben"],"labels":[[[0,4,"PER"]],[]]}', "x.json")
    assert found["text"].tolist() == ["Anna", "Ben"]


@pytest.mark.parametrize("text", ['{"a":1}\n{"a":2}\n', '{"a":1}\r\n\r\n{"a":2}', '\n{"a": 1}\n{"a": 2}\n\n'])
def test_json_lines(text):
    assert rows(read(text, "x.jsonl")) == [[1], [2]]
    assert rows(read(text, None)) == [[1], [2]]


@pytest.mark.parametrize("text", ['{"a":1}\n{"a":\n', '{"a":1}\n]\n', '{"a":1}\n{"a":2} x\n'])
def test_a_wrong_json_line_is_named(text):
    with pytest.raises(BadRequest, match="line 2"):
        read(text, "x.jsonl")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("shape", ['[{{"a": {0}}}]', '{{"a": [1, {0}]}}', '{{"a": {0}}}{{"a": 1}}'])
def test_nan_and_infinity_are_no_json_and_null_is_named(word, shape):
    with pytest.raises(BadRequest, match="null"):
        read(shape.format(word), "x.json")


@pytest.mark.parametrize(
    "text",
    [
        "1",
        '"a"',
        "null",
        "true",
        "[1,2]",
        "[[1,2],[3]]",
        '[{"a":1},2]',
        '[{"a":1},[2]]',
        '[null,{"a":1}]',
        '{"a":[1,2],"b":[1]}',
        '[{"a":1}',
        '[{"a":1e400}]',
        '[{"a":"\\ud800"}]',
        '{"a":"\\ud800"}{"a":"x"}',
        '{"a":1}{"a":' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a":1}' + '{"a":' * 5000,
    ],
)
def test_json_that_is_no_table_is_400(text):
    with pytest.raises(BadRequest):
        read(text, "x.json")


def test_rows_without_cells_are_not_passed_over():
    with contextlib.suppress(BadRequest):
        assert len(read("[{}, {}]", "x.json")) == 2


def test_mixed_cells_become_text_and_nothing_is_lost():
    found = read('[{"a":1,"b":[1]},{"a":"x","b":{"c":1}},{"a":2.0,"b":null}]', "x.json")
    assert rows(found) == [["1", "[1]"], ["x", '{"c":1}'], ["2", None]]


@pytest.mark.parametrize("name", ["x.json", "x.csv"])
def test_integers_are_exact_beside_gaps(name):
    text = {"x.json": f'[{{"a":{2**53 + 1}}},{{"a":null}}]', "x.csv": f"a,b\n{2**53 + 1},1\n,2\n"}[name]
    assert int(read(text, name)["a"][0]) == 2**53 + 1


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_integers_beyond_64_bits_are_floats_not_failures(number):
    assert float(read(f'[{{"a":{number}}}]', "x.json")["a"][0]) == float(number)


@pytest.mark.parametrize("opened", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [32, 300, 900])
def test_lists_without_end_in_a_cell_are_refused(opened, depth):
    cell = opened * depth + "1" + {"[": "]", "{": "}"}[opened[0]] * depth
    with pytest.raises(BadRequest, match="32 deep"):
        read_upload(Upload(f'[{{"a": {cell}}}]'.encode(), "x.json"), Limits())


@pytest.mark.parametrize("cell", ["{}", "[{}]", '{"b":{}}', '{"b":[{}],"c":1}'])
def test_objects_that_are_all_empty_are_kept_as_text_because_no_file_keeps_them(cell, tmp_path):
    found = read(f'[{{"a":{cell}}}, {{"a":null}}]', "x.json")
    assert rows(found) == [[cell], [None]]
    found.to_parquet(tmp_path / "rows.parquet")


def test_an_empty_object_beside_others_stays():
    assert read('[{"a": {}}, {"a": {"b": 1}}]', "x.json")["a"][1] == {"b": 1}


def test_a_binary_table_of_empty_objects_is_refused():
    sink = pa.BufferOutputStream()
    feather.write_feather(pa.table({"a": pa.array([{}])}), sink)
    with pytest.raises(BadRequest, match="'a' has objects, all of which are empty"):
        read_upload(Upload(sink.getvalue().to_pybytes(), "x.feather"), Limits())
