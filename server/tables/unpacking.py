"""Compressed bytes, measured while they are unpacked: a small body must not become a large memory."""

import re
import zipfile
import zlib
from io import BytesIO

from server.config import Limits
from server.errors import BadRequest, TooLarge, UnsupportedFormat

CHUNK = 1 << 20
# Memory that one spreadsheet cell takes in the reader, in bytes.
CELL_BYTES = 32
XLSX_CELL = re.compile(rb'<c\b[^>]*?\br="([A-Z]{1,4})(\d{1,9})"')
XLSX_ROW = re.compile(rb'<row\b[^>]*?\br="(\d{1,9})"')
ODS_REPEAT = re.compile(rb'number-(?:rows|columns)-repeated="(\d+)"')


def too_large(what: str, limits: Limits) -> TooLarge:
    """The error for contents that grow beyond the limit."""
    return TooLarge(f"{what} grows beyond {limits.unpacked_mb:g} MiB when it is unpacked (server.limits.unpacked_mb)")


def gunzip(content: bytes, limits: Limits, what: str) -> bytes:
    """The bytes within a gzip or zlib stream (RFC 1952, RFC 1950), members one after another.

    Raises:
        BadRequest: the stream is damaged or ends early.
        TooLarge: more than limits.unpacked_mb come out.
    """
    most = int(limits.unpacked_mb * 2**20)
    parts: list[bytes] = []
    size = 0
    rest = content
    try:
        while rest:
            stream = zlib.decompressobj(wbits=47)
            while not stream.eof:
                part = stream.decompress(rest, CHUNK)
                rest = stream.unconsumed_tail
                size += len(part)
                if size > most:
                    raise too_large(what, limits)
                parts.append(part)
                if not part and not rest and not stream.eof:
                    raise BadRequest(f"{what} is a compressed stream that ends early")
            rest = stream.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise BadRequest(f"{what} is not a readable gzip stream: {error}") from error
    return b"".join(parts)


def decoded(content: bytes, encoding: str, limits: Limits) -> bytes:
    """The body without its Content-Encoding.

    Raises:
        UnsupportedFormat: an encoding other than gzip, deflate and identity.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if name in ("gzip", "x-gzip", "deflate"):
            content = gunzip(content, limits, "the body")
        elif name != "identity":
            raise UnsupportedFormat(f"Content-Encoding {name} is not supported; use gzip, deflate or none")
    return content


def check_archive(content: bytes, limits: Limits, what: str) -> None:
    """Read a spreadsheet's archive once through, chunk by chunk, and measure what a reader would hold.

    The sizes in an archive's directory can lie; an entry longer than it says fails its checksum here.

    Raises:
        BadRequest: the archive is damaged.
        TooLarge: the contents, or the cells between the first and the last one, exceed limits.unpacked_mb.
    """
    most = int(limits.unpacked_mb * 2**20)
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > most:
                raise too_large(what, limits)
            for entry in archive.infolist():
                _check_entry(archive, entry, most, what, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadRequest(f"{what} is a damaged or encrypted file: {error}") from error


def _check_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int, what: str, limits: Limits) -> None:
    last_row = last_column = 0
    repeats = 1
    tail = b""
    with archive.open(entry) as stream:
        while chunk := stream.read(CHUNK):
            text = tail + chunk
            for letters, row in XLSX_CELL.findall(text):
                last_row, last_column = max(last_row, int(row)), max(last_column, _column_number(letters))
            for row in XLSX_ROW.findall(text):
                last_row = max(last_row, int(row))
            for count in ODS_REPEAT.findall(text):
                repeats = max(repeats, int(count) if len(count) < 10 else 10**10)
            tail = text[-256:]
    if last_row > limits.rows + 1:
        raise TooLarge(f"{what} has a row {last_row}; {limits.rows} rows are allowed (server.limits.rows)")
    if last_column > limits.columns:
        raise TooLarge(f"{what} has a column {last_column}; {limits.columns} are allowed (server.limits.columns)")
    if last_row * last_column * CELL_BYTES > most:
        raise too_large(what, limits)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
