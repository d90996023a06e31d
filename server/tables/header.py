"""The header of delimited text: what separates its names, and how many there are."""

import re

from server.config import Limits
from server.tables.extent import too_many_columns

QUOTED = re.compile(r'"[^"]*"')
# As much as is looked at.
MOST_HEADER = 1 << 20
DELIMITERS = (",", ";", "\t", "|")


def checked_delimiter(content: bytes, delimiter: str | None, what: str, limits: Limits | None) -> str:
    """What separates the cells: the delimiter given, or that which stands most often in the header.

    To parse first what has too many columns would take 8 KiB for each name, of which the allocator gives little back.

    Raises:
        TooLarge: the header names more columns than the limits allow, if any are given.
    """
    names = _header(content)
    found = delimiter or max(DELIMITERS, key=names.count)
    count = names.count(found) + 1
    # A quote that is never closed is the parser's to tell.
    if limits and count > limits.columns and '"' not in names:
        told = f"{count}" if len(content) < MOST_HEADER else f"at least {count}"
        raise too_many_columns(told, what, limits)
    return found


def _header(content: bytes) -> str:
    """The first record, which may span lines when quoted, with quoted names taken out."""
    begin = len(content) - len(content.lstrip(b"\r\n"))
    text = content[begin : begin + MOST_HEADER]
    end = quotes = 0
    for line in text.splitlines(keepends=True):
        end += len(line)
        # Line by line: where a quote is never closed, to count from the beginning again would take minutes.
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            break
    return QUOTED.sub("", text[:end].decode("utf-8", errors="replace"))
