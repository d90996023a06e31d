"""Cut and flipped documents of every format are read, or refused with a reason; nothing else comes out.

Some readers are native code, so all are read the way that the server reads them: a file that ends its reader is a
reason, too.
"""

import random
from pathlib import Path

import pytest

from server.documents import DocumentLimits, read_documents
from tests.documents.library import WORDS, sentences
from tests.documents.writers import WRITERS, mail, pdf, word

pytestmark = pytest.mark.slow

CHANCE = random.Random(5)
TEXT = sentences([words.split() for words in WORDS["food"]], CHANCE)
VALID = {kind: write(TEXT) for kind, write in WRITERS.items()} | {
    "pdf": pdf(TEXT.replace(". ", ".\n"), "two", user=""),
    "docx": word("a", "b", table=[["c", "d"]], header="h", footer="f"),
    "eml": mail("Grüße", "für", "<p>für", "attached"),
}
REASONS = (
    "is ", "holds no text", "grows beyond ", "takes longer than ", "needs too much memory to read"
)  # fmt: skip


def damaged(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content[: chance.randrange(len(content))] if chance.random() < 0.3 else content)
    for _ in range(chance.choice((0, 1, 2, 8, 64)) if changed else 0):
        changed[chance.randrange(len(changed))] = chance.choice((chance.randrange(256), 0, 127, 255))
    return bytes(changed)


def write_damaged(folder: Path, kind: str, count: int, seed: int) -> list[Path]:
    chance = random.Random(seed)
    paths = [folder / f"{number}.{kind}" for number in range(count)]
    for path in paths:
        path.write_bytes(damaged(VALID[kind], chance))
    return paths


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_damaged_document_is_read_or_refused(tmp_path, kind, count):
    paths = write_damaged(tmp_path, kind, count, seed=count)
    reading = read_documents({"a": paths}, tmp_path, DocumentLimits(seconds=5))
    assert len(reading.documents) + len(reading.untreated) == count
    assert all(document.text.strip() for document in reading.documents)
    for untreated in reading.untreated:
        assert untreated.reason.startswith(REASONS), untreated
        assert "Error" not in untreated.reason


def test_a_document_under_another_formats_name_is_read_or_refused(tmp_path):
    for kind, content in VALID.items():
        for other in WRITERS:
            (tmp_path / f"{kind}.{other}").write_bytes(content)
    paths = sorted(tmp_path.iterdir())
    reading = read_documents({"a": paths}, tmp_path, DocumentLimits(seconds=5))
    assert {f"{kind}.{kind}" for kind in VALID} <= {document.name for document in reading.documents}
    assert all(untreated.reason.startswith(REASONS) for untreated in reading.untreated)
