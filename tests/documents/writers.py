"""Real documents of every format, made by the libraries that people make them with."""

import zlib
from email.message import EmailMessage
from html import escape
from io import BytesIO

import docx
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas


def pdf(*pages: str, user: str | None = None, owner: str = "owner", strength: int = 128) -> bytes:
    """A PDF with the lines of each page; encrypted if `user` (the password to open it) is given."""
    sink = BytesIO()
    lock = None if user is None else StandardEncryption(user, owner, strength=strength)
    canvas = Canvas(sink, encrypt=lock, invariant=True)
    for page in pages:
        lines = canvas.beginText(72, 760)
        lines.textLines(page)
        canvas.drawText(lines)
        canvas.showPage()
    canvas.save()
    return sink.getvalue()


def scanned_pdf() -> bytes:
    """A page that shows a drawing and no letter."""
    sink = BytesIO()
    canvas = Canvas(sink)
    canvas.rect(100, 100, 200, 200, fill=1)
    canvas.showPage()
    canvas.save()
    return sink.getvalue()


def packed_pdf(contents: bytes) -> bytes:
    """A PDF of one page whose drawing instructions are these, compressed."""
    packed = zlib.compress(contents)
    parts = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    objects = b"".join(b"%d 0 obj%sendobj\n" % numbered for numbered in enumerate(parts, 1))
    return b"%PDF-1.4\n" + objects + b"trailer<</Root 1 0 R/Size 6>>\n%%EOF"


def word(*paragraphs: str, table: list[list[str]] | None = None, header: str = "", footer: str = "") -> bytes:
    document = docx.Document()
    if header:
        document.sections[0].header.paragraphs[0].text = header
    if footer:
        document.sections[0].footer.paragraphs[0].text = footer
    for paragraph in paragraphs[:1]:
        document.add_heading(paragraph)
    if table:
        cells = document.add_table(len(table), len(table[0]))
        for row, texts in zip(cells.rows, table, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
    for paragraph in paragraphs[1:]:
        document.add_paragraph(paragraph)
    sink = BytesIO()
    document.save(sink)
    return sink.getvalue()


def rtf(text: str) -> bytes:
    escaped = "".join(
        f"\\{sign}" if sign in "\\{}" else sign if ord(sign) < 128 else f"\\u{ord(sign)}?" for sign in text
    )
    paragraphs = escaped.replace("\n", "\\par\n")
    head = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss Helvetica;}}{\colortbl;\red255\green0\blue0;}"
    return f"{head}\\f0\\fs24 {paragraphs}}}".encode()


def html(text: str) -> bytes:
    paragraphs = "".join(f"<p>{escape(line)}</p>\n" for line in text.split("\n"))
    head = '<head><meta charset="utf-8"><title>t</title></head>'
    return f"<!doctype html><html>{head}<body>{paragraphs}</body></html>".encode()


def mail(subject: str, plain: str | None = None, page: str | None = None, attached: str | None = None) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "anna@example.com", "ben@example.com"
    if plain is not None:
        message.set_content(plain)
    if page is not None:
        (message.set_content if plain is None else message.add_alternative)(page, subtype="html")
    if attached is not None:
        message.add_attachment(attached, filename="notes.txt")
    return message.as_bytes()


# The same text as a document of each format.
WRITERS = {
    "txt": str.encode,
    "md": lambda text: f"# {text.partition(' ')[0]}\n\n{text}\n".encode(),
    "html": html,
    "pdf": lambda text: pdf(text.replace(". ", ".\n")),
    "docx": lambda text: word(*text.split("\n")),
    "rtf": rtf,
    "eml": lambda text: mail(text.partition(".")[0], text),
}
