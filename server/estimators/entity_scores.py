"""How good the entities of a model are: precision, recall and F1 of whole entities, as seqeval defines them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from server.errors import NoScore
from server.estimators.spans import Entity


def entity_scores(true: Sequence[Sequence[Entity]], predicted: Sequence[Sequence[Entity]]) -> dict[str, Any]:
    """Scores between 0 and 1 of the entities of n_texts texts: micro averages, and each label's own.

    An entity is right if start, end and label are (Tjong Kim Sang and De Meulder, 2003). A ratio of nothing is 0.

    Raises:
        NoScore: there is no entity, neither true nor predicted.
    """
    support: Counter[str] = Counter()
    found: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for expected, answered in zip(map(set, true), map(set, predicted), strict=True):
        support.update(entity.label for entity in expected)
        found.update(entity.label for entity in answered)
        right.update(entity.label for entity in expected & answered)
    labels = sorted(support.keys() | found.keys())
    if not labels:
        raise NoScore("the score is undefined for these rows: there is no entity in them, and none is predicted")
    overall = _ratios(right.total(), found.total(), support.total())
    by_label = {
        label: {**_ratios(right[label], found[label], support[label]), "support": support[label]} for label in labels
    }
    return {"score": overall["f1"], **overall, "labels": by_label}


def _ratios(right: int, found: int, support: int) -> dict[str, float]:
    return {
        "precision": right / found if found else 0.0,
        "recall": right / support if support else 0.0,
        "f1": 2 * right / (found + support),
    }
