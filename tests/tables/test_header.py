"""What a CSV file's first line tells before anything is parsed."""

import time
from contextlib import suppress

import pytest

from server.config import Limits
from server.errors import BadRequest, TooLarge
from server.tables.formats import Upload
from server.tables.header import checked_delimiter
from server.tables.reading import read_upload
from server.tables.text_formats import read_csv

LIMITS = Limits(columns=3)


def names_of(count: int, quote: str = "") -> bytes:
    return ",".join(f"{quote}c{index}{quote}" for index in range(count)).encode()


def upload(content: bytes) -> Upload:
    return Upload(content, "a.csv")


@pytest.mark.parametrize("rest", [b"", b"\n", b"\n1,2,3,4\n", b"\n1,2\n"], ids=["alone", "line", "row", "irregular"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_more_columns_than_allowed_are_counted(quote, rest):
    with pytest.raises(TooLarge, match=r"a\.csv has 4 columns; 3 are allowed \(server\.limits\.columns\)"):
        read_upload(upload(names_of(4, quote) + rest), LIMITS)


def test_nothing_is_parsed_of_what_has_too_many(monkeypatch):
    monkeypatch.setattr("server.tables.text_formats.parse_csv", lambda *_: pytest.fail("it was parsed"))
    with pytest.raises(TooLarge):
        read_upload(upload(names_of(4) + b"\n1,2,3,4\n"), LIMITS)


@pytest.mark.parametrize("header", [b"a,b,c", b'"a,b","c,d",e', b'"a\nb",c', b'"a "",b,"" c",d', b"\n\na,b,c"])
def test_what_is_quoted_is_no_column(header):
    assert len(read_upload(upload(header + b"\n"), LIMITS).columns) <= 3


def test_a_quote_without_end_is_told_as_such():
    with pytest.raises(BadRequest, match="regular CSV"):
        read_upload(upload(b'"a,b,c,d,e\n1,2,3,4,5\n'), LIMITS)


COMMAS = b"," * 9
HIDDEN = {
    "a quote in a name": b'a"' + COMMAS + b"\n",
    "quotes in two names": b'a"b' + COMMAS + b'c"d\n',
    "a quote that does not end behind them": COMMAS + b'"a\n1,2\n',
    "a quote in a name, and one in the next line": b'a"b' + COMMAS + b'\nc"d\n',
    "quotes behind another delimiter": b'a|"' + COMMAS + b'",b\n',
    "a long name before them": b'"' + b"x" * 2**21 + b'"' + COMMAS + b"\n",
}


@pytest.mark.parametrize("case", HIDDEN)
def test_columns_do_not_hide_between_quotes_that_mean_nothing(monkeypatch, case):
    monkeypatch.setattr("server.tables.text_formats.parse_csv", lambda *_: pytest.fail("it was parsed"))
    for delimiter in (None, ","):
        with pytest.raises(TooLarge, match="columns"):
            read_csv(HIDDEN[case], "a.csv", (), delimiter, LIMITS)


@pytest.mark.parametrize("part", [b'"', b'a"', b',"', b'"",', b'","\n', b'"\n', b'a"\n"'])
def test_a_header_of_quotes_takes_time_in_proportion(part):
    started = time.process_time()
    with suppress(TooLarge):
        checked_delimiter(part * 500_000, None, "a.csv", LIMITS)
    assert time.process_time() - started < 20


@pytest.mark.parametrize("name", [b'a"b', b'a"b"', b'12" disc', b'a ""quoted""'])
def test_a_quote_in_a_name_is_a_part_of_it(name):
    found = read_csv(name + b",b\n1,2\n", "a.csv", (), None, LIMITS)
    assert found.column_names == [name.decode(), "b"]
