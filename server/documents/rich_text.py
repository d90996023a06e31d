"""RTF → text."""

from striprtf.striprtf import rtf_to_text

from server.documents.plain import Unreadable

MARK = b"{\\rtf"


def rich_text(content: bytes) -> str:
    """The text of the body; headers, footers and notes are not read.

    Raises:
        Unreadable: it is no RTF.
    """
    if not content.lstrip().startswith(MARK):
        raise Unreadable("is no RTF")
    # RTF is ASCII and names the charset of what it escapes; striprtf reads that.
    return rtf_to_text(content.decode("cp1252", errors="replace"), errors="replace").replace("|", " ")
