"""The examples of the README and of docs/ do what they say, against a real server."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import joblib
import pandas as pd
import pytest
import yaml
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB

from tests.conftest import ROOT
from tests.live.conftest import serving

pytestmark = pytest.mark.live
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"(?:# |\{# )([\w.]+\.(?:py|html))\b")
DOCUMENTS = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def blocks(document: str, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall((ROOT / document).read_text()) if found == language]


def endpoints(document: str) -> dict[str, dict]:
    """Those of config.yaml, and those of the document; of other people's servers none is there to be asked."""
    found = yaml.safe_load((ROOT / "config.yaml").read_text())["url"]
    for text in blocks(document, "yaml"):
        if "example.com" not in text:
            found |= yaml.safe_load(text).get("url") or {}
    return found


def write_files(folder: Path, document: str) -> None:
    """The files that the document shows, and those that it takes for granted."""
    for language in ("python", "html"):
        for text in blocks(document, language):
            named = FILE.match(text)
            if named:
                (folder / named[1]).write_text(text)
    people = pd.DataFrame({"customer_id": range(40), "calls": [0, 1, 2, 9] * 10, "left": [0, 0, 0, 1] * 10})
    people.to_csv(folder / "customers.csv", index=False)
    joblib.dump(LogisticRegression().fit(people[["calls"]], people["left"]), folder / "mymodel.pkl")
    texts, labels = ["a boring film", "a good film"] * 5, [0, 1] * 5
    vectorizer = TfidfVectorizer().fit(texts)
    joblib.dump(vectorizer, folder / "TFIDFVectorizer.pkl")
    joblib.dump(MultinomialNB().fit(vectorizer.transform(texts), labels), folder / "SentimentClassifier.pkl")


def calls(document: str) -> Iterator[tuple[str, str]]:
    """Each curl command of the document with the beginning of its answer, if the document shows it."""
    for text in blocks(document, "bash"):
        lines = text.replace("\\\n", " ").splitlines()
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("curl "):
                yield line, following.removeprefix("# ") if re.match(r"# [\[{<]", following) else ""


def as_pattern(shown: str) -> str:
    return ".*".join(re.escape(part) for part in shown.split("…"))


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if any(calls(name))])
def test_the_examples_of_a_document_answer_as_it_shows(tmp_path, document):
    write_files(tmp_path, document)
    with serving(tmp_path, endpoints(document)) as server:
        for command, shown in calls(document):
            command = command.replace("http://127.0.0.1:8000", server.url)
            done = subprocess.run(
                ["curl", "-s", *shlex.split(command)[1:]], cwd=tmp_path, capture_output=True, text=True, check=True
            )
            assert re.match(as_pattern(shown), done.stdout.lstrip(), re.DOTALL), f"{command}\n{done.stdout[:500]}"
            assert shown.startswith('{"type"') or '"status":' not in done.stdout, f"{command}\n{done.stdout[:500]}"


def test_every_page_of_the_guide_shows_examples():
    assert {name for name in DOCUMENTS if any(calls(name))} >= {
        "README.md", "docs/pages.md", "docs/texts.md", "docs/time-series.md", "docs/transforms.md"
    }  # fmt: skip
