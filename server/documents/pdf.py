"""PDF → text, by PDFium, the reader of Chromium."""

import re

import pypdfium2 as pdfium
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from server.documents.plain import Unreadable

# Readers look for the mark in the first 1,024 bytes (PDF 1.7, appendix H, note 13).
MARK, WITHIN = b"%PDF-", 1024
# PDFium's signs for a hyphen that parts a word at the end of a line.
HYPHENS = re.compile("[\x02\ufffe](?:\r?\n)?")


def pdf_text(content: bytes, most: int) -> str:
    """The text of all pages, until it has more than `most` characters.

    Raises:
        Unreadable: it is no PDF, damaged, or needs a password to be opened.
    """
    if MARK not in content[:WITHIN]:
        raise Unreadable("is no PDF")
    try:
        document = pdfium.PdfDocument(content)
    except pdfium.PdfiumError as error:
        if error.err_code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY):
            raise Unreadable("is encrypted") from error
        raise Unreadable("is a damaged PDF") from error
    pages, length = [], 0
    for number in range(len(document)):
        page = document[number]
        pages.append(HYPHENS.sub("", page.get_textpage().get_text_range()))
        page.close()
        length += len(pages[-1])
        if length > most:
            break
    return "\n\n".join(pages)
