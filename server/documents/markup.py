"""HTML and Markdown → the text that a person reads."""

import re

from lxml import etree
from markdown_it import MarkdownIt

from server.documents.plain import Unreadable, decoded

UNSEEN = {"script", "style", "title", "template", "noscript"}
BLOCKS = {
    "address", "article", "aside", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "legend", "li", "main", "nav", "ol",
    "option", "p", "pre", "section", "select", "summary", "table", "tr", "ul",
}  # fmt: skip
CELLS = {"td", "th"}
# https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding
CHARSET = re.compile(rb"<meta[^>]*?charset\s*=\s*[\"']?\s*([-\w:.]+)", re.IGNORECASE)
XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([-\w:.]+)")
PRESCAN = 4096


def html_text(content: bytes, charset: str | None = None) -> str:
    """The text of a page without scripts, styles and title; a charset that was told goes before the page's own.

    Raises:
        Unreadable: it is no text, or nested too deeply.
    """
    start = content[:PRESCAN]
    if charset is None and (declared := CHARSET.search(start) or XML_ENCODING.search(start)):
        charset = declared.group(1).decode()
        # What could be read byte by byte up to here is not UTF-16, whatever it says.
        charset = None if charset.lower().startswith("utf-16") else charset
    return _seen(decoded(content, charset))


def markdown_text(content: bytes) -> str:
    """The text of CommonMark with tables: marks are removed, the text of links and code is kept.

    Raises:
        Unreadable: it is no text.
    """
    # Rendered, so that HTML within Markdown is read as HTML is.
    return _seen(MarkdownIt("commonmark").enable("table").render(decoded(content)))


def _seen(page: str) -> str:
    """The text of the parsed page, blocks on lines of their own."""
    # Decoded before and encoded here: libxml2 takes a page without a charset for Latin-1.
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True)
    root = etree.fromstring(page.encode("utf-8", "replace"), parser) if page.strip() else None
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        # What lies deeper is left out by libxml2 without a word.
        raise Unreadable("is nested too deeply to read")
    return "" if root is None else "".join(_pieces(root))


def _pieces(root: etree._Element) -> list[str]:
    pieces: list[str] = []
    preformatted = 0
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        tag = element.tag
        if event == "start":
            preformatted += tag == "pre"
            if tag in UNSEEN:
                walk.skip_subtree()
        else:
            preformatted -= tag == "pre"
        if tag in BLOCKS:
            pieces.append("\n")
        elif tag in CELLS:
            pieces.append(" ")
        text = element.tail if event == "end" else element.text if tag not in UNSEEN else None
        if text:
            pieces.append(text if preformatted else " ".join(_words(text)))
    return pieces


def _words(text: str) -> list[str]:
    """The words of a piece; an empty one stands for white space at its begin or end, which parts it from the next."""
    return [*([""] if text[:1].isspace() else []), *text.split(), *([""] if text[-1:].isspace() else [])]
