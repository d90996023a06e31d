"""Text sent as bytes or as a file: UTF-8 with or without a byte order mark, and no NULs."""

import codecs
import itertools
from typing import IO

from server.errors import BadRequest
from server.tables.spooling import chunks_of

MARK = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def decode_text(content: bytes, what: str) -> bytes:
    """The text without its byte order mark, checked to be UTF-8 without NULs.

    Raises:
        BadRequest: it is not.
    """
    if content.startswith(UTF_16):
        raise _utf_16(what)
    content = content.removeprefix(MARK)
    if not content.isascii():
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _not_utf8(what, error.start) from error
    if b"\0" in content:
        raise _nul(what, content.index(0))
    return content


def check_text(file: IO[bytes], what: str) -> int:
    """Check a file as `decode_text` does; where its text begins, behind the byte order mark.

    Raises:
        BadRequest: it is no UTF-8, or holds a NUL.
    """
    file.seek(0)
    head = file.read(len(MARK))
    if head.startswith(UTF_16):
        raise _utf_16(what)
    begin = len(MARK) if head == MARK else 0
    file.seek(begin)
    decoder = codecs.getincrementaldecoder("utf-8")()
    read, nul = 0, None
    for chunk in itertools.chain(chunks_of(file), [b""]):
        waiting = len(decoder.getstate()[0])
        if waiting or not chunk or not chunk.isascii():
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise _not_utf8(what, read - waiting + error.start) from error
        if nul is None and b"\0" in chunk:
            nul = read + chunk.index(0)
        read += len(chunk)
    if nul is not None:
        raise _nul(what, nul)
    return begin


def _utf_16(what: str) -> BadRequest:
    return BadRequest(f"{what} is UTF-16; save it as UTF-8")


def _not_utf8(what: str, place: int) -> BadRequest:
    return BadRequest(f"{what} is not UTF-8 (byte {place}); save it as UTF-8")


def _nul(what: str, place: int) -> BadRequest:
    return BadRequest(f"{what} holds a NUL byte at {place}; it is not text")
