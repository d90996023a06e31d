"""Endpoints of tiny text models, and rows from which they learn in a second."""

import itertools
from typing import Any

GOOD, BAD = ("good", "great", "love", "fine"), ("bad", "boring", "hate", "poor")
FRAMES = ("the movie was {}", "it is {}", "this film is very {}", "{}", "a {} film")
# Learns REVIEWS without a mistake, whatever the seed.
ARGUMENTS = {"num_train_epochs": 6, "learning_rate": 0.01, "per_device_train_batch_size": 8}
QUERY = "".join(f"&{name}={value}" for name, value in ARGUMENTS.items())
NEW = ("that movie is great", "that movie is boring", "love it", "hate it")


def text_endpoint(name: str, model: str, **kwargs: Any) -> dict[str, Any]:
    """An endpoint at /name; a `class` or a `task` is to be among kwargs, or NER or SentimentAnalysis is meant.

    `model` is the folder of the pretrained weights; `options` of the model section may be among kwargs, too.
    """
    options = dict(kwargs.pop("options", {}))
    options["params"] = {"model": model} | options.get("params", {})
    if "task" in kwargs:
        kwargs["backend"] = "transformers"
    else:
        options.setdefault("class", "SentimentAnalysis")
    return {"pattern": f"/{name}", "handler": "MLHandler", "kwargs": {**kwargs, "model": options}}


def reviews(good: Any = "POSITIVE", bad: Any = "NEGATIVE") -> list[dict[str, Any]]:
    """40 texts with a label each, which a word in them decides."""
    return [
        {"text": frame.format(word), "label": label}
        for frame in FRAMES
        for words, label in ((GOOD, good), (BAD, bad))
        for word in words
    ]


def journeys() -> list[dict[str, Any]]:
    """36 texts with a person and a place in each."""
    people, places = ("anna", "peter", "anna smith", "peter smith"), ("paris", "london", "berlin")
    frames = ("{person} lives in {place}", "{person} went to {place}", "in {place} is {person}")
    return [
        {"text": (text := frame.format(person=person, place=place)), "labels": marked(text, PER=person, LOC=place)}
        for person, place, frame in itertools.product(people, places, frames)
    ]


def marked(text: str, **parts: str) -> list[dict[str, Any]]:
    """The entities of a text: label → part of the text."""
    found = [(text.index(part), text.index(part) + len(part), label) for label, part in parts.items()]
    return [{"start": start, "end": end, "label": label} for start, end, label in sorted(found)]
