"""NER: where the entities in a text start and end, and what they are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from server.errors import InvalidRows, NotReady, UntrainableRows
from server.estimators.base import Report, ignore
from server.estimators.pretrained import Pretrained
from server.estimators.spans import Entity, WrongEntities, decoded, snapped, tags_of, types_of
from server.estimators.text_class import TextClass
from server.estimators.text_folder import Head, TextFolder

OUTSIDE = "O"
MOST_TYPES = 500


def _tags(number: int, text: str, offsets: Sequence[tuple[int, int]], entities: Sequence[Entity]) -> list[str | None]:
    try:
        return tags_of(text, offsets, entities)
    except WrongEntities as error:
        raise UntrainableRows(f"row {number} of those left to learn from: {error}") from error


def word_check(model: str | None) -> Callable[[str, Sequence[Entity]], None]:
    """What raises WrongEntities for two entities in one word, as the tokenizer of the pretrained weights has it.

    It needs no torch. Where there is no such tokenizer at hand, a training tells.
    """
    try:
        path = Pretrained(NER(model).model).folder().path / "tokenizer.json"
    except NotReady:
        return lambda text, entities: None
    if not path.exists():
        return lambda text, entities: None
    # Only those who store entities need it.
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()

    def check(text: str, entities: Sequence[Entity]) -> None:
        if len(entities) > 1:
            tags_of(text, tokenizer.encode(text).offsets, entities)

    return check


@dataclass(frozen=True)
class Found:
    """An entity, and the probability of each type, OUTSIDE among them: the mean over its words."""

    entity: Entity
    probabilities: dict[str, float]


class NER(TextClass):
    """A transformer that finds entities; `classes_` are their types, sorted."""

    head = Head.TOKEN
    target_col = "labels"

    def _learned(self, folder: TextFolder) -> None:
        super()._learned(folder)
        self.classes_ = types_of(folder.labels)
        self._tags = folder.labels

    def fit(self, texts: Sequence[str], target: Sequence[Sequence[Entity]], report: Report = ignore) -> Self:
        """Fine-tune the pretrained weights on texts and the entities in each.

        Raises:
            UntrainableRows: there is no entity, there are too many types, two lie in one word, or the loss diverges.
            NotReady: the pretrained weights cannot be had.
        """
        types = sorted({entity.label for entities in target for entity in entities})
        if not 0 < len(types) <= MOST_TYPES:
            raise UntrainableRows(
                f"the rows hold {len(types)} types of entities; 1 to {MOST_TYPES} are needed to learn from"
            )
        tags = [OUTSIDE, *(f"{prefix}-{name}" for name in types for prefix in "BI")]
        network = self._base(lambda folder: folder.labels if set(folder.labels) == set(tags) else tags)
        self._tags = tuple(network.model.config.id2label[index] for index in range(len(tags)))
        numbers = {tag: index for index, tag in enumerate(self._tags)}
        tokens = network.tokenized(list(texts))
        rows = zip(texts, (one.offsets for one in tokens), target, strict=True)
        labels = [
            [None if tag is None else numbers[tag] for tag in _tags(number, *row)] for number, row in enumerate(rows, 1)
        ]
        self._fine_tune(network, [one.ids for one in tokens], labels, report)
        self.classes_ = tuple(types)
        return self

    def predict(self, texts: Sequence[str]) -> list[list[Entity]]:
        """The entities in each text."""
        return [[found.entity for found in row] for row in self.predict_proba(texts)]

    def predict_proba(self, texts: Sequence[str]) -> list[list[Found]]:
        """The entities in each text with the probabilities of their types."""
        return list(self._found(list(texts)))

    def snapped(self, texts: Sequence[str], target: Sequence[Sequence[Entity]]) -> list[tuple[Entity, ...]]:
        """The entities widened to whole words, as this model finds them.

        Raises:
            InvalidRows: two entities lie in one word.
        """
        tokens = self.network.tokenized(list(texts))
        rows = zip(texts, (one.offsets for one in tokens), target, strict=True)
        found = []
        for number, row in enumerate(rows, 1):
            try:
                found.append(snapped(*row))
            except WrongEntities as error:
                raise InvalidRows(f"row {number}: {error}") from error
        return found

    def _found(self, texts: list[str]) -> Iterator[list[Found]]:
        members = {
            name: [i for i, tag in enumerate(self._tags) if types_of([tag]) == (name,)] for name in self.classes_
        }
        members[OUTSIDE] = [i for i, tag in enumerate(self._tags) if tag == OUTSIDE]
        for text, (tokens, probabilities) in zip(texts, self.network.of_tokens(texts), strict=True):
            tags = [self._tags[index] for index in probabilities.argmax(axis=1)]
            yield [
                Found(entity, {name: float(mean[places].sum()) for name, places in members.items()})
                for entity, words in decoded(text, tokens.offsets, tags)
                for mean in [np.mean(probabilities[words], axis=0)]
            ]
