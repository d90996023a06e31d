"""The header of delimited text: what separates its names, and how many there are."""

import re

from server.config import Limits
from server.errors import TooLarge

QUOTED = re.compile(r'"[^"]*"')
# As much as is looked at.
MOST_HEADER = 1 << 20
DELIMITERS = (",", ";", "\t", "|")


def find_delimiter(content: bytes) -> str:
    """The delimiter that stands most often in the header."""
    return max(DELIMITERS, key=_header(content).count)


def check_header(content: bytes, delimiter: str, what: str, limits: Limits) -> None:
    """Accept a text whose header names no more columns than allowed.

    To parse it first would take 8 KiB for each name, of which the allocator gives little back.

    Raises:
        TooLarge: it names more.
    """
    names = _header(content)
    count = names.count(delimiter) + 1
    # A quote that is never closed is the parser's to tell.
    if count > limits.columns and '"' not in names:
        told = f"{count}" if len(content) < MOST_HEADER else f"at least {count}"
        raise TooLarge(f"{what} has {told} columns; {limits.columns} are allowed (server.limits.columns)")


def _header(content: bytes) -> str:
    """The first record, which may span lines when quoted, with quoted names taken out."""
    begin = len(content) - len(content.lstrip(b"\r\n"))
    text = content[begin : begin + MOST_HEADER]
    end = 0
    for line in text.splitlines(keepends=True):
        end += len(line)
        if text[:end].count(b'"') % 2 == 0:
            break
    return QUOTED.sub("", text[:end].decode("utf-8", errors="replace"))
