"""Files that no door takes: each with the name that it bears, and what it says it is."""

import gzip
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa

from tests.conftest import ROW
from tests.tables.samples import FILES, XLS, feather, ods, ods_cell, ods_row, parquet, xlsx, zipped

MIB = 2**20
CSV, JSON, BINARY = "text/csv", "application/json", "application/octet-stream"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEAD = b"Sex,Age,SibSp,Parch,Fare,Pclass,Embarked,Survived\n"
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(512)
SCRIPT = "<script>alert(1)</script>"


@dataclass(frozen=True)
class HostileFile:
    """A body; `make` gives its bytes, as some of them are large."""

    name: str
    filename: str
    content_type: str
    make: Callable[[], bytes]

    @property
    def is_slow(self) -> bool:
        """Whether gigabytes must be unpacked to know it."""
        return self.name.endswith("in a gzip") and self.content_type == "application/gzip"


class Payload:
    """Unpickled, it leaves a file behind."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self._canary,)  # type: ignore[return-value]


@cache
def members(pattern: bytes, mib: int) -> bytes:
    """A gzip that holds the pattern over and over, in members of 16 MiB."""
    return gzip.compress(pattern * (16 * MIB // len(pattern)), 6) * (mib // 16)


@cache
def lying_workbook(mib: int, claimed: int) -> bytes:
    """A workbook whose sheet says that it is `claimed` bytes long, and is so many MiB of spaces."""
    content = bytearray(xlsx(" " * mib * MIB))
    entries = zipfile.ZipFile(BytesIO(content)).infolist()
    at = content.index(b"PK\x01\x02")
    for entry in entries:
        if entry.filename.endswith("sheet1.xml"):
            struct.pack_into("<I", content, at + 24, claimed)
            struct.pack_into("<I", content, entry.header_offset + 22, claimed)
        at = content.find(b"PK\x01\x02", at + 4)
    return bytes(content)


def laughs(depth: int) -> str:
    """Entities that grow tenfold with each level."""
    lines = ["<!DOCTYPE a [", '<!ENTITY e0 "ha">']
    lines += [f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, depth)]
    return "\n".join([*lines, "]>"])


def with_declaration(declaration: str, text: str) -> bytes:
    """A workbook whose sheet begins with a document type."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cell = f'<row r="1"><c r="A1" t="inlineStr"><is><t>{text}</t></is></c></row>'
    sheet = f'<?xml version="1.0"?>{declaration}<worksheet xmlns="{main}"><sheetData>{cell}</sheetData></worksheet>'
    return xlsx("", **{"xl/worksheets/sheet1.xml": sheet.encode()})


def _bombs() -> dict[str, tuple[str, str, Callable[[], bytes]]]:
    far = '<row r="1"><c r="A1"><v>1</v></c></row><row r="{0}"><c r="{1}{0}"><v>1</v></c></row>'
    repeated = pa.DictionaryArray.from_arrays(pa.array(np.zeros(40_000, "int32")), pa.array(["x" * 100_000]))
    wide = {str(name): pa.nulls(400_000) for name in range(900)}
    return {
        "zeros in a gzip": ("a.csv.gz", "application/gzip", lambda: members(b"\0", 3072)),
        "rows in a gzip": ("a.csv.gz", "application/gzip", lambda: members(b"1\n", 3072)),
        "a line in a gzip": ("a.csv.gz", "application/gzip", lambda: members(b"a,", 3072)),
        "brackets in a gzip": ("a.json.gz", "application/gzip", lambda: members(b"[", 64)),
        "a gzip in a gzip": ("a.csv.gz", "application/gzip", lambda: gzip.compress(members(b"\0", 3072))),
        "a sheet that says little": ("a.xlsx", SHEET, lambda: lying_workbook(64, 10)),
        "a sheet that says much": ("a.xlsx", SHEET, lambda: lying_workbook(64, 2**32 - 2)),
        "a far row": ("a.xlsx", SHEET, lambda: xlsx(far.format(1048576, "XFD"))),
        "a row beyond": ("a.xlsx", SHEET, lambda: xlsx(far.format(999999999, "A"))),
        "entities in a sheet": ("a.xlsx", SHEET, lambda: with_declaration(laughs(12), "&e11;")),
        "repeated rows": ("a.ods", BINARY, lambda: ods(ods_row(ods_cell("a")) + ods_row(ods_cell(1), 2**30))),
        "repeated cells": ("a.ods", BINARY, lambda: ods(ods_row(ods_cell(1, 2**30)))),
        "a far cell of old": ("a.xls", BINARY, _far_xls),
        "null columns": ("a.parquet", BINARY, lambda: parquet(pa.table(wide))),
        "null columns, feather": ("a.feather", BINARY, lambda: feather(pa.table(wide), "zstd")),
        "a repeated text": ("a.parquet", BINARY, lambda: parquet(pa.table({"a": repeated}))),
        "zeros, feather": ("a.feather", BINARY, lambda: feather(pa.table({"a": np.zeros(6_000_000)}), "zstd")),
    }


def _far_xls() -> bytes:
    content = bytearray(XLS)
    at = content.index(struct.pack("<HHHH", 0x027E, 10, 1, 0))
    struct.pack_into("<HH", content, at + 4, 65535, 255)
    return bytes(content)


def _code(canary: Path) -> dict[str, tuple[str, str, Callable[[], bytes]]]:
    """What runs something when a careless reader loads it."""
    object_ = Payload(canary)
    array = BytesIO()
    np.save(array, np.array([object_], dtype=object), allow_pickle=True)
    packed = BytesIO()
    joblib.dump(object_, packed, compress=3)
    found: dict[str, tuple[str, str, Callable[[], bytes]]] = {}
    for protocol in range(6):
        content = pickle.dumps(object_, protocol)
        for name in ("model.pkl", "a.csv", "a.parquet"):
            kind = CSV if name == "a.csv" else BINARY
            found[f"a pickle {protocol} as {name}"] = (name, kind, lambda content=content: content)
    found |= {
        "a pickle packed": ("a.csv.gz", BINARY, lambda: gzip.compress(pickle.dumps(object_))),
        "joblib's": ("a.joblib", BINARY, packed.getvalue),
        "NumPy's": ("a.npy", BINARY, array.getvalue),
        "torch's": ("a.pt", BINARY, lambda: zipped({"archive/data.pkl": pickle.dumps(object_)})),
        "YAML": ("a.yaml", "application/yaml", lambda: f"!!python/object/apply:os.mknod ['{canary}']".encode()),
        "a shell script": ("a.sh", "application/x-sh", lambda: f"#!/bin/sh\ntouch {canary}\n".encode()),
        "HTML": ("a.html", "text/html", lambda: f"<html>{SCRIPT}</html>".encode()),
        "SVG": ("a.svg", "image/svg+xml", lambda: f"<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>".encode()),
        "an executable": ("a.exe", BINARY, lambda: b"MZ" + bytes(512)),
        "a library": ("a.so", BINARY, lambda: b"\x7fELF" + bytes(512)),
        "a PDF": ("a.pdf", "application/pdf", lambda: b"%PDF-1.7\n" + bytes(512)),
        "a picture": ("a.png", "image/png", lambda: b"\x89PNG\r\n\x1a\n" + bytes(512)),
        "SQLite's": ("a.db", BINARY, lambda: b"SQLite format 3\0" + bytes(512)),
    }
    for name in ("a.h5", "a.hdf5", "a.csv", "a.xlsx", "a.json", "a"):
        found[f"HDF5 as {name}"] = (name, BINARY, lambda: HDF5)
    return found


def _json() -> dict[str, tuple[str, str, Callable[[], bytes]]]:
    def row(**changes: object) -> str:
        return json.dumps([ROW | {"Survived": 1} | changes])

    def number(written: str) -> bytes:
        return row(Age="@").replace('"@"', written).encode()

    deep = 200_000
    bodies: dict[str, bytes] = {
        "lists in lists": b"[" * deep + b"]" * deep,
        "objects in objects": b'{"a":' * deep + b"1" + b"}" * deep,
        "lists that do not end": b"[" * deep,
        "lists in a cell": number("[" * 900 + "]" * 900),
        "a number alone": b"5",
        "a text alone": b'"<script>"',
        "true": b"true",
        "lists of lists": b"[[1, 2], [3, 4]]",
        "rows and no rows": b'[{"Age": 1}, 2]',
        "cut off": row().encode()[:-5],
        "something behind": row().encode() + b"}",
        "two values": row().encode() * 2,
        "single quotes": row().replace('"', "'").encode(),
        "a comma more": row().encode()[:-1] + b",]",
        "a comment": b"/* */" + row().encode(),
        "columns of unequal length": b'{"Age": [1, 2], "Sex": ["male"]}',
        "NaN": number("NaN"),
        "Infinity": number("-Infinity"),
        "a hexadecimal": number("0x1F"),
        "a plus": number("+1"),
        "leading zeros": number("007"),
        "no text in UTF-8": row(Sex="@").encode().replace(b"@", b"\xff\xfe"),
        "too long UTF-8": row(Sex="@").encode().replace(b"@", b"\xc0\xaf"),
        "half a surrogate": row(Sex="@").encode().replace(b"@", b"\xed\xa0\x80"),
        "a control character": row(Sex="@").encode().replace(b"@", b"\x01"),
        "UTF-16 without a mark": row().encode("utf-16-be"),
        "NULs": bytes(64),
        "an object for a number": row(Age={"$gt": 0}).encode(),
        "a list for a number": row(Age=[22]).encode(),
        "a text for a number": row(Age=SCRIPT).encode(),
        "a formula for a number": row(Age="=cmd|' /C calc'!A0").encode(),
        "SQL for a number": row(Age="1; DROP TABLE runs").encode(),
        "a template for a number": row(Age="{{ 7 * 7 }}").encode(),
        "code for a number": row(Age="__import__('os').system('id')").encode(),
        "a number without bounds": number("1e999"),
        "an integer without bounds": number("9" * 5000),
        "no cells of a number": row(Age="9" * 5000).encode(),
        "ever new columns": json.dumps([{f"c{index}": 1} for index in range(10_100)]).encode(),
    }
    return {name: ("a.json", JSON, lambda content=content: content) for name, content in bodies.items()}


def _texts() -> dict[str, tuple[str, str, Callable[[], bytes]]]:
    line = b"male,22,1,0,7.25,3,S,0\n"
    bodies: dict[str, bytes] = {
        "a row too short": HEAD + line + b"male,22\n",
        "a row too long": HEAD + line + line[:-1] + b",1,2\n",
        "a quote that does not end": HEAD + b'"male,22,1,0,7.25,3,S,0\n' * 3,
        "names twice": b"Sex,Age,Sex\nmale,22,male\n",
        "names for all and none": b",,\n1,2,3\n",
        "no text in UTF-8": HEAD + line.replace(b"male", b"\xff\xfe\xfd"),
        "half of UTF-16": (HEAD + line).decode().encode("utf-16")[:-1],
        "NULs": HEAD + bytes(300),
        "NULs in a cell": HEAD + line.replace(b"22", b"2\x002"),
        "columns without end": b",".join(b"c%d" % index for index in range(10_100)) + b"\n",
        "a script for a number": HEAD + line.replace(b"22", SCRIPT.encode()),
        "a formula for a number": HEAD + line.replace(b"22", b"=HYPERLINK(0)"),
        "a cell without end": HEAD + line.replace(b"22", b"9" * 2_000_000),
        "a quote without end": b'"' + b"\n1" * 500_000,
        "random bytes": bytes(range(128, 256)) * 40,
        "one byte": b"\xff",
    }
    found = {f"CSV: {name}": ("a.csv", CSV, lambda content=content: content) for name, content in bodies.items()}
    for name in ("a row too short", "no text in UTF-8", "NULs"):
        found[f"gzip: {name}"] = ("a.csv.gz", BINARY, lambda content=bodies[name]: gzip.compress(content))
    return found


def _damaged() -> dict[str, tuple[str, str, Callable[[], bytes]]]:
    """Files of every binary format, cut off, turned round, or around what leads elsewhere."""
    found: dict[str, tuple[str, str, Callable[[], bytes]]] = {}
    for name in ("xlsx", "ods", "xls", "parquet", "feather", "csv.gz", "json.gz"):
        content = FILES[name]
        middle = len(content) // 2
        broken = {
            "cut off": content[:middle],
            "its end lost": content[:-12],
            "its middle lost": content[: middle - 40] + bytes(80) + content[middle + 40 :],
        }
        for what, changed in broken.items():
            found[f"{name}, {what}"] = (f"a.{name}", BINARY, lambda changed=changed: changed)
    outside = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    return found | {
        "a part of another file": ("a.xlsx", SHEET, lambda: with_declaration(outside, "&e;")),
        "names that lead out": ("a.xlsx", SHEET, lambda: zipped({"../../../../tmp/escaped": "x"})),
        "a zip of nothing": ("a.xlsx", SHEET, lambda: zipped({})),
        "a zip": ("a.zip", "application/zip", lambda: zipped({"a.csv": FILES["csv"]})),
        "bzip2": ("a.csv.bz2", "application/x-bzip2", lambda: b"BZh9" + bytes(64)),
        "7z": ("a.csv.7z", BINARY, lambda: b"7z\xbc\xaf\x27\x1c" + bytes(64)),
        "zlib": ("a.csv", BINARY, lambda: zlib.compress(bytes(MIB))),
        "no Parquet between its marks": ("a.parquet", BINARY, lambda: b"PAR1" + bytes(range(256)) + b"PAR1"),
        "a foot without end": ("a.parquet", BINARY, lambda: b"PAR1" + struct.pack("<I", 2**31) + b"PAR1"),
        "no Arrow between its marks": ("a.feather", BINARY, lambda: b"ARROW1\0\0" + bytes(64) + b"ARROW1"),
    }


def hostile_files(canary: Path) -> list[HostileFile]:
    """All of them; those that run code would make the canary."""
    groups = {"bomb": _bombs(), "code": _code(canary), "JSON": _json(), "text": _texts(), "damaged": _damaged()}
    return [HostileFile(f"{group}: {name}", *parts) for group, files in groups.items() for name, parts in files.items()]
