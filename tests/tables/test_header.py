"""What a CSV file's first line tells before anything is parsed."""

import pytest

from server.config import Limits
from server.errors import BadRequest, TooLarge
from server.tables.formats import Upload
from server.tables.header import MOST_HEADER, checked_delimiter
from server.tables.reading import read_upload

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


def test_a_header_longer_than_is_looked_at_has_at_least_so_many():
    with pytest.raises(TooLarge, match="at least"):
        checked_delimiter(names_of(MOST_HEADER // 4)[:MOST_HEADER], ",", "a.csv", LIMITS)
