"""DOCX → text: what the pages show, in their order."""

import zipfile
from io import BytesIO

import docx
from docx.opc.constants import RELATIONSHIP_TYPE as PART
from docx.oxml import parse_xml
from docx.oxml.ns import qn
from lxml import etree

from server.documents.plain import Unreadable

BEFORE, AFTER = (PART.HEADER,), (PART.FOOTNOTES, PART.ENDNOTES, PART.FOOTER)
BREAKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
TEXT, PARAGRAPH = qn("w:t"), qn("w:p")
# Twice the same (drawn anew for old programs), or moved to another place.
LEFT_OUT = {"{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback", qn("w:moveFrom")}
# Pictures and fonts included, as python-docx reads them, too.
MOST_UNPACKED = 256 * 2**20
# Word keeps a document with a password in the container of its older format, under this name.
OLD_CONTAINER, ENCRYPTED = b"\xd0\xcf\x11\xe0", "EncryptedPackage".encode("utf-16-le")


def word_text(content: bytes) -> str:
    """The text of headers, body (paragraphs, tables, text boxes), notes and footers.

    The body is walked as XML: python-docx's own paragraphs leave out content controls, insertions and text boxes.

    Raises:
        Unreadable: it is no DOCX, encrypted, damaged, or unpacks to more than 256 MiB.
    """
    if content.startswith(OLD_CONTAINER):
        raise Unreadable("is encrypted" if ENCRYPTED in content else "is no DOCX")
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_UNPACKED:
                raise Unreadable(f"grows beyond {MOST_UNPACKED // 2**20} MiB when it is unpacked")
            names = set(archive.namelist())
    except zipfile.BadZipFile as error:
        raise Unreadable("is a damaged DOCX" if content.startswith(b"PK") else "is no DOCX") from error
    if "[Content_Types].xml" not in names or not any(name.startswith("word/") for name in names):
        raise Unreadable("is no DOCX")
    main = docx.Document(BytesIO(content)).part
    around = {kind: [_part(link) for link in main.rels.values() if link.reltype == kind] for kind in BEFORE + AFTER}
    before, after = (sum((around[kind] for kind in kinds), []) for kinds in (BEFORE, AFTER))
    return "\n".join([*before, _seen(main.element), *after])


def _part(link: object) -> str:
    return _seen(parse_xml(link.target_part.blob))  # type: ignore[attr-defined]


def _seen(root: etree._Element) -> str:
    pieces: list[str] = []
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if event == "end":
            pieces += ["\n"] if element.tag == PARAGRAPH else []
        elif element.tag in LEFT_OUT:
            walk.skip_subtree()
        elif element.tag == TEXT:
            pieces.append(element.text or "")
        else:
            pieces.append(BREAKS.get(element.tag, ""))
    return "".join(pieces)
