"""A small body must not become a large memory."""

import gzip
import struct
import time
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager, suppress
from io import BytesIO

import numpy as np
import orjson
import pyarrow as pa
import pytest

from server.config import Limits
from server.errors import BadRequest, ServerError, TooLarge, UnsupportedFormat
from server.tables.extent import check_extent
from server.tables.formats import Upload
from server.tables.reading import read_upload
from server.tables.unpacking import decoded, gunzipped
from tests.tables.samples import XLS, feather, ods, ods_cell, ods_row, parquet, xlsx, zipped

pytestmark = pytest.mark.slow

SMALL = Limits(unpacked_mb=1)
# A table may outlive the block in which it was made, and frees its memory in the pool from which it came.
POOLS = []
MIB = 2**20


def read(content, name, limits=SMALL):
    return read_upload(Upload(content, f"x.{name}"), limits)


def gunzip(content):
    return b"".join(gunzipped(BytesIO(content), SMALL, "x"))


@contextmanager
def memory_below(mib):
    """Fail when Python's or Arrow's own allocations within the block grow beyond."""
    default = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(default)
    POOLS.append(pool)
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1] + pool.max_memory()
        tracemalloc.stop()
        pa.set_memory_pool(default)
    assert peak < mib * MIB, f"{peak / MIB:.0f} MiB"


@pytest.mark.parametrize("name", ["csv.gz", "json.gz"])
def test_a_gzip_bomb_is_413_and_never_unpacked_whole(name):
    content = gzip.compress(bytes(64 * MIB))
    with memory_below(8), pytest.raises(TooLarge, match=r"1 MiB.*server\.limits\.unpacked_mb"):
        read(content, name)


def test_a_gzip_within_a_gzip_is_no_way_around():
    content = gzip.compress(gzip.compress(bytes(64 * MIB)))
    with memory_below(8), suppress(ServerError):
        read(content, "csv.gz.gz")


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "GZIP", "identity, gzip", "gzip, gzip"])
def test_an_encoded_body_is_decoded_and_measured(encoding):
    content, bomb = b"a,b\n1,2\n", bytes(8 * MIB)
    for _ in range(encoding.lower().count("gzip") + encoding.count("deflate")):
        pack = zlib.compress if encoding == "deflate" else gzip.compress
        content, bomb = pack(content), pack(bomb)
    assert decoded(content, encoding, SMALL) == b"a,b\n1,2\n"
    with memory_below(8), pytest.raises(TooLarge):
        decoded(bomb, encoding, SMALL)


def test_an_unknown_encoding_is_415():
    with pytest.raises(UnsupportedFormat, match="br"):
        decoded(b"x", "br", SMALL)


def test_three_encodings_are_415_and_nothing_is_unpacked():
    with pytest.raises(UnsupportedFormat, match="3 Content-Encodings.*2 are read"):
        decoded(b"no gzip", "gzip, identity, deflate, gzip", SMALL)


def test_what_is_unpacked_in_memory_is_no_larger_than_a_body_may_be():
    content, limits = gzip.compress(bytes(32 * MIB)), Limits(body_mb=1, unpacked_mb=64)
    with memory_below(8), pytest.raises(TooLarge, match=r"more than 1 MiB.*server\.limits\.body_mb"):
        decoded(content, "gzip", limits)


def test_what_must_be_held_is_unpacked_no_further_than_a_body_may_grow():
    # Only who unpacks all of it sees that it ends early.
    content, limits = gzip.compress(bytes(32 * MIB))[:-4], Limits(body_mb=1, unpacked_mb=64)
    with pytest.raises(TooLarge, match=r"server\.limits\.body_mb"):
        decoded(content, "gzip", limits)
    with pytest.raises(BadRequest, match="not a readable gzip stream"):
        decoded(content, "gzip", Limits(body_mb=33, unpacked_mb=64))


WHOLE = {
    "json": b"[" * 32 * MIB,
    "csv": b"a\n" + b"1\n" * 16 * MIB,
    "feather": bytes(32 * MIB),
    "jsonl": b"[1]\n" * 8 * MIB,
}


@pytest.mark.parametrize("name", ["json", "xlsx", "feather"])
def test_a_packed_file_that_is_read_whole_is_unpacked_no_further_than_a_body_may_grow(name):
    # Only who unpacks all of it sees that it ends early.
    content = gzip.compress(bytes(32 * MIB))[:-4]
    with pytest.raises(TooLarge, match=r"server\.limits\.body_mb"):
        read(content, f"{name}.gz", Limits(body_mb=1, unpacked_mb=64))
    with pytest.raises(BadRequest, match="not a readable gzip stream"):
        read(content, "csv.gz", Limits(body_mb=1, unpacked_mb=64))


@pytest.mark.parametrize("name", WHOLE)
def test_what_can_only_be_read_as_a_whole_is_no_larger_than_a_body_may_be(name):
    content = gzip.compress(WHOLE[name], 1)
    # A first part of a text is read before it shows that it has none.
    with (
        memory_below(24 if name in ("json", "feather") else 400),
        pytest.raises(TooLarge, match=r"server\.limits\.body_mb"),
    ):
        read(content, f"{name}.gz", Limits(body_mb=1, unpacked_mb=64))


def test_what_is_read_in_parts_may_be_larger_than_a_body():
    content = b"a,b\n" + b"1,2\n" * 5 * MIB
    assert len(read(gzip.compress(content, 1), "csv.gz", Limits(body_mb=1, rows=10**7))) == 5 * MIB


def test_members_of_a_gzip_are_read_one_after_another():
    assert gunzip(gzip.compress(b"a") + gzip.compress(b"b") + bytes(8)) == b"ab"


def test_many_empty_members_take_time_in_proportion():
    content = gzip.compress(b"") * 100_000
    started = time.process_time()
    with suppress(ServerError):
        gunzip(content)
    assert time.process_time() - started < 2


DAMAGED = [gzip.compress(b"abc")[:-5], gzip.compress(b"abc") + b"x", b"\x1f\x8b", b"abc"]


@pytest.mark.parametrize("content", DAMAGED, ids=len)
def test_a_damaged_gzip_is_400(content):
    with pytest.raises(BadRequest, match="x is not a readable gzip stream"):
        gunzip(content)


def test_nothing_is_a_gzip_of_nothing():
    assert gunzip(b"") == b""


FAR = "KN20000"  # 300 columns, 20,000 rows: many cells, yet within the limits of rows and columns
HEAD = '<row r="1"><c r="A1"><v>1</v></c></row>'
PREFIX = 'xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
FAR_CELLS = {
    "plain": f'{HEAD}<row r="20000"><c r="{FAR}"><v>3</v></c></row>',
    "single quotes": f"{HEAD}<row r='20000'><c r='{FAR}'><v>3</v></c></row>",
    "spaces": f'{HEAD}<row r = "20000"><c r = "{FAR}"><v>3</v></c></row>',
    "other attributes first": f'{HEAD}<row a="{"x" * 999}" r="20000"><c s=">" r="{FAR}"><v>3</v></c></row>',
    "small letters": f'{HEAD}<row r="20000"><c r="{FAR.lower()}"><v>3</v></c></row>',
    "a prefix": f'{HEAD}<row r="20000"><x:c {PREFIX} r="{FAR}"><v>3</v></x:c></row>',
    "a row with a prefix": f'{HEAD}<x:row {PREFIX} r="20000"><x:c r="{FAR}"><v>3</v></x:c></x:row>',
    "no references": f'<row r="1">{"<c><v>1</v></c>" * 300}</row><row r="20000"><c><v>3</v></c></row>',
}


@pytest.mark.parametrize("spelling", FAR_CELLS)
def test_one_far_cell_is_413_however_it_is_written(spelling):
    with pytest.raises(TooLarge):
        read(xlsx(FAR_CELLS[spelling]), "xlsx")


FAR_AWAY = {
    "XFD1048576": "unpacked_mb", "XFD1": "columns", "ZZZZ1": "unpacked_mb", "A999999999": "unpacked_mb",
    "XFD999999999": "unpacked_mb",
}  # fmt: skip


def sheet_with(cell):
    row = int(cell.strip("AZXFD"))
    return xlsx(f'{HEAD}<row r="{row}"><c r="{cell}"><v>1</v></c></row>')


@pytest.mark.parametrize(("cell", "setting"), FAR_AWAY.items())
def test_the_last_cell_of_a_sheet_is_413_with_the_usual_limits(cell, setting):
    with pytest.raises(TooLarge, match=rf"server\.limits\.{setting}"):
        read(sheet_with(cell), "xlsx", Limits())


def test_the_last_row_of_a_sheet_is_a_row():
    assert len(read(sheet_with("A1048576"), "xlsx", Limits())) == 2**20 - 1
    with pytest.raises(TooLarge, match=r"server\.limits\.rows"):
        read(sheet_with("A1048576"), "xlsx", Limits(rows=100_000))


def test_a_shared_text_counts_each_time_it_is_used():
    cells = "".join(f'<row r="{row}"><c r="A{row}" t="s"><v>0</v></c></row>' for row in range(1, 3000))
    with pytest.raises(TooLarge):
        read(xlsx(cells, f"<si><t>{'x' * 100_000}</t></si>"), "xlsx")


@pytest.mark.parametrize("name", ["xlsx", "ods"])
def test_a_zip_bomb_is_413(name):
    rows = " " * 8 * MIB
    with memory_below(40), pytest.raises(TooLarge):
        read(xlsx(rows) if name == "xlsx" else ods(rows), name)


def test_a_zip_bomb_in_a_part_that_nobody_reads_is_413():
    with pytest.raises(TooLarge):
        read(xlsx(HEAD, **{"xl/media/a.png": bytes(8 * MIB)}), "xlsx")


@pytest.mark.parametrize("size", [0, 100, 2**31])
def test_sizes_that_lie_are_4xx_and_bound_the_memory(size):
    content = bytearray(xlsx(" " * 64 * MIB))
    entries = zipfile.ZipFile(BytesIO(content)).infolist()
    at = content.index(b"PK\x01\x02")
    for entry in entries:
        if entry.filename.endswith("sheet1.xml"):
            struct.pack_into("<I", content, at + 24, size)
            struct.pack_into("<I", content, entry.header_offset + 22, size)
        at = content.find(b"PK\x01\x02", at + 4)
    with memory_below(8), pytest.raises((TooLarge, BadRequest)):
        read(bytes(content), "xlsx")


def test_an_xls_cell_far_away_is_413():
    content = bytearray(XLS)
    at = content.index(struct.pack("<HHHH", 0x027E, 10, 1, 0))
    struct.pack_into("<HH", content, at + 4, 20_000, 250)
    with pytest.raises(TooLarge):
        read(bytes(content), "xls")


@pytest.mark.parametrize(
    "rows",
    [
        ods_row(ods_cell(22), 300_000),
        ods_row(ods_cell(22, 9_000), 30),
        ods_row(ods_cell(22, 300), 10_000),
        ods_row(ods_cell("x" * 50_000, 300)),
        ods_row(ods_cell(None), 300_000) + ods_row(ods_cell(22)),
        ods_row(ods_cell(None, 5_000) + ods_cell(22)) * 50,
    ],
)
def test_repeats_of_ods_are_counted(rows):
    with pytest.raises(TooLarge):
        read(ods(ods_row(ods_cell("a")) + rows), "ods")


ONE = pa.array(["x" * 100_000])
REPEATED = pa.DictionaryArray.from_arrays(pa.array(np.zeros(500, "int8")), ONE)
TEXT_TYPES = [pa.large_string(), pa.string_view(), pa.large_binary(), pa.binary_view()]


def views():
    """A column of views, all of which show the same text."""
    _, view, text = ONE.cast(pa.string_view()).buffers()
    return pa.Array.from_buffers(pa.string_view(), 500, [None, pa.py_buffer(view.to_pybytes()[:16] * 500), text])


def list_views():
    """Lists that all hold the same numbers."""
    return pa.ListViewArray.from_arrays(
        pa.array([0] * 500, pa.int32()), pa.array([9000] * 500, pa.int32()), ZEROS[:9000]
    )


ZEROS = pa.array(np.zeros(2_000_000))
BOMBS = {
    "feather, compressed": lambda: feather(pa.table({"a": np.zeros(8_000_000)}), "zstd"),
    "feather, dictionary": lambda: feather(pa.table({"a": REPEATED})),
    "feather, dictionaries in objects": lambda: feather(pa.table({"a": pa.StructArray.from_arrays([REPEATED], ["b"])})),
    "feather, views": lambda: feather(pa.table({"a": views()})),
    "feather, views in objects": lambda: feather(pa.table({"a": pa.StructArray.from_arrays([views()], ["b"])})),
    "feather, views of a type of one's own": lambda: feather(
        pa.table({"a": pa.ExtensionArray.from_storage(pa.opaque(pa.string_view(), "a", "b"), views())})
    ),
    "feather, views of lists": lambda: feather(pa.table({"a": list_views()})),
    "feather, runs": lambda: feather(pa.table({"a": pa.RunEndEncodedArray.from_arrays([500], ONE)})),
    "feather, nulls in a list": lambda: feather(
        pa.table({"a": pa.ListArray.from_arrays(pa.array([0, 10**9], pa.int32()), pa.nulls(10**9))})
    ),
    "feather, nulls in a list of one length": lambda: feather(
        pa.table({"a": pa.FixedSizeListArray.from_arrays(pa.nulls(10**9), 10**9)})
    ),
    "feather, nulls": lambda: feather(pa.table({str(name): pa.nulls(100_000) for name in range(100)})),
    "parquet, zeros": lambda: parquet(pa.table({"a": ZEROS})),
    "parquet, dictionary": lambda: parquet(pa.table({"a": ["x" * 100_000] * 500})),
    **{
        f"parquet, {kind}": lambda kind=kind: parquet(pa.table({"a": pa.array(["x" * 100_000] * 500).cast(kind)}))
        for kind in TEXT_TYPES
    },
    "parquet, JSON": lambda: parquet(
        pa.table({"a": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['"' + "x" * 100_000 + '"'] * 500))})
    ),
    "parquet, bytes of one length": lambda: parquet(
        pa.table({"a": pa.array([b"x" * 10_000] * 5000, pa.binary(10_000))})
    ),
    "parquet, decimals": lambda: parquet(pa.table({"a": pa.array([1] * 100_000).cast(pa.decimal256(70, 0))})),
    "parquet, texts by those before": lambda: parquet(
        pa.table({"a": ["x" * 100_000] * 500}), use_dictionary=False, column_encoding="DELTA_BYTE_ARRAY"
    ),
    "parquet, list": lambda: parquet(pa.table({"a": pa.ListArray.from_arrays([0, len(ZEROS)], ZEROS)})),
    "parquet, nulls": lambda: parquet(pa.table({str(name): pa.nulls(100_000) for name in range(100)})),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_columnar_bomb_is_413_and_never_unpacked_whole(kind):
    content = BOMBS[kind]()
    assert len(content) < MIB
    with memory_below(8), pytest.raises(TooLarge, match=r"server\.limits\.unpacked_mb"):
        read(content, kind.split(",")[0])


@pytest.mark.parametrize("writer", [feather, parquet])
def test_too_many_rows_of_a_columnar_file_are_413(writer):
    content = writer(pa.table({"a": pa.nulls(3_000_000)}))
    with memory_below(30), pytest.raises(TooLarge, match=r"server\.limits"):
        read(content, writer.__name__, Limits(rows=1_000_000))


def test_records_with_ever_new_columns_are_refused_before_they_become_a_table():
    content = orjson.dumps([{f"c{index}": 1} for index in range(8000)])
    started = time.process_time()
    with pytest.raises(TooLarge, match=r"server\.limits\.columns"):
        read(content, "json", Limits(columns=100))
    assert time.process_time() - started < 1.5


WIDE = dict.fromkeys(map(str, range(101)), 1)
WIDE_JSON = {
    "an object": WIDE,
    "columns": {name: [1] for name in WIDE},
    "columns of objects": {name: {"0": 1} for name in WIDE},
    "records": [WIDE, WIDE],
    "lists": [list(WIDE.values())],
}


@pytest.mark.parametrize("form", WIDE_JSON)
def test_json_of_too_many_columns_is_refused_before_it_becomes_a_table(form, monkeypatch):
    monkeypatch.setattr("server.tables.text_formats.pa.table", lambda *_: pytest.fail("it was made"))
    for name, content in {"json": WIDE_JSON[form], "jsonl": WIDE}.items():
        with pytest.raises(TooLarge, match=r"has 101 columns; 100 are allowed \(server\.limits\.columns\)"):
            read(orjson.dumps(content), name, Limits(columns=100))


def test_names_that_all_stand_twice_are_found_in_time_in_proportion():
    names = [f"c{index % 100_000}" for index in range(200_000)]
    started = time.process_time()
    with pytest.raises(BadRequest, match="'c0' more than once"):
        check_extent(1, names, "x", Limits(columns=200_000))
    assert time.process_time() - started < 10


def test_a_file_that_takes_too_long_is_told_as_such(monkeypatch):
    forever = "reader.READERS['feather'] = lambda: lambda content, most: all(iter(lambda: 1, 0))"
    start = f"import server.tables.confined_reader as reader; reader.SECONDS = 1; {forever}; reader.main()"
    monkeypatch.setattr("server.tables.confined.START", start)
    with pytest.raises(TooLarge, match="300 seconds"):
        read(feather(pa.table({"a": [1]})), "feather")


def test_a_header_of_too_many_columns_is_refused_before_it_becomes_a_table():
    content = b",".join(b"c%d" % index for index in range(20_000)) + b"\n"
    with memory_below(40), pytest.raises(TooLarge, match=r"server\.limits\.columns"):
        read(content, "csv", Limits(columns=100))


@pytest.mark.parametrize("name", ["xlsx", "ods"])
def test_an_archive_without_its_sheet_is_400(name):
    with pytest.raises(BadRequest):
        read(zipped({"a.txt": "a"}), name)
