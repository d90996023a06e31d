"""Which format some bytes are in, and which are refused."""

import gzip
import pickle

import pandas as pd
import pytest

from server.config import Limits
from server.errors import BadRequest, TooLarge, UnsupportedFormat
from server.tables.formats import BY_CONTENT_TYPE, BY_EXTENSION, READABLE, Upload, format_of
from server.tables.reading import read_file, read_upload, read_uploads
from server.tables.writing import write_table
from tests.tables.samples import FILES, FRAME, zipped

pytestmark = pytest.mark.slow

LIMITS = Limits()
TYPES = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xls": "application/vnd.ms-excel",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "parquet": "application/vnd.apache.parquet",
    "feather": "application/vnd.apache.arrow.file",
}
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(64)


def assert_is_the_frame(found):
    pd.testing.assert_frame_equal(found, FRAME)


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_known_by_its_file_name(name):
    assert_is_the_frame(read_upload(Upload(FILES[name], f"rows.{name}"), LIMITS))


@pytest.mark.parametrize("name", FILES)
def test_a_file_name_in_capitals_means_the_same(name):
    assert_is_the_frame(read_upload(Upload(FILES[name], f"ROWS.{name}".upper()), LIMITS))


@pytest.mark.parametrize("name", TYPES)
def test_every_format_is_known_by_its_content_type(name):
    assert_is_the_frame(read_upload(Upload(FILES[name], None, TYPES[name]), LIMITS))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "application/x-www-form-urlencoded"])
def test_every_format_is_known_by_its_content(name, content_type):
    assert_is_the_frame(read_upload(Upload(FILES[name], None, content_type), LIMITS))


@pytest.mark.parametrize("name", FILES)
def test_a_file_name_without_a_known_ending_leaves_it_to_the_content(name):
    if not name.endswith(".gz"):
        assert_is_the_frame(read_upload(Upload(FILES[name], "rows.txt"), LIMITS))
    assert_is_the_frame(read_upload(Upload(FILES[name], "rows"), LIMITS))


def test_the_file_name_wins_over_the_content_type_and_that_over_the_content():
    assert format_of(Upload(b"a,b\n", "rows.tsv", "application/json")) == "tsv"
    assert format_of(Upload(b"[1]", None, "text/csv")) == "csv"


def test_windows_calls_a_csv_an_excel_file():
    assert_is_the_frame(read_upload(Upload(FILES["csv"], "rows.csv", "application/vnd.ms-excel"), LIMITS))
    assert_is_the_frame(read_upload(Upload(FILES["csv"], None, "application/vnd.ms-excel"), LIMITS))


@pytest.mark.parametrize("kind", ["application/gzip", "application/x-gzip", None])
def test_a_gzip_without_a_name_is_read_by_what_is_in_it(kind):
    assert_is_the_frame(read_upload(Upload(gzip.compress(FILES["json"]), None, kind), LIMITS))


def test_every_listed_ending_and_type_is_readable():
    assert set(BY_EXTENSION.values()) == set(BY_CONTENT_TYPE.values()) == set(READABLE)


@pytest.mark.parametrize(
    "upload",
    [
        *(Upload(b"a,b\n1,2\n", f"x.{ending}") for ending in ("pkl", "pickle", "joblib", "h5", "hdf5", "HDF", "npy")),
        Upload(b"a,b\n1,2\n", None, "application/x-hdf5"),
        Upload(b"a,b\n1,2\n", None, "Application/X-Pickle"),
        Upload(gzip.compress(b"a,b\n1,2\n"), "x.pkl.gz"),
        *(Upload(pickle.dumps([1], protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)),
        *(Upload(content, f"x.{name}") for name in READABLE for content in (pickle.dumps([1]), HDF5)),
        *(Upload(content, None, kind) for kind in TYPES.values() for content in (pickle.dumps([1]), HDF5)),
        Upload(gzip.compress(pickle.dumps([1])), "x.csv.gz"),
        Upload(gzip.compress(pickle.dumps([1]))),
        Upload(gzip.compress(HDF5), "x.csv.gz"),
        Upload(write_table(FRAME, "h5")),
        Upload(zipped({"data.pkl": pickle.dumps([1])})),
    ],
)
def test_pickle_and_hdf5_are_refused_whatever_they_are_called(upload):
    with pytest.raises(UnsupportedFormat) as caught:
        read_upload(upload, LIMITS)
    assert caught.value.status == 415
    assert "csv" in caught.value.detail


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7\n", b"<html>", b"\x89PNG\r\n\x1a\n", b"a\0b", b"\xff\xfea\0", zipped({"a.txt": "a"})]
)
def test_unknown_bytes_are_415(content):
    with pytest.raises(UnsupportedFormat):
        read_upload(Upload(content), LIMITS)


@pytest.mark.parametrize("name", ["csv", "tsv", "json", "jsonl"])
@pytest.mark.parametrize("content", [b"", b"\n", b"  \r\n ", b"\xef\xbb\xbf"])
def test_nothing_is_no_rows(name, content):
    assert read_upload(Upload(content, f"x.{name}"), LIMITS).shape == (0, 0)
    assert read_upload(Upload(content), LIMITS).shape == (0, 0)


@pytest.mark.parametrize("name", ["xlsx", "xls", "ods", "parquet", "feather", "csv.gz"])
def test_nothing_is_not_a_binary_file(name):
    if not name.endswith("gz"):
        with pytest.raises(BadRequest):
            read_upload(Upload(b"", f"x.{name}"), LIMITS)


def test_files_of_different_formats_are_put_one_below_the_other():
    uploads = [Upload(content, f"rows.{name}") for name, content in FILES.items()]
    found = read_uploads(uploads, LIMITS)
    pd.testing.assert_frame_equal(found, pd.concat([FRAME] * len(FILES), ignore_index=True))


def test_columns_of_several_files_may_stand_in_another_order():
    found = read_uploads([Upload(b"a,b\n1,2\n"), Upload(b"b,a\n4,3\n")], LIMITS)
    assert found.to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_files_with_other_columns_are_refused_by_name():
    with pytest.raises(BadRequest, match=r"two\.csv.*'c'"):
        read_uploads([Upload(b"a,b\n1,2\n", "one.csv"), Upload(b"a,b,c\n1,2,3\n", "two.csv")], LIMITS)


def test_empty_files_among_several_do_not_matter():
    assert len(read_uploads([Upload(b""), Upload(b"a\n1\n"), Upload(b"")], LIMITS)) == 1
    assert read_uploads([], LIMITS).empty


def test_integers_stay_exact_where_one_of_several_files_has_gaps():
    big = 2**53 + 1
    found = read_uploads([Upload(f"a,b\n{big},1\n".encode()), Upload(b"a,b\n,2\n")], LIMITS)
    assert int(found["a"][0]) == big


@pytest.mark.parametrize("name", FILES)
def test_too_many_rows_or_columns_name_the_limit_and_its_setting(name):
    with pytest.raises(TooLarge, match=r"(2 rows|row 3); 1 .*allowed \(server\.limits\.rows\)"):
        read_upload(Upload(FILES[name], f"x.{name}"), Limits(rows=1))
    with pytest.raises(TooLarge, match=r"2.*; 1 .*allowed \(server\.limits\.columns\)"):
        read_upload(Upload(FILES[name], f"x.{name}"), Limits(columns=1))


def test_the_rows_of_several_files_count_together():
    with pytest.raises(TooLarge, match=r"server\.limits\.rows"):
        read_uploads([Upload(FILES["csv"])] * 2, Limits(rows=3))


def test_a_file_of_the_configuration_has_no_limits(tmp_path):
    (tmp_path / "rows.csv.gz").write_bytes(FILES["csv.gz"])
    assert_is_the_frame(read_file(tmp_path / "rows.csv.gz", Limits(rows=1, columns=1, unpacked_mb=0.000001)))
