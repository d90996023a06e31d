"""The examples of the README and of docs/ do what they say, against a real server."""

import os
import re
import subprocess
import sys
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
from tests.live.weights import fill_hub, minilm

pytestmark = pytest.mark.live
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What is asked, and what must be done before; how programs are installed is another matter.
COMMAND = re.compile(r"(curl|head|tail|python (\w+\.py|-m zipfile))( |$)")
FILE = re.compile(r"(?:# |\{# )([\w.]+\.(?:py|html))\b")
# Its server begins with the command that users type.
FIRST = "README.md"
DOCUMENTS = [FIRST, *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def blocks(document: str, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall((ROOT / document).read_text()) if found == language]


def endpoints(document: str) -> dict[str, dict]:
    """Those of config.yaml that the document names, and its own; of other people's servers none can be asked."""
    shown = (ROOT / document).read_text()
    given = yaml.safe_load((ROOT / "config.yaml").read_text())["url"]
    found = {name: entry for name, entry in given.items() if name in shown}
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
    (folder / "minilm").symlink_to(minilm(), target_is_directory=True)
    people = pd.DataFrame({"customer_id": range(40), "calls": [0, 1, 2, 9] * 10, "left": [0, 0, 0, 1] * 10})
    people.to_csv(folder / "customers.csv", index=False)
    joblib.dump(LogisticRegression().fit(people[["calls"]], people["left"]), folder / "mymodel.pkl")
    texts, labels = ["a boring film", "a good film"] * 5, [0, 1] * 5
    vectorizer = TfidfVectorizer().fit(texts)
    joblib.dump(vectorizer, folder / "TFIDFVectorizer.pkl")
    joblib.dump(MultinomialNB().fit(vectorizer.transform(texts), labels), folder / "SentimentClassifier.pkl")


def calls(document: str) -> Iterator[tuple[str, str]]:
    """Each command of the document that is run here with the beginning of its answer, if the document shows it."""
    for text in blocks(document, "bash"):
        lines = text.replace("\\\n", " ").splitlines()
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            if COMMAND.match(line):
                yield line, following.removeprefix("# ") if re.match(r"# [\[{<]", following) else ""


def as_pattern(shown: str) -> str:
    return ".*".join(re.escape(part) for part in shown.split("…"))


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    """The folder in which the hub's default models are kept."""
    home = tmp_path_factory.mktemp("hub")
    fill_hub(home)
    return home


def run(command: str, folder: Path) -> str:
    """What the command prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = re.sub(r"^curl ", "curl -s ", command)
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout.lstrip()


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if any(calls(name))])
def test_the_examples_of_a_document_answer_as_it_shows(tmp_path, monkeypatch, hub, document):
    write_files(tmp_path, document)
    monkeypatch.setenv("HF_HOME", str(hub))
    with serving(tmp_path, endpoints(document), prepared=document != FIRST) as server:
        for command, shown in calls(document):
            answer = run(command.replace("http://127.0.0.1:8000", server.url), tmp_path)
            assert re.match(as_pattern(shown), answer, re.DOTALL), f"{command}\n{answer[:500]}"
            # That of a problem is a number, that of a run is a word.
            is_problem = re.search(r'"status":\d', answer) is not None
            assert shown.startswith('{"type"') or not is_problem, f"{command}\n{answer[:500]}"


def test_every_page_of_the_guide_shows_examples():
    pages = {f"docs/{name}.md" for name in ("pages", "runs", "text-models", "texts", "time-series", "transforms")}
    assert {name for name in DOCUMENTS if any(calls(name))} >= {"README.md", *pages}
