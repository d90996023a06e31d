"""Bytes → text, and the one error that the readers of all formats raise."""

import codecs
import re
import unicodedata

# The longer ones first: UTF-32's mark begins with UTF-16's.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Browsers read these names so: https://encoding.spec.whatwg.org/#names-and-labels
WIDER = {"ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "shift_jis": "cp932"}
BINARY = {b"%PDF-": "PDF", b"PK\x03\x04": "ZIP archive", b"\xd0\xcf\x11\xe0": "file of an old office program"}
# A text may hold a stray one; a file of numbers or pictures holds one in ten.
MOST_CONTROLS = 0.01
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffd]")
BEYOND_ASCII = re.compile(r"[^\x00-\x7f\ufffd]+")
SOFT_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
SPACES = re.compile(r"[^\S\n]+")
EMPTY_LINES = re.compile(r" ?\n ?(?:\n ?)+")


class Unreadable(Exception):
    """The document cannot be treated; its only argument is the reason, as a person is told it."""


def decoded(content: bytes, charset: str | None = None) -> str:
    """The text of the bytes: by their byte order mark, else the charset that was told, else UTF-8, else Windows-1252.

    Guessing by statistics is no help: a short German text is taken for Polish more often than not.

    Raises:
        Unreadable: the bytes are no text.
    """
    for start, what in BINARY.items():
        if content.startswith(start):
            raise Unreadable(f"is no text, but a {what}")
    marked = next((encoding for mark, encoding in MARKS if content.startswith(mark)), None)
    text = _by(marked or known_charset(charset), content)
    if len(CONTROLS.findall(text)) > MOST_CONTROLS * len(text):
        raise Unreadable("is no text")
    return text


def known_charset(name: str | None) -> str | None:
    """Python's name of a charset of texts, or None for one that it does not know."""
    try:
        found = codecs.lookup(name or "").name
        # Some codecs of Python turn bytes into bytes.
        "".encode(found)
    except (LookupError, ValueError):
        return None
    return WIDER.get(found, found)


def _by(encoding: str | None, content: bytes) -> str:
    for one in filter(None, (encoding, "utf-8")):
        text = content.decode(one, errors="replace")
        # A byte may be lost; where most of what is not ASCII is lost, the charset is another one.
        if (lost := text.count("\ufffd")) == 0 or lost < sum(map(len, BEYOND_ASCII.findall(text))):
            return text
    return content.decode("cp1252", errors="replace")


def cleaned(text: str, most: int) -> str:
    """The text with single spaces, at most one empty line in a row, and characters only that can be stored.

    Raises:
        Unreadable: it holds nothing to read, or more than `most` characters.
    """
    # RTF writes a character beyond the first 65,536 as two halves; joined here, a lone half becomes a question mark.
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = CONTROLS.sub("", SOFT_BREAKS.sub("\n", text))
    text = EMPTY_LINES.sub("\n\n", SPACES.sub(" ", text)).strip()
    text = "\n".join(line.strip() for line in text.split("\n"))
    if not any(unicodedata.category(character)[0] in "LNPS" for character in text):
        raise Unreadable("holds no text")
    if len(text) > most:
        raise Unreadable(f"grows beyond {most:,} characters")
    return text
