"""A table read in parts is the table read as a whole, and so are its errors."""

from io import BytesIO

import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.config import Limits
from server.errors import ServerError
from server.tables.formats import Upload
from server.tables.parts import NotParted, PartSizes, TypesChanged
from server.tables.reading import parted, read_upload
from tests.tables.samples import FILES

pytestmark = pytest.mark.slow
# Cells as they stand in a CSV, most of them numbers: a type changes where one of the others comes.
NUMBERS = st.sampled_from(["1", "-7", "20", "", "2.5"])
CELLS = NUMBERS | st.sampled_from(
    ["1e3", "inf", "true", "False", "NA", "x", "007", "é漢😀", " 5", "2020-01-02", '"1,5"', '"', '5"', '"a"b', '"q""q"',
     '"two\nlines"', '"cr\rlf\r\n"', "9007199254740993", "99999999999999999999", '""', "'", '""""']
)  # fmt: skip
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS | CELLS, CELLS), max_size=8)
LIMITS = Limits()


def in_parts(content, name, limits=LIMITS, texts=(), piece=1, length=1):
    """The rows of all parts, read anew if their types changed; None if the whole is to be read."""
    sizes = PartSizes(piece=piece, most_rows=length, group=1)
    try:
        with parted(Upload(BytesIO(content), name), limits, texts, sizes) as table:
            try:
                frames = list(table.frames())
            except TypesChanged as changed:
                frames = list(table.frames(changed.types))
    except NotParted:
        return None
    assert all(len(frame) <= length for frame in frames)
    return pd.concat(frames, ignore_index=True)


def told(read):
    """What was read as plain cells and the names of types, or the error."""
    try:
        frame = read()
    except ServerError as error:
        return type(error), error.detail, error.problems
    if frame is None:
        return None
    # Where a part has no gaps it needs no type that can hold them.
    types = {name: str(frame[name].dtype).lower() for name in frame.columns}
    return types, frame.astype(object).where(frame.notna(), None).to_dict("list")


def assert_alike(content, name, limits=LIMITS, texts=(), **sizes):
    """Whether it was read in parts, or found wrong, as the whole is."""
    found = told(lambda: in_parts(content, name, limits, texts, **sizes))
    if found is not None:
        assert found == told(lambda: read_upload(Upload(content, name), limits, texts))
    return found is not None


def csv_of(rows, end="\n"):
    return end.join(",".join(row) for row in [("a", "b", "c"), *rows]).encode()


@settings(max_examples=400, deadline=None)
@given(ROWS, st.sampled_from(["\n", "\r\n", "\r", "\n\n"]), st.booleans(), st.integers(1, 40), st.integers(1, 5))
def test_a_csv_in_parts_is_the_csv(rows, end, mark, piece, length):
    content = (b"\xef\xbb\xbf" if mark else b"") + csv_of(rows, end)
    assert assert_alike(content, "x.csv", texts=["c"], piece=piece, length=length)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab1,"\n\r \t;é'), max_size=40), st.integers(1, 20), st.sampled_from(["csv", "tsv"]))
def test_text_of_any_shape_is_read_or_refused_as_the_whole_is(text, piece, name):
    assert_alike(f"a,b\n1,2\n{text}".encode(), f"x.{name}", piece=piece)
    assert_alike(text.encode(), f"x.{name}", piece=piece)


@pytest.mark.parametrize("piece", range(1, 30))
def test_a_record_may_go_on_beyond_a_piece_and_hold_its_quotes(piece):
    rows = [("1", '"two\nlines"', "x"), ("2", '"q"",\n""q"', 'y"'), ("3", '""', '""""')]
    assert assert_alike(csv_of(rows), "x.csv", piece=piece)
    assert in_parts(csv_of(rows), "x.csv", piece=piece)["b"].tolist()[:2] == ["two\nlines", 'q",\n"q']


@pytest.mark.parametrize("short", [1, 2, 500, 999])
def test_a_ragged_row_has_its_number_in_the_whole_file(short):
    lines = ["a,b", *["1,2"] * 1000]
    lines[short] = "1"
    content = "\n\n".join(lines).encode()
    assert told(lambda: in_parts(content, "x.csv", piece=100))[1].startswith("x.csv is not a regular CSV table: ")
    assert f"Row #{short + 1}:" in told(lambda: in_parts(content, "x.csv", piece=100))[1]
    assert assert_alike(content, "x.csv", piece=100)


def test_what_ends_the_file_is_told_before_what_is_wrong_with_its_beginning():
    ragged = b"a,b\n1,2,3\n" + b"1,2\n" * 100
    assert "not UTF-8 (byte 410)" in told(lambda: in_parts(ragged + b"\xff,1\n", "x.csv", piece=50))[1]
    assert "NUL byte at 410" in told(lambda: in_parts(ragged + b"\0,1\n", "x.csv", piece=50))[1]
    for end in (b"\xff,1\n", b"\0,1\n", "é".encode()[:1], "é".encode("latin-1")):
        assert assert_alike(ragged + end, "x.csv", piece=50)
    assert assert_alike("a,b\n1,2\n".encode("utf-16"), "x.csv")


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b" \n ", b"\xef\xbb\xbf", b"a\n1\n2\n", b"a\n1\n\n", b"[1]", b"a", b"a\n2020-01-02\n\n"]
)
def test_what_has_no_records_or_a_single_column_is_left_to_the_whole(content):
    assert not assert_alike(content, "x.csv")


@pytest.mark.parametrize("content", [b"a,b", b"a,b\n", b"\n\na;b\r\n\r\n"])
def test_a_header_alone_is_a_table_without_rows(content):
    assert assert_alike(content, "x.csv")
    assert in_parts(content, "x.csv").shape == (0, 2)


def test_a_type_that_changes_far_down_is_that_of_all_rows():
    content = b"a,b,c,d\n" + b"1,2,,1\n" * 1000 + b"x,2.5,7,true\n"
    found = in_parts(content, "x.csv", piece=500, length=100)
    assert found.iloc[0].astype(object).where(found.iloc[0].notna(), None).tolist() == ["1", 2.0, None, "1"]
    assert assert_alike(content, "x.csv", piece=500, length=100)


def test_a_record_longer_than_any_is_refused_and_never_held_whole():
    content = b"a,b\n" + b'1,"' + b"x\n" * (1 << 20)
    assert assert_alike(content, "x.csv", piece=1000)


VALUES = st.sampled_from([None, 1, -2, 2.5, 2**53 + 1, 2**63, True, False, "x", "7", "", [1], {"b": 1}])
OBJECTS = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, 1, 2]) | VALUES, max_size=3), max_size=8
)


@settings(max_examples=400, deadline=None)
@given(OBJECTS, st.sampled_from([b"\n", b"\r\n", b"\n \n"]), st.integers(1, 60), st.integers(1, 5))
def test_json_lines_in_parts_are_the_json_lines(rows, end, piece, length):
    content = end.join(map(orjson.dumps, rows))
    read = assert_alike(content, "x.jsonl", piece=piece, length=length)
    cells = [cell for row in rows for cell in row.values()]
    if any(rows) and not any(isinstance(cell, (list, dict, bool)) for cell in cells):
        assert read


@pytest.mark.parametrize("text", ['{"a":1}\n{"a":\n', '{"a":1}\r\n\r\n]\n', '{"a":1}\n[2]\n{"a":2} x\n'])
def test_a_wrong_line_has_its_number_in_the_whole_file(text):
    content = b'{"a":1}\n' * 100 + text.encode()
    assert assert_alike(content, "x.jsonl", piece=30)
    assert "line 10" in told(lambda: in_parts(content, "x.jsonl", piece=30))[1]


@pytest.mark.parametrize("name", ["csv", "csv.gz", "tsv", "jsonl", "parquet"])
def test_every_format_that_is_read_in_parts_is_read_alike(name):
    assert assert_alike(FILES[name], f"x.{name}")
    assert assert_alike(FILES[name], f"x.{name}", limits=Limits(rows=1))
    assert assert_alike(FILES[name], f"x.{name}", limits=Limits(columns=1)) or name == "jsonl"


@pytest.mark.parametrize("name", ["json", "xlsx", "xls", "ods", "feather"])
def test_other_formats_are_left_to_the_whole(name):
    assert in_parts(FILES[name], f"x.{name}") is None
