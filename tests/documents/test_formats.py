"""What a person reads in a document of each format; what is none says so."""

import codecs
import zipfile
from email.message import EmailMessage
from io import BytesIO

import docx
import pytest
from docx.oxml import parse_xml
from hypothesis import given
from hypothesis import strategies as st

from server.documents.formats import document_text
from server.documents.plain import Unreadable
from tests.documents.writers import WRITERS, mail, pdf, rtf, scanned_pdf, word

MOST = 10_000
TEXT = "The chef baked bread. The oven was hot."
NAMESPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def text_of(content: bytes, kind: str, most: int = MOST) -> str:
    return document_text(content, kind, most)


def reason_of(content: bytes, kind: str, most: int = MOST) -> str:
    with pytest.raises(Unreadable) as caught:
        document_text(content, kind, most)
    return str(caught.value)


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_text_is_read_from_every_format(kind):
    assert TEXT in text_of(WRITERS[kind](TEXT), kind).replace("\n", " ")


@pytest.mark.parametrize("kind", sorted(set(WRITERS) - {"pdf"}))
def test_letters_beyond_ascii_are_read(kind):
    assert "Zoë aß “Käse” für 5 €" in text_of(WRITERS[kind]("Zoë aß “Käse” für 5 €"), kind)


@pytest.mark.parametrize("kind", WRITERS)
def test_an_empty_document_holds_no_text(kind):
    assert reason_of(b"", kind) == reason_of(b" \n\t", kind) == reason_of(b"\xef\xbb\xbf \n", "txt") == "holds no text"


@pytest.mark.parametrize("kind", WRITERS)
def test_text_beyond_the_limit_is_not_treated(kind):
    assert reason_of(WRITERS[kind]("word " * 100), kind, 200) == "grows beyond 200 characters"


@pytest.mark.parametrize(
    ("kind", "reason"), [("pdf", "is no PDF"), ("docx", "is no DOCX"), ("rtf", "is no RTF"), ("eml", "is no e-mail")]
)
def test_a_format_that_is_not_what_the_name_says(kind, reason):
    assert reason_of(b"hello world", kind) == reason


@pytest.mark.parametrize("kind", ["txt", "md", "html"])
def test_binary_contents_are_no_text(kind):
    assert reason_of(pdf(TEXT), kind) == "is no text, but a PDF"
    assert reason_of(word(TEXT), kind) == "is no text, but a ZIP archive"
    assert reason_of(bytes(range(256)) * 4, kind) == "is no text"


@pytest.mark.parametrize(
    "content",
    [
        "Käse für Zoë".encode(),
        "Käse für Zoë".encode("utf-8-sig"),
        "Käse für Zoë".encode("utf-16"),
        codecs.BOM_UTF16_BE + "Käse für Zoë".encode("utf-16-be"),
        "Käse für Zoë".encode("cp1252"),
    ],
)
def test_text_is_read_in_the_charset_it_has(content):
    assert text_of(content, "txt") == "Käse für Zoë"


def test_a_lost_byte_does_not_change_the_charset():
    content = "Käse für Zoë und Jürgen. ".encode() * 20
    assert text_of(content + b"\xc3", "txt").startswith("Käse für Zoë und Jürgen.")


def test_spaces_and_empty_lines_are_single():
    assert text_of(b"a \t b\r\n\r\n \r\n\r\nc\x0cd", "txt") == "a b\n\nc\nd"


@given(st.text(st.characters(whitelist_categories=["L", "N", "P", "S", "Zs"]), min_size=1))
def test_every_word_of_a_text_is_read(text):
    text = "word " + text.replace("\ufffd", "")
    assert text_of(text.encode(), "txt").split() == text.split()


def test_markdown_loses_its_marks_and_keeps_links_and_code():
    content = b"""# Title

*some* [link](http://x.example) and `code`

```
block = 1
```

| a | b |
|---|---|
| c | d |

<b>raw</b>"""
    text = text_of(content, "md")
    assert text.split("\n\n") == ["Title", "some link and code", "block = 1", "a b", "c d", "raw"]


def test_html_shows_what_a_page_shows():
    content = b"""<html><head><title>t</title><style>p {}</style><script>var a = '</p>'</script></head>
    <body><!-- no --><p>Fish &amp; <b>ch</b>ips
    &eacute;</p><ul><li>one<li>two</ul><table><tr><td>a</td><td>b</td></tr></table><pre>x\ny</pre></body></html>"""
    assert text_of(content, "html").split("\n") == ["Fish & chips é", "", "one", "", "two", "", "a b", "", "x", "y"]


@pytest.mark.parametrize(
    "head", ['<meta charset="{}">', '<meta http-equiv="Content-Type" content="text/html; charset={}">']
)
@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1251", "utf-8", "shift_jis"])
def test_the_charset_of_a_page_is_honoured(head, charset):
    word = {"windows-1251": "Привет", "shift_jis": "日本語"}.get(charset, "für")
    assert text_of((head.format(charset) + f"<p>{word}").encode(charset), "html") == word


@pytest.mark.parametrize("charset", ["no-such", "rot13", "utf-16", ""])
def test_a_charset_that_cannot_be_is_passed_over(charset):
    assert text_of(f'<meta charset="{charset}"><p>für'.encode(), "html") == "für"


def test_all_pages_of_a_pdf_are_read():
    assert text_of(pdf("one\ntwo", "three", "four"), "pdf") == "one\ntwo\n\nthree\n\nfour"


@pytest.mark.parametrize("strength", [40, 128])
def test_a_pdf_that_opens_without_a_password_is_read_and_another_is_encrypted(strength):
    assert text_of(pdf(TEXT, user="", strength=strength), "pdf") == TEXT
    assert reason_of(pdf(TEXT, user="secret", strength=strength), "pdf") == "is encrypted"


def test_a_scanned_pdf_holds_no_text():
    assert reason_of(scanned_pdf(), "pdf") == "holds no text"


def test_half_a_pdf_is_damaged():
    content = pdf(TEXT)
    assert reason_of(content[:200], "pdf") == "is a damaged PDF"


def test_word_shows_headers_paragraphs_tables_and_footers_in_order():
    content = word("Title", "last", table=[["a", "b"], ["c", "d"]], header="Letterhead", footer="Page")
    assert text_of(content, "docx").split() == ["Letterhead", "Title", "a", "b", "c", "d", "last", "Page"]


def test_word_shows_insertions_and_content_controls_but_nothing_deleted_or_moved_away():
    document = docx.Document()
    document.add_paragraph("plain")
    run = "<w:r><w:t>{}</w:t></w:r>"
    for part in (
        f"<w:ins {NAMESPACE}>{run.format(' inserted')}</w:ins>",
        f"<w:del {NAMESPACE}><w:r><w:delText> deleted</w:delText></w:r></w:del>",
        f"<w:moveFrom {NAMESPACE}>{run.format(' moved')}</w:moveFrom>",
        f"<w:sdt {NAMESPACE}><w:sdtContent>{run.format(' control')}</w:sdtContent></w:sdt>",
    ):
        document.paragraphs[0]._p.append(parse_xml(part))
    sink = BytesIO()
    document.save(sink)
    assert text_of(sink.getvalue(), "docx") == "plain inserted control"


def test_an_encrypted_word_document_is_encrypted():
    content = b"\xd0\xcf\x11\xe0" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")
    assert reason_of(content, "docx") == "is encrypted"
    assert reason_of(content[:600], "docx") == "is no DOCX"


def test_another_archive_is_no_word_document():
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a.txt", "a")
    assert reason_of(sink.getvalue(), "docx") == "is no DOCX"
    assert reason_of(word(TEXT)[:-200], "docx") == "is a damaged DOCX"


def test_a_zip_bomb_is_told_before_it_unpacks():
    sink = BytesIO(word(TEXT))
    with zipfile.ZipFile(sink, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/image.png", bytes(300 * 2**20))
    assert len(sink.getvalue()) < 2**20
    assert reason_of(sink.getvalue(), "docx") == "grows beyond 256 MiB when it is unpacked"


def test_rtf_joins_halves_of_characters_and_leaves_fonts_and_pictures_out():
    content = (
        rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}{\info{\author Ben}}a\'e9 \u-10179?\u-8694? {\pict 89504e47}\{b\}\par c}"
    )
    assert text_of(content, "rtf") == "aé 😊 {b}\nc"
    assert text_of(rtf("a {b} \\c\nd"), "rtf") == "a {b} \\c\nd"


def test_a_mail_has_a_subject_and_plain_text_rather_than_html():
    content = mail(
        "Grüße, ein langer Betreff aus vielen Wörtern " * 3, "plain text", "<p>html text</p>", "attached text"
    )
    text = text_of(content, "eml")
    assert text.startswith("Grüße, ein langer Betreff")
    assert text.endswith("plain text")
    assert "attached" not in text
    assert "html" not in text


def test_a_mail_of_html_only_is_read():
    assert text_of(mail("S", page="<style>a</style><p>Käse &amp; Brot"), "eml") == "S\n\nKäse & Brot"


def test_an_alternative_without_text_leaves_the_other():
    assert text_of(mail("S", " \n", "<p>page"), "eml") == "S\n\npage"


def test_all_parts_of_a_mixed_mail_are_read_in_their_order():
    inner = EmailMessage()
    inner.set_content("forwarded für")
    outer = EmailMessage()
    outer["Subject"] = "S"
    outer.make_mixed()
    for text in ("one", "two"):
        part = EmailMessage()
        part.set_content(text)
        outer.attach(part)
    outer.attach(inner)
    assert text_of(outer.as_bytes(), "eml").split() == ["S", "one", "two", "forwarded", "für"]


def test_a_charset_that_no_mail_knows_is_read_all_the_same():
    content = b"Subject: =?x-none?q?abc?=\nContent-Type: text/plain; charset=x-none\n\nf\xfcr"
    assert text_of(content, "eml").endswith("für")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<div>" * 100_000 + b"deep", "html"),
        (b"<div>" * 100_000 + b"deep", "md"),
        (
            b"Subject: x\n"
            + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(1500)),
            "eml",
        ),
    ],
    ids=["html", "md", "eml"],
)
def test_deep_nesting_is_told(content, kind):
    assert reason_of(content, kind) == "is nested too deeply to read"


def test_deep_groups_of_rtf_are_read():
    assert text_of(b"{\\rtf1 " + b"{" * 100_000 + b"deep" + b"}" * 100_000 + b"}", "rtf") == "deep"
