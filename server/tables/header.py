"""The header of delimited text: what separates its names, and how many there are."""

from server.config import Limits
from server.tables.extent import too_many_columns
from server.tables.records import first_record

DELIMITERS = (",", ";", "\t", "|")


def checked_delimiter(content: bytes, delimiter: str | None, what: str, limits: Limits | None) -> str:
    """What separates the cells: the delimiter given, or that which stands most often in the header.

    To parse first what has too many columns would take 8 KiB for each name, of which the allocator gives little back.

    Args:
        content: the text, or as much of its beginning as the longest record that the parser takes.
        delimiter: None if it is not known.
        what: what to call the text.
        limits: None for any number of columns.

    Raises:
        TooLarge: the header names more columns than the limits allow.
    """
    content = content.lstrip(b"\r\n")
    found = delimiter or _likeliest(content)
    if limits:
        # What is quoted for one delimiter need not be so for another.
        count = first_record(content, found).count(found.encode()) + 1
        if count > limits.columns:
            raise too_many_columns(count, what, limits)
    return found


def _likeliest(content: bytes) -> str:
    names = first_record(content, "".join(DELIMITERS))
    return max(DELIMITERS, key=lambda delimiter: names.count(delimiter.encode()))
