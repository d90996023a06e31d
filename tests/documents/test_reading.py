"""Documents are read one after another; what cannot be read is listed, and stops or harms no other."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from server.documents import DocumentLimits, label_folders, read_documents
from tests.conftest import ROOT
from tests.documents.library import write_library
from tests.documents.writers import packed_pdf, pdf, word

pytestmark = pytest.mark.slow

LIMITS = DocumentLimits()
# Decoding one header of so many encoded words takes minutes.
SLOW_MAIL = b"Subject: " + b"=?utf-8?q?a?= " * 200_000 + b"\n\nx"
OTHERS = ("a.txt", "z.txt")


def children(of: int) -> list[int]:
    """The processes that the process has started and that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == of and state != "Z":
            found.append(int(stat.parent.name))
    return found


def read(folder: Path, limits: DocumentLimits = LIMITS, **options):
    return read_documents({"cv": sorted((folder / "cv").iterdir())}, folder, limits, **options)


@pytest.fixture
def folder(tmp_path):
    """A folder with the label cv and two texts in it, between which others sort."""
    (tmp_path / "cv").mkdir()
    for name in OTHERS:
        (tmp_path / "cv" / name).write_text(f"text of {name}")
    return tmp_path


def reasons(folder: Path, limits: DocumentLimits = LIMITS) -> dict[str, str]:
    """Why each untreated file is one; the other two are read."""
    others = set(children(os.getpid()))
    reading = read(folder, limits)
    assert [document.name for document in reading.documents] == [f"cv/{name}" for name in OTHERS]
    assert not set(children(os.getpid())) - others
    return {untreated.name: untreated.reason for untreated in reading.untreated}


def test_a_library_of_all_formats_is_read_in_its_order_and_learned(tmp_path):
    labels = ["sport", "food", "memo"]
    write_library(tmp_path, labels, 21)
    files = label_folders(tmp_path, labels, 10)
    reading = read_documents(files, tmp_path, LIMITS)
    assert reading.untreated == []
    assert [document.name for document in reading.documents] == [
        f"{label}/{path.name}" for label in labels for path in files[label]
    ]
    texts, found = ([getattr(document, name) for document in reading.documents] for name in ("text", "label"))
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts[::2], found[::2])
    assert model.score(texts[1::2], found[1::2]) > 0.9


def test_ends_of_names_are_read_in_either_case(folder):
    (folder / "cv" / "b.PDF").write_bytes(pdf("upper"))
    (folder / "cv" / "c.HTM").write_text("<p>page")
    assert [document.text for document in read(folder).documents][1:3] == ["upper", "page"]


def test_nothing_to_read_is_nothing_read(tmp_path):
    reading = read_documents({}, tmp_path, LIMITS)
    assert (reading.documents, reading.untreated) == ([], [])


def test_progress_is_told_first_and_last(folder):
    told = []
    read(folder, report=lambda done, of: told.append((done, of)))
    # Between them as often as the time that it takes.
    assert (told[0], told[-1]) == ((0, 2), (2, 2))
    assert told == sorted(told)


def test_what_cannot_be_read_is_listed_with_its_reason(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_text("secret")
    cv = folder / "cv"
    (cv / "encrypted.pdf").write_bytes(pdf("x", user="secret"))
    (cv / "none.pdf").write_bytes(b"hello")
    (cv / "empty.docx").write_bytes(word())
    (cv / "nothing.txt").write_bytes(b"")
    (cv / "picture.png").write_bytes(b"\x89PNG")
    (cv / "plain").write_bytes(b"text")
    (cv / "link.txt").symlink_to(outside)
    (cv / "lost.txt").symlink_to("gone.txt")
    (cv / "loop.txt").symlink_to("loop.txt")
    (cv / "folder.txt").mkdir()
    os.mkfifo(cv / "pipe.txt")
    format_reason = "is in no format that is read: txt, md, html, htm, pdf, docx, rtf, eml"
    assert reasons(folder) == {
        "cv/empty.docx": "holds no text",
        "cv/encrypted.pdf": "is encrypted",
        "cv/folder.txt": "is no file",
        "cv/link.txt": "is a link that leads out of the folder of documents",
        "cv/loop.txt": "is a link that leads nowhere",
        "cv/lost.txt": "cannot be opened: no such file or directory",
        "cv/none.pdf": "is no PDF",
        "cv/nothing.txt": "holds no text",
        "cv/picture.png": format_reason,
        "cv/pipe.txt": "is no file",
        "cv/plain": format_reason,
    }


def test_a_link_within_the_folder_is_read(folder):
    (folder / "cv" / "b.txt").symlink_to("z.txt")
    assert [document.text for document in read(folder).documents] == ["text of a.txt", "text of z.txt", "text of z.txt"]


def test_a_name_that_is_no_unicode_is_shown_all_the_same(folder):
    (folder / "cv" / os.fsdecode(b"caf\xe9.txt")).write_text("text")
    assert "cv/caf\ufffd.txt" in [document.name for document in read(folder).documents]


def test_a_large_file_is_not_read(folder):
    (folder / "cv" / "large.txt").write_bytes(b"word " * 30_000)
    assert reasons(folder, DocumentLimits(mb=0.1)) == {"cv/large.txt": "is larger than 0.1 MiB"}


def test_a_long_text_is_not_treated(folder):
    (folder / "cv" / "long.txt").write_bytes(b"word " * 30_000)
    assert reasons(folder, DocumentLimits(characters=5000)) == {"cv/long.txt": "grows beyond 5,000 characters"}


def test_a_slow_document_is_given_up(folder):
    (folder / "cv" / "slow.eml").write_bytes(SLOW_MAIL)
    began = time.monotonic()
    assert reasons(folder, DocumentLimits(seconds=0.5)) == {"cv/slow.eml": "takes longer than 0.5 s to read"}
    assert time.monotonic() - began < 10


def huge_word() -> bytes:
    """A small file that holds a million runs of text."""
    sink = BytesIO()
    with zipfile.ZipFile(BytesIO(word("start"))) as usual, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in usual.namelist():
            part = usual.read(name)
            archive.writestr(name, part.replace(b"<w:t>start</w:t>", b"<w:t>a</w:t><w:br/>" * 1_000_000))
    return sink.getvalue()


HUGE = {"html": b"<b>a</b>" * 1_000_000, "md": b"**a** " * 100_000, "docx": huge_word()}


@pytest.mark.parametrize("kind", HUGE)
def test_a_document_that_needs_too_much_memory_is_given_up(folder, kind):
    (folder / "cv" / f"huge.{kind}").write_bytes(HUGE[kind])
    assert reasons(folder, DocumentLimits(memory_mb=32)) == {f"cv/huge.{kind}": "needs too much memory to read"}


@pytest.mark.parametrize("instruction", [b" " * 10, b"(hello) Tj "])
def test_a_pdf_that_unpacks_without_end_harms_no_other(folder, instruction):
    start = b"BT /F 12 Tf 10 10 Td (hello) Tj "
    (folder / "cv" / "b.pdf").write_bytes(packed_pdf(start + instruction * 10_000_000 + b" ET"))
    found = reasons(folder, DocumentLimits(memory_mb=64))
    assert found == {"cv/b.pdf": "is damaged, or needs too much memory to read"}
    (folder / "cv" / "b.pdf").write_bytes(packed_pdf(start + b" ET"))
    assert read(folder).documents[1].text == "hello"


def test_a_reader_that_is_killed_is_started_again_and_its_document_read(folder):
    killed = []
    # A browser and a launcher may live as long as the tests.
    others = set(children(os.getpid()))

    def kill_once(done: int, of: int):
        if done and not killed:
            killed.extend(set(children(os.getpid())) - others)
            for process in killed:
                os.kill(process, signal.SIGKILL)

    for number in range(3):
        # More than half a second each, so that the first is told.
        (folder / "cv" / f"b{number}.eml").write_bytes(b"Subject: " + b"=?utf-8?q?a?= " * 7000 + b"\n\nx")
    reading = read(folder, report=kill_once)
    assert len(killed) == 1
    assert reading.untreated == []
    assert len(reading.documents) == 5


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_reader_ends_with_its_parent(folder, number):
    (folder / "cv" / "slow.eml").write_bytes(SLOW_MAIL)
    script = (
        "import sys; from pathlib import Path; from server.documents import DocumentLimits, read_documents; "
        "folder = Path(sys.argv[1]); "
        "read_documents({'cv': sorted((folder / 'cv').iterdir())}, folder, DocumentLimits(seconds=600))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(folder)], cwd=ROOT)
    deadline = time.monotonic() + 30
    while not (found := children(parent.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(1.5)
    parent.send_signal(number)
    parent.wait()
    while any(Path(f"/proc/{child}").exists() for child in found):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_parent_loads_no_reading_library():
    script = (
        "import sys, server.documents; "
        "print([name for name in ('docx', 'lxml', 'pypdfium2', 'markdown_it', 'striprtf') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
