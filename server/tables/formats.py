"""Which format some bytes are in: by file name, then content type, then content."""

import re
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import IO

from server.config import Limits
from server.errors import UnsupportedFormat
from server.tables.spooling import CHUNK, held

READABLE = ("csv", "tsv", "json", "jsonl", "xlsx", "xls", "ods", "parquet", "feather")
# Of those, what has no parts to be read one after another.
WHOLE = frozenset({"json", "xlsx", "xls", "ods", "feather"})
BY_EXTENSION = {
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "json": "json",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
    "xls": "xls",
    "ods": "ods",
    "parquet": "parquet",
    "pq": "parquet",
    "feather": "feather",
    "arrow": "feather",
}
BY_CONTENT_TYPE = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/json": "json",
    "text/json": "json",
    "application/jsonl": "jsonl",
    "application/json-lines": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.arrow.file": "feather",
}
REFUSED_EXTENSIONS = frozenset({"pkl", "pickle", "joblib", "dill", "h5", "hdf", "hdf5", "npy", "npz", "pt", "pth"})
REFUSED_TYPES = frozenset(
    {"application/x-hdf", "application/x-hdf5", "application/x-pickle", "application/python-pickle"}
)
NO_SPACE = re.compile(rb"\S")
UNSAFE = "pickle and HDF5 files can run code when they are read and are refused"


@dataclass(frozen=True)
class Upload:
    """What a client sent, as bytes or, if it is large, in an open file; and what it said of it."""

    body: bytes | IO[bytes]
    filename: str | None = None
    content_type: str | None = None

    @property
    def is_large(self) -> bool:
        """Whether it lies in a file."""
        return not isinstance(self.body, bytes)

    @property
    def content(self) -> bytes:
        """All bytes; those of a file are read each time, and stay in memory only as long as they are used."""
        return self.body if isinstance(self.body, bytes) else self.opened().read()

    def held(self, limits: Limits) -> bytes:
        """All bytes, where nobody looked through them before.

        Raises:
            TooLarge: it was unpacked, and is larger than a body may be.
        """
        return self.body if isinstance(self.body, bytes) else held(self.body, limits, self.label)

    @property
    def head(self) -> bytes:
        """The bytes by which a format is known: of a file the first of them."""
        return self.body if isinstance(self.body, bytes) else self.opened().read(CHUNK)

    def opened(self) -> IO[bytes]:
        """A file of the bytes, at its beginning."""
        if isinstance(self.body, bytes):
            return BytesIO(self.body)
        self.body.seek(0)
        return self.body

    @property
    def extension(self) -> str:
        """The file name's last ending in lower case, without the dot; '' without one."""
        return _extension(self.filename)

    @property
    def label(self) -> str:
        """What to call it in a message."""
        return self.filename or "the body"


def format_of(upload: Upload) -> str:
    """The format's name, one of READABLE.

    Raises:
        UnsupportedFormat: the bytes are in no readable format, or in one that is refused.
    """
    refuse_unsafe(upload)
    return _named(upload.filename, upload.content_type) or _by_content(upload)


def is_read_whole(filename: str | None, content_type: str | None) -> bool:
    """Whether what is so called can only be read as a whole."""
    return _named(filename, content_type) in WHOLE


def refuse_unsafe(upload: Upload) -> None:
    """Refuse what could run code: by ending, content type or first bytes.

    Raises:
        UnsupportedFormat: a pickle or an HDF5 file.
    """
    head = upload.head[:8]
    pickled = len(head) > 1 and head[0] == 0x80 and head[1] in range(2, 6)
    if (
        pickled
        or head == b"\x89HDF\r\n\x1a\n"
        or upload.extension in REFUSED_EXTENSIONS
        or (upload.content_type or "").lower() in REFUSED_TYPES
    ):
        raise UnsupportedFormat(f"{upload.label}: {UNSAFE}; send one of {', '.join(READABLE)}")


def _named(filename: str | None, content_type: str | None) -> str | None:
    extension = _extension(filename)
    named = BY_EXTENSION.get(extension) or BY_CONTENT_TYPE.get((content_type or "").lower())
    # Windows registers CSV files under Excel's content type.
    return None if named == "xls" and extension != "xls" else named


def _extension(filename: str | None) -> str:
    return PurePath(filename or "").suffix.lower().lstrip(".")


def _by_content(upload: Upload) -> str:
    content = upload.head
    if content.startswith(b"PAR1"):
        return "parquet"
    if content.startswith(b"ARROW1"):
        return "feather"
    if content.startswith(b"PK\x03\x04"):
        return _zipped(upload)
    if content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "xls"
    return _text(upload)


def _zipped(upload: Upload) -> str:
    try:
        with zipfile.ZipFile(upload.opened()) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        names = []
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "content.xml" in names:
        return "ods"
    raise _unknown(upload)


def _text(upload: Upload) -> str:
    content = upload.head
    first = NO_SPACE.search(content, 3 if content.startswith(b"\xef\xbb\xbf") else 0)
    start = first.group() if first else b""
    if start in (b"[", b"{"):
        return "json"
    printable = b"\0" not in content[:4096] and start != b"<" and not content.startswith(b"%PDF")
    if printable:
        try:
            content[:4096].decode("utf-8")
        except UnicodeDecodeError as error:
            printable = error.start > len(content[:4096]) - 4
    if not printable:
        raise _unknown(upload)
    return "csv"


def _unknown(upload: Upload) -> UnsupportedFormat:
    return UnsupportedFormat(f"{upload.label} is in no format that can be read; send one of {', '.join(READABLE)}")
