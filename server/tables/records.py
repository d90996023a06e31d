"""A text file in pieces that end where a record ends, of which one after another is in memory."""

import re
from collections.abc import Callable, Iterator
from typing import IO

# How far a record is looked for beyond a piece at first.
AHEAD = 1 << 16
# A carriage return at the very end may be half of a line's end.
LINE_END = re.compile(rb"\r\n|\n|\r(?=[\s\S])")

# Where the record ends that goes on at the position given; None if that is not to be seen yet.
RecordEnd = Callable[[bytes, int], int | None]


def pieces(file: IO[bytes], end: RecordEnd, size: int, most: int) -> Iterator[bytes]:
    """The rest of the file in pieces of about `size` bytes, each ending where a record does.

    A record that is longer than a piece and `most` bytes is handed out unfinished, for the parser to refuse.
    """
    buffer = file.read(size + AHEAD)
    while buffer:
        cut = end(buffer, size) if len(buffer) > size else None
        while cut is None:
            ahead = min(len(buffer), size + most) if len(buffer) < size + most else 0
            more = file.read(ahead)
            if not more:
                cut = len(buffer)
            else:
                buffer += more
                cut = end(buffer, size) if len(buffer) > size else None
        yield buffer[:cut]
        buffer = buffer[cut:]
        buffer += file.read(max(0, size + AHEAD - len(buffer)))


def line_end(buffer: bytes, position: int) -> int | None:
    """Where the line ends that the position, or the byte before it, is in."""
    found = LINE_END.search(buffer, position - 1)
    return found.end() if found else None


def _quoted(delimiters: str) -> bytes:
    """A cell in quotes, behind one of the delimiters; as a pattern."""
    return rb"(?:(?<=[\r\n" + re.escape(delimiters.encode()) + rb'])|\A)"(?:[^"]++|"")*+"'


def _stray(delimiters: str) -> bytes:
    """A quote that opens no cell; as a pattern."""
    return rb"(?<=[^\r\n" + re.escape(delimiters.encode()) + rb'])"'


def first_record(text: bytes, delimiters: str) -> bytes:
    """The first record of delimited text without its line's end, and without what is quoted, as far as that is closed.

    See `csv_record_end`; each of the delimiters may stand between cells.
    """
    quoted, stray = _quoted(delimiters), _stray(delimiters)
    found = re.match(rb'(?:[^"\r\n]++|' + quoted + rb"|" + stray + rb")*+", text)
    return re.sub(quoted, b"", found.group()) if found else b""


def csv_record_end(delimiter: str) -> RecordEnd:
    """Where a record of delimited text ends, as Arrow's parser has it.

    A quote opens a cell only at its very beginning, is doubled within, and means nothing elsewhere; lines may
    end within quotes, and by a line feed, a carriage return or both.
    """
    quoted, stray = _quoted(delimiter), _stray(delimiter)
    # Possessive: what was passed once is never gone through again.
    outside = re.compile(rb'(?:[^"]++|' + quoted + rb"|" + stray + rb")*+")
    ending = re.compile(rb'(?:[^"\r\n]++|' + quoted + rb"|" + stray + rb")*+(?:" + LINE_END.pattern + rb")")

    def end(buffer: bytes, position: int) -> int | None:
        # A quote just before the position may close a cell, or be the first of two.
        position = len(buffer[:position].rstrip(b'"'))
        if b'"' in buffer[:position]:
            passed = outside.match(buffer, 0, position)
            position = passed.end() if passed else 0
        found = ending.match(buffer, position)
        return found.end() if found else None

    return end
