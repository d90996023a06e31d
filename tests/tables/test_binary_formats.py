"""Spreadsheets, Parquet and Feather: their cells, and what they hold that has no place here."""

import contextlib
import datetime as dt
from io import BytesIO

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest

from server.config import Limits
from server.errors import ServerError
from server.schema import Kind, kind_of
from server.tables.formats import Upload
from server.tables.reading import read_upload
from tests.tables.samples import feather, ods, ods_cell, ods_row, parquet, xlsx

pytestmark = pytest.mark.slow

LIMITS = Limits()


def read(content, name):
    return read_upload(Upload(content, f"x.{name}"), LIMITS)


def workbook(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    sink = BytesIO()
    book.save(sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("cells", "expected", "kind"),
    [
        ([1, 2], [1, 2], Kind.INTEGER),
        ([1, None], [1, None], Kind.INTEGER),
        ([1.5, 2], [1.5, 2.0], Kind.NUMBER),
        ([True, None], [True, None], Kind.BOOLEAN),
        (["a", None], ["a", None], Kind.TEXT),
        (["1", "02"], ["1", "02"], Kind.TEXT),
        (["a", 1], ["a", "1"], Kind.TEXT),
        ([dt.datetime(2020, 1, 2), None], [pd.Timestamp("2020-01-02"), None], Kind.DATETIME),
        ([dt.datetime(2020, 1, 2, 3, 4, 5), None], [pd.Timestamp("2020-01-02 03:04:05"), None], Kind.DATETIME),
        ([dt.time(12, 30), None], ["12:30:00", None], Kind.TEXT),
        ([None, None], [None, None], Kind.TEXT),
    ],
)
def test_cells_of_a_spreadsheet_have_their_kinds(cells, expected, kind):
    found = read(workbook([["id", "a"], *([row, cell] for row, cell in enumerate(cells))]), "xlsx")["a"]
    assert [None if pd.isna(cell) else cell for cell in found] == expected
    assert kind_of(found) is kind


@pytest.mark.parametrize(
    "cells",
    [
        [dt.timedelta(0), dt.timedelta(hours=30)],
        [dt.timedelta(0), dt.timedelta(0)],
        [dt.time(0), dt.timedelta(days=3)],
        ["#N/A", "=1/0"],
    ],
)
def test_odd_cells_of_a_spreadsheet_are_read_or_refused(cells):
    try:
        found = read(workbook([["id", "a"], *([row, cell] for row, cell in enumerate(cells))]), "xlsx")
    except ServerError as error:
        found = error
    assert getattr(found, "status", 400) == 400


def test_column_names_of_a_spreadsheet_may_be_numbers():
    assert list(read(workbook([[1, 2.5, "a"], [1, 2, 3]]), "xlsx").columns) == ["1", "2.5", "a"]


def test_only_the_first_sheet_is_read():
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([1])
    book.create_sheet("other").append(["b"])
    sink = BytesIO()
    book.save(sink)
    assert read(sink.getvalue(), "xlsx").to_dict("list") == {"a": [1]}


def test_a_sheet_without_cells_has_no_rows():
    assert read(workbook([]), "xlsx").empty
    assert read(xlsx(""), "xlsx").empty
    assert read(ods(""), "ods").empty


def test_a_header_alone_is_columns_without_rows():
    assert read(workbook([["a", "b"]]), "xlsx").shape == (0, 2)


def test_repeated_cells_of_ods_are_repeated():
    found = read(ods(ods_row(ods_cell("a") + ods_cell("b")) + ods_row(ods_cell(7, 2), 3)), "ods")
    assert found.to_dict("list") == {"a": [7, 7, 7], "b": [7, 7, 7]}


def test_the_empty_rest_of_an_ods_sheet_is_no_cells():
    rest = ods_cell(None, 16383)
    sheet = ods_row(ods_cell("a") + rest) + ods_row(ods_cell(22) + rest) + ods_row(ods_cell(None, 16384), 1048574)
    found = read_upload(Upload(ods(sheet), "x.ods"), Limits(unpacked_mb=1))
    assert found.to_dict("list") == {"a": [22]}


def test_the_empty_rest_of_an_xlsx_row_is_no_cells():
    assert read(xlsx('<row r="1"><c r="A1"><v>1</v></c></row><row r="900"/>'), "xlsx").shape == (0, 1)


STRANGE = {
    "duration": pa.array([1, None], pa.duration("s")),
    "time": pa.array([1, None], pa.time32("s")),
    "binary": pa.array([b"a", b"\xff"]),
    "decimal": pa.array([1, None], pa.decimal128(30, 0)),
    "half": pa.array([1, None], pa.float16()),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
    "struct": pa.array([{"a": 1}, None]),
    "list": pa.array([[1], None]),
    "list_view": pa.array([[1], None], pa.list_view(pa.int64())),
    "interval": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    "runs": pa.RunEndEncodedArray.from_arrays([1, 2], ["a", "b"]),
    "union": pa.UnionArray.from_sparse(pa.array([0, 0], pa.int8()), [pa.array([1, 2])]),
    "uint64": pa.array([1, 2**64 - 1], pa.uint64()),
    "far": pa.array([2**62, 0], pa.timestamp("s")),
    "zone": pa.array([0, 1], pa.timestamp("s", "Mars/Olympus")),
    "dictionary": pa.array(["a", None]).dictionary_encode(),
    "null": pa.nulls(2),
    "date": pa.array([1, None], pa.date32()),
    "large": pa.array(["a", None], pa.large_string()),
    "view": pa.array(["a", None], pa.string_view()),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16] * 2, pa.binary(16))),
}


def can_write(writer, name):
    """Whether the format has such a type."""
    try:
        writer(pa.table({"a": STRANGE[name]}))
    except pa.ArrowException:
        return False
    return True


@pytest.mark.parametrize(
    ("writer", "name"), [(writer, name) for writer in (feather, parquet) for name in STRANGE if can_write(writer, name)]
)
def test_every_type_of_arrow_is_read_or_refused(name, writer):
    content = writer(pa.table({"a": STRANGE[name]}))
    try:
        found = read_upload(Upload(content), LIMITS)
    except ServerError as error:
        found = error
    assert getattr(found, "status", 400) == 400
    assert isinstance(found, ServerError) or len(found) == 2


def test_a_moment_that_does_not_fit_is_never_another_moment():
    with contextlib.suppress(ServerError):
        assert pd.isna(read(feather(pa.table({"a": STRANGE["far"]})), "feather")["a"][0])


@pytest.mark.parametrize("writer", [feather, parquet])
@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (pa.array([2**53 + 1, None]), Kind.INTEGER),
        (pa.array([1, 2], pa.uint8()), Kind.INTEGER),
        (pa.array([True, None]), Kind.BOOLEAN),
        (pa.array([0.5, None], pa.float32()), Kind.NUMBER),
        (pa.array(["a", None]), Kind.TEXT),
        (pa.array(["a", None]).dictionary_encode(), Kind.TEXT),
        (pa.array([dt.date(2020, 1, 2), None]), Kind.DATETIME),
        (pa.array([dt.datetime(2020, 1, 2), None], pa.timestamp("ns", "UTC")), Kind.DATETIME),
        (pa.array([[1], None]), Kind.NESTED),
    ],
)
def test_the_types_of_arrow_have_their_kinds(writer, array, kind):
    found = read_upload(Upload(writer(pa.table({"a": array}))), LIMITS)["a"]
    assert kind_of(found) is kind
    if kind is Kind.INTEGER:
        assert int(found[0]) == array[0].as_py()


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_texts_of_every_encoding_are_read(kind, encoding):
    texts = pa.array(["a", "ab", None, "ab" * 100]).cast(kind)
    content = parquet(pa.table({"a": texts}), use_dictionary=False, column_encoding=encoding)
    assert read(content, "parquet")["a"].fillna("").tolist() == ["a", "ab", "", "ab" * 100]


def test_lists_of_feather_are_written_out_where_they_say_a_text_often():
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int8()), pa.array(["a", "b"]))
    lists = pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), words)
    found = read(feather(pa.table({"a": lists, "b": pa.RunEndEncodedArray.from_arrays([2], ["c"])})), "feather")
    assert [list(cell) for cell in found["a"]] == [["a", "b"], ["a"]]
    assert found["b"].tolist() == ["c", "c"]


@pytest.mark.parametrize("writer", [feather, parquet])
def test_the_index_of_pandas_is_not_a_secret_column(writer):
    frame = pd.DataFrame({"a": [1, 2]}, index=[5, 6])
    found = read_upload(Upload(writer(pa.Table.from_pandas(frame, preserve_index=False))), LIMITS)
    assert found.to_dict("list") == {"a": [1, 2]}
    assert found.index.tolist() == [0, 1]
