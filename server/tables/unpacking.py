"""Compressed bodies, measured while they are unpacked: a small body must not become a large memory, or file."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from typing import IO

from server.config import Limits
from server.errors import BadRequest, UnsupportedFormat, too_large_unpacked
from server.tables.spooling import CHUNK, chunks_of, held_chunks, spooled

# What is packed twice was packed by accident, and more often by nobody.
MOST_ENCODINGS = 2
Unpack = Callable[[IO[bytes], Limits, str], Iterator[bytes]]


def gunzipped(file: IO[bytes], limits: Limits, what: str) -> Iterator[bytes]:
    """The bytes within a gzip stream (RFC 1952), members one after another.

    Raises:
        BadRequest: the stream is damaged or ends early.
        TooLarge: more than limits.unpacked_mb come out.
    """
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


def inflated(file: IO[bytes], limits: Limits, what: str) -> Iterator[bytes]:
    """The bytes within a zlib stream (RFC 1950).

    Raises:
        BadRequest: the stream is damaged or ends early.
        TooLarge: more than limits.unpacked_mb come out.
    """
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
        UnsupportedFormat: an encoding other than gzip, deflate and identity, or more than two of them.
    """
    found: list[Unpack] = []
    for name in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if name in ("gzip", "x-gzip"):
            found.append(gunzipped)
        elif name == "deflate":
            found.append(inflated)
        elif name != "identity":
            raise UnsupportedFormat(f"Content-Encoding {name} is not supported; use gzip, deflate or none")
    if len(found) > MOST_ENCODINGS:
        raise UnsupportedFormat(
            f"the body has {len(found)} Content-Encodings, one within another; {MOST_ENCODINGS} are read, one is enough"
        )
    return found


def decoded_file(file: IO[bytes], encoding: str, limits: Limits, whole: bool = False) -> IO[bytes]:
    """A body in a file without its Content-Encoding, in a file; the one that was given is closed if it is another.

    One that can only be read as a whole is unpacked no further than such a body may grow.

    Raises:
        UnsupportedFormat: see `unpacking`.
        BadRequest, TooLarge: it is damaged, or grows too far.
        StorageFull: there is no room for it.
    """
    for unpack in unpacking(encoding):
        with closing(file):
            chunks = unpack(file, limits, "the body")
            file = spooled(held_chunks(chunks, limits, "the body") if whole else chunks)
    return file


def decoded(content: bytes, encoding: str, limits: Limits) -> bytes:
    """A body without its Content-Encoding, in memory; it lies in a file until it is known to be small enough.

    Raises:
        TooLarge: it is larger than a body without an encoding may be.
        UnsupportedFormat, BadRequest, StorageFull: as `decoded_file`.
    """
    with closing(decoded_file(BytesIO(content), encoding, limits, whole=True)) as file:
        return file.read()
