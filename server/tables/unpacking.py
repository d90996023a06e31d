"""Compressed bodies, measured while they are unpacked: a small body must not become a large memory, or file."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from typing import IO

from server.config import Limits
from server.errors import BadRequest, UnsupportedFormat, too_large_unpacked
from server.tables.spooling import CHUNK, chunks_of, spooled

Unpack = Callable[[IO[bytes], Limits, str], Iterator[bytes]]


def gunzip(content: bytes, limits: Limits, what: str) -> bytes:
    """The bytes within a gzip stream (RFC 1952), members one after another.

    Raises:
        BadRequest: the stream is damaged or ends early.
        TooLarge: more than limits.unpacked_mb come out.
    """
    return b"".join(gunzipped(BytesIO(content), limits, what))


def gunzipped(file: IO[bytes], limits: Limits, what: str) -> Iterator[bytes]:
    """As `gunzip`, part by part."""
    most = int(limits.unpacked_mb * 2**20)
    size = 0
    try:
        with gzip.GzipFile(fileobj=file) as stream:
            while part := stream.read(CHUNK):
                size += len(part)
                if size > most:
                    raise too_large_unpacked(what, limits.unpacked_mb)
                yield part
    except (OSError, EOFError, zlib.error) as error:
        raise BadRequest(f"{what} is not a readable gzip stream: {error}") from error


def inflate(content: bytes, limits: Limits, what: str) -> bytes:
    """The bytes within a zlib stream (RFC 1950).

    Raises:
        BadRequest: the stream is damaged or ends early.
        TooLarge: more than limits.unpacked_mb come out.
    """
    return b"".join(inflated(BytesIO(content), limits, what))


def inflated(file: IO[bytes], limits: Limits, what: str) -> Iterator[bytes]:
    """As `inflate`, part by part."""
    most = int(limits.unpacked_mb * 2**20)
    stream = zlib.decompressobj()
    size = 0
    try:
        for chunk in chunks_of(file):
            while chunk and not stream.eof:
                part = stream.decompress(chunk, CHUNK)
                chunk = stream.unconsumed_tail
                size += len(part)
                if size > most:
                    raise too_large_unpacked(what, limits.unpacked_mb)
                yield part
        yield stream.flush()
    except zlib.error as error:
        raise BadRequest(f"{what} is not a readable deflate stream: {error}") from error
    if not stream.eof:
        raise BadRequest(f"{what} is a compressed stream that ends early")


def unpacking(encoding: str) -> list[Unpack]:
    """What undoes a Content-Encoding, the last one first.

    Raises:
        UnsupportedFormat: an encoding other than gzip, deflate and identity.
    """
    found: list[Unpack] = []
    for name in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if name in ("gzip", "x-gzip"):
            found.append(gunzipped)
        elif name == "deflate":
            found.append(inflated)
        elif name != "identity":
            raise UnsupportedFormat(f"Content-Encoding {name} is not supported; use gzip, deflate or none")
    return found


def decoded(content: bytes, encoding: str, limits: Limits) -> bytes:
    """The body without its Content-Encoding.

    Raises:
        UnsupportedFormat: an encoding other than gzip, deflate and identity.
    """
    for unpack in unpacking(encoding):
        content = b"".join(unpack(BytesIO(content), limits, "the body"))
    return content


def decoded_file(file: IO[bytes], encoding: str, limits: Limits) -> IO[bytes]:
    """A body in a file without its Content-Encoding, in a file; the one that was given is closed if it is another.

    Raises:
        UnsupportedFormat: an encoding other than gzip, deflate and identity.
        StorageFull: there is no room for it.
    """
    for unpack in unpacking(encoding):
        with closing(file):
            file = spooled(unpack(file, limits, "the body"))
    return file
