"""Which function reads which format. Only the reading child imports this: its libraries are heavy."""

from collections.abc import Callable

from lxml import etree

from server.documents.mail import mail_text
from server.documents.markup import html_text, markdown_text
from server.documents.names import FORMATS
from server.documents.pdf import pdf_text
from server.documents.plain import Unreadable, cleaned, decoded
from server.documents.rich_text import rich_text
from server.documents.word import word_text


def _readers(most: int) -> dict[str, Callable[[bytes], str]]:
    return {
        "txt": decoded,
        "md": markdown_text,
        "html": html_text,
        "pdf": lambda content: pdf_text(content, most),
        "docx": word_text,
        "rtf": rich_text,
        "eml": mail_text,
    }


def document_text(content: bytes, kind: str, most: int) -> str:
    """The text of a document of a format of `names`, of at most `most` characters.

    Raises:
        Unreadable: there is none, or too much, or the bytes are no such document.
        MemoryError: reading it needs more than this process may have.
    """
    if not content.strip():
        raise Unreadable("holds no text")
    try:
        return cleaned(_readers(most)[kind](content), most)
    except (Unreadable, MemoryError):
        raise
    except RecursionError as error:
        raise Unreadable("is nested too deeply to read") from error
    except etree.XMLSyntaxError as error:
        # libxml2 says so when it has no memory.
        if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from error
        raise Unreadable(_damaged(kind)) from error
    except Exception as error:  # whatever a damaged file brings about in a reader
        raise Unreadable(_damaged(kind)) from error


def _damaged(kind: str) -> str:
    return f"is damaged: it cannot be read as {kind.upper()}"


assert set(_readers(0)) == set(FORMATS.values())
