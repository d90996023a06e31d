"""E-mail → its subject and the text that a mail program shows."""

import email
import email.policy
from email.message import EmailMessage

from server.documents.markup import html_text
from server.documents.plain import Unreadable, decoded

# A file without any of these is no e-mail, though its first line may look like a header.
HEADERS = ("From", "To", "Subject", "Date", "Received", "Message-ID", "MIME-Version", "Content-Type")


def mail_text(content: bytes) -> str:
    """Subject and body, plain text rather than HTML; attachments are not read.

    Raises:
        Unreadable: it is no e-mail, or its text is none.
    """
    message = email.message_from_bytes(content, policy=email.policy.default)
    if not any(name in message for name in HEADERS):
        raise Unreadable("is no e-mail")
    assert isinstance(message, EmailMessage)
    return "\n\n".join([str(message.get("Subject", "")), *_bodies(message)])


def _bodies(part: EmailMessage) -> list[str]:
    """The texts within a part of the message."""
    kind = part.get_content_type()
    if part.is_attachment() or (not part.is_multipart() and part.get_filename()):
        return []
    if part.is_multipart():
        parts = [inner for inner in part.iter_parts() if isinstance(inner, EmailMessage)]
        if kind != "multipart/alternative":
            return [text for inner in parts for text in _bodies(inner)]
        # The same message several times.
        plain_first = sorted(parts, key=lambda inner: inner.get_content_type() != "text/plain")
        return next((texts for texts in map(_bodies, plain_first) if any(map(str.strip, texts))), [])
    if kind not in ("text/plain", "text/html"):
        return []
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset()
    return [html_text(content, charset) if kind == "text/html" else decoded(content, charset)]
