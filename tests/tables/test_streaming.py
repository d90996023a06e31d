"""Files of any length are written part by part."""

import io
import json

import pandas as pd
import pytest

from server.tables.streaming import FORMATS, streamed

COLUMNS = {"id": "int", "note": "text"}
READERS = {
    "json": lambda content: json.loads(content),
    "jsonl": lambda content: [json.loads(line) for line in content.splitlines()],
    "csv": lambda content: pd.read_csv(io.BytesIO(content)).to_dict("records"),
    "parquet": lambda content: pd.read_parquet(io.BytesIO(content)).to_dict("records"),
}


def batches(count, taken):
    for number in range(count):
        taken.append(number)
        yield [{"id": 10 * number + row, "note": f'"{row}", and\nmore'} for row in range(10)]


@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_written_is_read_again(format_):
    content = b"".join(streamed(batches(5, []), COLUMNS, format_))
    assert READERS[format_](content) == [row for batch in batches(5, []) for row in batch]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_batch_is_taken_when_the_one_before_is_written(format_):
    taken: list[int] = []
    parts = streamed(batches(100, taken), COLUMNS, format_)
    assert next(part for part in parts if b"and" in part or format_ == "parquet")
    assert len(taken) <= 2
    assert sum(len(part) for part in parts) > 0
    assert len(taken) == 100


@pytest.mark.parametrize("format_", FORMATS)
def test_without_rows_there_is_an_empty_file(format_):
    content = b"".join(streamed([[]], COLUMNS, format_))
    assert READERS[format_](content) == []
