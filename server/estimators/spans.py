"""Entities as characters of a text, as tags of a model's tokens, and the words in between.

A model gives each token a label, and a tokenizer cuts where it likes. What gets one label is therefore the word: tokens
that adjoin, letters at letters or digits at digits. Scripts that put no spaces between words have no words in this
sense; there each token is one. A combining mark belongs to what stands before it. Positions count code points, as
Python does, and an end is the position after the last.
"""

import json
import numbers
import reprlib
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

MOST_LABEL = 100
OUTSIDE = "O"
EXAMPLE = '[{"start": 0, "end": 13, "label": "PER"}]'
ADVICE = f"write a list such as {EXAMPLE}, and [] for a text without entities"
# Ramshaw and Marcus (1995) and Ratinov and Roth (2009) name the schemes; IOBES writes E for L and S for U.
PREFIXES = frozenset("BILUES")
BEGINNING = frozenset("BUS")
ENDING = frozenset("LEUS")
# As they stand in the names of Unicode's letters.
UNSPACED = frozenset(
    {"CJK", "IDEOGRAPHIC", "HIRAGANA", "HENTAIGANA", "KATAKANA", "KANA", "THAI", "LAO", "KHMER", "MYANMAR"}
)

Offsets = Sequence[tuple[int, int]]


class WrongEntities(ValueError):
    """These are no entities of this text, or none that a model could learn; the sentence says why."""


@dataclass(frozen=True)
class Entity:
    """The characters from `start` up to `end` of a text, and what they name."""

    start: int
    end: int
    label: str

    def __str__(self) -> str:
        return f"{self.label!r} from {self.start} to {self.end}"

    def to_dict(self) -> dict[str, Any]:
        """The entity as it stands in answers."""
        return asdict(self)


@dataclass(slots=True)
class _Word:
    """A word's first token, and its characters."""

    token: int
    start: int
    end: int


def parse_entities(cell: Any, text: str) -> tuple[Entity, ...]:
    """The entities in a cell, by their start: a list of objects with start, end and label, or JSON text of one.

    Raises:
        WrongEntities: there is no such list, or an entity in it is none of this text, or two overlap.
    """
    entities = sorted(
        (_entity(item, number, text) for number, item in enumerate(_items(cell), 1)), key=lambda entity: entity.start
    )
    for entity, following in pairwise(entities):
        if following.start < entity.end:
            raise WrongEntities(f"the entities {entity} and {following} overlap")
    return tuple(entities)


def entities_json(entities: Iterable[Entity]) -> str:
    """The one JSON text of these entities."""
    return json.dumps([entity.to_dict() for entity in entities], separators=(",", ":"), ensure_ascii=False)


def word_starts(text: str, offsets: Offsets) -> np.ndarray:
    """Whether a token is the first of a word; shape (n_tokens,).

    `offsets` are the characters of each token as the tokenizer tells them, with or without white space around them.
    Special tokens have empty ones and begin no word; tokens that share a character are of one word.
    """
    starts = np.zeros(len(offsets), dtype=bool)
    starts[[word.token for word in _words(text, offsets)]] = True
    return starts


def tags_of(text: str, offsets: Offsets, entities: Iterable[Entity]) -> list[str | None]:
    """The IOB2 tag of the first token of each word, and None for every other token; n_tokens of them.

    An entity takes all of each word that it touches. Those after the last word, in text that was cut off, are left out.

    Raises:
        WrongEntities: two entities lie within one word, or one covers no token.
    """
    words = _words(text, offsets)
    tags: list[str | None] = [None] * len(offsets)
    for word in words:
        tags[word.token] = OUTSIDE
    for entity, touched in _placed(text, words, entities):
        for place, word in enumerate(touched):
            tags[word.token] = f"{'I' if place else 'B'}-{entity.label}"
    return tags


def snapped(text: str, offsets: Offsets, entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """The entities with all of each word that they touch; those after the last word stay as they are.

    Raises:
        WrongEntities: two entities lie within one word, or one covers no token.
    """
    return tuple(
        Entity(touched[0].start, touched[-1].end, entity.label) if touched else entity
        for entity, touched in _placed(text, _words(text, offsets), entities)
    )


def decoded(text: str, offsets: Offsets, tags: Sequence[str | None]) -> list[tuple[Entity, list[int]]]:
    """The entities that one tag per token stands for, each with the first token of each of its words.

    Tags within a word do not count. IOB1, IOB2, BILOU and IOBES are understood, and plain labels, where neighbours of
    one label are one entity. A tag that cannot continue what is before it begins an entity, as seqeval reads them.
    """
    groups: list[tuple[str, list[_Word]]] = []
    going_on = None
    for word in _words(text, offsets):
        prefix, label = _prefix_and_type(tags[word.token])
        if label is None:
            going_on = None
            continue
        if label == going_on and prefix not in BEGINNING:
            groups[-1][1].append(word)
        else:
            groups.append((label, [word]))
        going_on = None if prefix in ENDING else label
    return [(Entity(words[0].start, words[-1].end, label), [word.token for word in words]) for label, words in groups]


def types_of(labels: Iterable[str]) -> tuple[str, ...]:
    """The types of entities that a model's labels tell apart, sorted."""
    return tuple(sorted({label for _, label in map(_prefix_and_type, labels) if label is not None}))


def _items(cell: Any) -> list[Any]:
    items = _from_json(cell) if isinstance(cell, str) and cell.strip() else cell
    if isinstance(items, np.ndarray):
        items = items.tolist()
    if not isinstance(items, (list, tuple)):
        raise WrongEntities(f"{reprlib.repr(cell)} is no list of entities; {ADVICE}")
    return list(items)


def _from_json(cell: str) -> Any:
    try:
        return json.loads(cell, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise WrongEntities(f"{reprlib.repr(cell)} is no JSON, at character {error.pos + 1}; {ADVICE}") from error
    except (ValueError, RecursionError) as error:
        raise WrongEntities(f"{reprlib.repr(cell)} is no JSON that can be read; {ADVICE}") from error


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _entity(item: Any, number: int, text: str) -> Entity:
    """The item, checked by itself; `number` counts from 1."""
    if not isinstance(item, Mapping):
        raise WrongEntities(f"entity {number} must be an object with start, end and label, not {reprlib.repr(item)}")
    for name in ("start", "end", "label"):
        if name not in item:
            raise WrongEntities(f"entity {number} has no {name!r}; it needs start, end and label")
    start, end = (_position(item[name], name, number) for name in ("start", "end"))
    entity = Entity(start, end, _label(item["label"], number))
    if start < 0 or end > len(text):
        raise WrongEntities(f"the entity {entity} lies outside the text of {len(text)} characters")
    if start >= end:
        raise WrongEntities(f"the entity {entity} holds no character; its end is the position after its last one")
    if text[start:end].isspace():
        raise WrongEntities(f"the entity {entity} covers nothing but white space")
    return entity


def _position(value: Any, name: str, number: int) -> int:
    whole = isinstance(value, numbers.Integral) or (isinstance(value, numbers.Real) and float(value).is_integer())
    if not whole or isinstance(value, bool):
        raise WrongEntities(f"the {name} of entity {number} must be a whole number, not {reprlib.repr(value)}")
    return int(value)


def _label(value: Any, number: int) -> str:
    # Half a surrogate pair, which JSON can write down, is no character and could not be answered.
    fits = isinstance(value, str) and value.strip() and len(value) <= MOST_LABEL
    if not fits or any("\ud800" <= character <= "\udfff" for character in value):
        raise WrongEntities(
            f"the label of entity {number} must be a text of 1 to {MOST_LABEL} characters, not {reprlib.repr(value)}"
        )
    if value == OUTSIDE:
        raise WrongEntities(f"the label of entity {number} is 'O', which means no entity; leave it out")
    return str(value)


def _placed(text: str, words: list[_Word], entities: Iterable[Entity]) -> Iterator[tuple[Entity, list[_Word]]]:
    """Each entity with the words that it touches; no words for one after the last of them."""
    starts, ends = [word.start for word in words], [word.end for word in words]
    owners: dict[int, Entity] = {}
    for entity in entities:
        touched = words[bisect_right(ends, entity.start) : bisect_left(starts, entity.end)]
        if not touched and ends and entity.start < ends[-1]:
            raise WrongEntities(f"the entity {entity} covers only characters that the model's tokenizer leaves out")
        for word in touched:
            other = owners.setdefault(word.token, entity)
            if other is not entity:
                inside = reprlib.repr(text[word.start : word.end])
                raise WrongEntities(f"the entities {other} and {entity} lie within one word, {inside}")
        yield entity, touched


def _prefix_and_type(tag: str | None) -> tuple[str, str | None]:
    """The parts of a tag; no type where there is no entity, no prefix in a plain label."""
    if tag is None or tag == OUTSIDE:
        return "", None
    if len(tag) > 2 and tag[1] == "-" and tag[0] in PREFIXES:
        return tag[0], tag[2:]
    return "", tag


def _words(text: str, offsets: Offsets) -> list[_Word]:
    """The words in the order of the text; none shares a character with another."""
    words: list[_Word] = []
    reach = 0
    for token, (start, end) in enumerate(offsets):
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        if start >= end:
            continue
        joined = bool(words) and (start < reach or (start == reach and _goes_on(text, reach)))
        # Also the marks that a tokenizer drops.
        reach = max(reach, end)
        while reach < len(text) and _kind(text[reach]) == "mark":
            reach += 1
        if joined:
            words[-1].end = reach
        else:
            words.append(_Word(token, start, reach))
    return words


def _goes_on(text: str, place: int) -> bool:
    """Whether a word does not end before this place."""
    before = place - 1
    while before > 0 and _kind(text[before]) == "mark":
        before -= 1
    return _kind(text[before]) == _kind(text[place]) != "other"


@lru_cache(maxsize=10_000)
def _kind(character: str) -> str:
    """Letter, digit, mark, or other, which includes the letters of scripts without spaces."""
    category = unicodedata.category(character)
    if category.startswith("M"):
        return "mark"
    if category == "Nd":
        return "digit"
    # The letters to which Python gives no name are Tangut's ideographs.
    names = unicodedata.name(character, "IDEOGRAPHIC").replace("-", " ").split()
    return "letter" if category.startswith("L") and UNSPACED.isdisjoint(names) else "other"
