"""Damaged files of every format are read or refused; nothing else comes out, and the process lives.

Some readers are native code, so the files are read in a process of their own: a crash there is a failed test here.
"""

import gzip
import multiprocessing
import random
import resource
import struct
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pandas as pd
import pyarrow as pa
import pytest

from server.config import Limits
from server.errors import ServerError
from server.tables.formats import Upload
from server.tables.reading import read_upload
from server.tables.writing import write_table
from tests.tables.samples import FILES, feather, ods, ods_cell, ods_row, parquet

pytestmark = pytest.mark.slow

LIMITS = Limits(unpacked_mb=64)
CASES = 300
FRAME = pd.DataFrame(
    {
        "Age": [22.0, None, 3.5] * 4,
        "Sex": ["male", "female", None] * 4,
        "n": range(12),
        "b": [True, False, True] * 4,
        "when": pd.to_datetime(["2020-01-01", None, "2020-01-03"] * 4),
        "l": [[1, 2], [], [3]] * 4,
    }
)
TABLE = pa.Table.from_pandas(FRAME)
VALID = FILES | {name: write_table(FRAME, name) for name in ("csv", "json", "jsonl", "xlsx")}
VALID |= {
    "csv.gz": gzip.compress(VALID["csv"]),
    "parquet": parquet(TABLE),
    "flat.parquet": parquet(TABLE.drop_columns(["l"])),
    "plain.parquet": parquet(TABLE, compression="none", use_dictionary=False),
    "feather": feather(TABLE),
    "lz4.feather": feather(TABLE, "lz4"),
    "zstd.feather": feather(TABLE, "zstd"),
    "ods": ods(ods_row(ods_cell("a") + ods_cell("b")) + ods_row(ods_cell(22, 2), 3)),
}


# These are read in a process of their own each time, which takes a sixth of a second.
CONFINED = ("xlsx", "xls", "ods", "feather", "lz4.feather", "zstd.feather", "parquet", "plain.parquet")


def truncated(content: bytes, seed: int, count: int = CASES) -> list[bytes]:
    chance = random.Random(seed)
    return [content[: chance.randrange(len(content))] for _ in range(count // 3)]


def flipped(content: bytes, seed: int, count: int = CASES) -> list[bytes]:
    chance = random.Random(seed)
    cases = []
    for _ in range(count):
        damaged = bytearray(content)
        for _ in range(chance.choice((1, 1, 2, 8))):
            damaged[chance.randrange(len(damaged))] = chance.choice((chance.randrange(256), 0, 127, 255))
        cases.append(bytes(damaged))
    return cases


def failures(name: str, cases: list[bytes]) -> list[str]:
    """What came out that is neither rows nor an error that blames the file."""
    found = []
    for case in cases:
        try:
            read_upload(Upload(case, name), LIMITS)
        except ServerError as error:
            if not 400 <= error.status < 500:
                found.append(repr(error))
        except Exception as error:  # noqa: BLE001 - every kind is what is looked for
            found.append(f"{type(error).__name__}: {error}")
    return sorted(set(found))


def bound_memory():
    """A reader that asks for far too much must fail alone, not take the machine with it."""
    resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))


class Reader:
    """Calls `failures` (or another function) in another process, which is replaced when it dies."""

    def __init__(self):
        self.pool = None

    def __call__(self, name, cases, call=failures):
        self.pool = self.pool or ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=bound_memory)
        try:
            return self.pool.submit(call, name, cases).result(timeout=120)
        except BrokenProcessPool:
            self.close()
            return ["the process that read the files died"]

    def close(self):
        if self.pool:
            self.pool.shutdown()
        self.pool = None


@pytest.fixture(scope="module")
def reader():
    reader = Reader()
    yield reader
    reader.close()


@pytest.mark.parametrize("name", VALID)
def test_the_undamaged_files_are_read(name):
    assert failures(f"x.{name}", [VALID[name]]) == []
    assert not read_upload(Upload(VALID[name], f"x.{name}"), LIMITS).empty


@pytest.mark.parametrize("damage", [truncated, flipped])
@pytest.mark.parametrize("name", VALID)
def test_a_damaged_file_is_read_or_refused(reader, name, damage):
    assert reader(f"x.{name}", damage(VALID[name], 1, 15 if name in CONFINED else CASES)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", VALID)
def test_a_damaged_file_is_read_or_refused_in_many_more_cases(reader, name):
    assert reader(f"x.{name}", flipped(VALID[name], 2, 60 if name in CONFINED else CASES)) == []


@pytest.mark.parametrize("name", VALID)
def test_a_file_under_another_formats_name_is_read_or_refused(reader, name):
    for other in FILES:
        assert reader(f"x.{other}", [VALID[name]]) == [], other


def readable(name: str, case: bytes) -> bool:
    """Whether the file is taken for a table."""
    try:
        read_upload(Upload(case, name), LIMITS)
    except ServerError:
        return False
    return True


@pytest.mark.parametrize("middle", [8, 600, 2**24, -1])
@pytest.mark.parametrize("cells", [["abc", "defg", "x"], [[1, 2, 3], [4, 5, 6, 7], [8]]])
def test_a_cell_that_lies_outside_its_bytes_is_refused_and_other_memory_never_answered(reader, cells, middle):
    content = feather(pa.table({"a": cells}))
    offsets = struct.pack("<iiii", 0, 3, 7, 8)
    assert content.count(offsets) == 1
    damaged = content.replace(offsets, struct.pack("<iiii", 0, middle, 7, 8))
    assert reader("x.feather", content, call=readable) is True
    assert reader("x.feather", damaged, call=readable) is False
