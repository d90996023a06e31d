"""Temporary files for what is too large to be kept in memory: bodies sent, unpacked tables, long answers."""

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from server.config import Limits
from server.errors import StorageFull, TooLarge

CHUNK = 1 << 20
# What is smaller is quicker read, and answered, as a whole.
SPOOLED = 16 * CHUNK
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def temporary_room() -> Iterator[None]:
    """Say clearly when the folder of temporary files is full.

    Raises:
        StorageFull: something within could not be written for lack of space.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StorageFull(
            f"no space is left for temporary files in {tempfile.gettempdir()!r} (TMPDIR); nothing was changed: "
            "free some space, or send less"
        ) from error


def spooled(chunks: Iterable[bytes]) -> IO[bytes]:
    """An open temporary file without a name that holds the chunks, at its beginning.

    Raises:
        StorageFull: there is no room for it.
    """
    with temporary_room():
        file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever asked for it closes it
    try:
        for chunk in chunks:
            with temporary_room():
                file.write(chunk)
        with temporary_room():
            file.flush()
        file.seek(0)
    except BaseException:
        # What waits in the buffer may find no room either.
        with suppress(OSError):
            file.close()
        raise
    return file


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """The file from its present position to its end."""
    while chunk := file.read(CHUNK):
        yield chunk


def is_blank(file: IO[bytes], begin: int = 0) -> bool:
    """Whether there is nothing but white space in the file; it is at this position before and afterwards."""
    file.seek(begin)
    blank = not any(chunk.strip() for chunk in chunks_of(file))
    file.seek(begin)
    return blank


def held(file: IO[bytes], limits: Limits, what: str) -> bytes:
    """All bytes of a file that holds an unpacked body: as many as may come in one that is not packed.

    Raises:
        TooLarge: there are more.
    """
    if size_of(file) > limits.body_mb * 2**20:
        raise _too_large_to_hold(limits, what)
    return file.read()


def held_chunks(chunks: Iterable[bytes], limits: Limits, what: str) -> Iterator[bytes]:
    """The chunks of an unpacked body that can only be read as a whole, as long as it is small enough for `held`.

    Raises:
        TooLarge: it grows further.
    """
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limits.body_mb * 2**20:
            raise _too_large_to_hold(limits, what)
        yield chunk


def _too_large_to_hold(limits: Limits, what: str) -> TooLarge:
    return TooLarge(
        f"{what} holds more than {limits.body_mb:g} MiB when it is unpacked, and can only be read as a whole, "
        "for which a body's limit holds (server.limits.body_mb); send less, or a table as CSV, JSON lines, Parquet"
    )


def size_of(file: IO[bytes]) -> int:
    """The file's length in bytes; it is at its beginning afterwards."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size
