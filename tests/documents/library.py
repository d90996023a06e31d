"""A folder of real documents, one subfolder per label, whose words tell their labels."""

import random
from collections.abc import Sequence
from pathlib import Path

from tests.documents.writers import WRITERS

# Subjects, verbs, objects and places of each topic.
WORDS = {
    "sport": ("striker goalkeeper sprinter coach captain", "scored trained won defended raced",
              "goal match medal penalty championship", "stadium league final tournament track"),
    "food": ("chef baker cook waiter gardener", "baked roasted tasted seasoned served",
             "bread soup pastry tomato cheese", "kitchen restaurant oven market recipe"),
    "space": ("astronaut telescope rocket probe astronomer", "orbited launched observed landed measured",
              "planet comet galaxy satellite crater", "orbit moon station observatory nebula"),
    "medical": ("doctor nurse surgeon patient pharmacist", "treated diagnosed vaccinated examined operated",
                "fever infection tumour medicine symptom", "hospital clinic ward ambulance laboratory"),
    "politics": ("minister senator president mayor deputy", "voted debated vetoed campaigned governed",
                 "law election treaty budget reform", "parliament senate ministry embassy council"),
    "cv": ("applicant graduate engineer manager intern", "studied managed developed graduated worked",
           "degree project certificate skill language", "university company department school team"),
    "business": ("investor trader merchant banker shareholder", "invested merged exported borrowed profited",
                 "share dividend loan contract invoice", "exchange factory bank warehouse branch"),
    "history": ("emperor knight archaeologist monk queen", "conquered excavated reigned besieged inherited",
                "castle throne manuscript sword ruin", "empire monastery kingdom fortress century"),
}  # fmt: skip
SHARED = ("yesterday", "again", "slowly", "with care", "as expected", "for the first time", "after all")


def words_of(labels: Sequence[str]) -> dict[str, list[list[str]]]:
    """Each label's own topic, or for other labels one that is left."""
    left = [topic for topic in WORDS if topic not in labels]
    topics = {label: label if label in WORDS else left.pop(0) for label in labels}
    return {label: [words.split() for words in WORDS[topic]] for label, topic in topics.items()}


def sentences(words: list[list[str]], chance: random.Random, count: int = 8) -> str:
    """A text of that many sentences."""
    made = []
    for _ in range(count):
        subject, verb, thing, place = (chance.choice(choices) for choices in words)
        made.append(f"The {subject} {verb} the {thing} near the {place} {chance.choice(SHARED)}.")
    return " ".join(made)


def write_library(
    folder: Path, labels: Sequence[str], per_label: int, formats: Sequence[str] = tuple(WRITERS), seed: int = 0
) -> None:
    """Write `per_label` documents for each label (eight labels at most), the formats in turn."""
    chance = random.Random(seed)
    for label, words in words_of(labels).items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(per_label):
            suffix = formats[number % len(formats)]
            text = sentences(words, chance)
            (folder / label / f"{label}{number:03}.{suffix}").write_bytes(WRITERS[suffix](text))
