"""Compressed bodies, measured while they are unpacked: a small body must not become a large memory."""

import gzip
import zlib
from io import BytesIO

from server.config import Limits
from server.errors import BadRequest, UnsupportedFormat, too_large_unpacked

CHUNK = 1 << 20


def gunzip(content: bytes, limits: Limits, what: str) -> bytes:
    """The bytes within a gzip stream (RFC 1952), members one after another.

    Raises:
        BadRequest: the stream is damaged or ends early.
        TooLarge: more than limits.unpacked_mb come out.
    """
    most = int(limits.unpacked_mb * 2**20)
    parts: list[bytes] = []
    size = 0
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as stream:
            while part := stream.read(CHUNK):
                size += len(part)
                if size > most:
                    raise too_large_unpacked(what, limits.unpacked_mb)
                parts.append(part)
    except (OSError, EOFError, zlib.error) as error:
        raise BadRequest(f"{what} is not a readable gzip stream: {error}") from error
    return b"".join(parts)


def inflate(content: bytes, limits: Limits, what: str) -> bytes:
    """The bytes within a zlib stream (RFC 1950).

    Raises:
        BadRequest: the stream is damaged or ends early.
        TooLarge: more than limits.unpacked_mb come out.
    """
    most = int(limits.unpacked_mb * 2**20)
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(content, most + 1)
    except zlib.error as error:
        raise BadRequest(f"{what} is not a readable deflate stream: {error}") from error
    if len(unpacked) > most:
        raise too_large_unpacked(what, limits.unpacked_mb)
    if not stream.eof:
        raise BadRequest(f"{what} is a compressed stream that ends early")
    return unpacked


def decoded(content: bytes, encoding: str, limits: Limits) -> bytes:
    """The body without its Content-Encoding.

    Raises:
        UnsupportedFormat: an encoding other than gzip, deflate and identity.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if name in ("gzip", "x-gzip"):
            content = gunzip(content, limits, "the body")
        elif name == "deflate":
            content = inflate(content, limits, "the body")
        elif name != "identity":
            raise UnsupportedFormat(f"Content-Encoding {name} is not supported; use gzip, deflate or none")
    return content
