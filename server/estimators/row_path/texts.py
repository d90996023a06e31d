"""The way of one text: its terms, what weighs and selects them, the kernel."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline

from server.estimators.documents import makes_array
from server.estimators.row_path.encoder import chained
from server.estimators.row_path.path import RowPath, answering
from server.estimators.row_path.steps import NotUnderstood
from server.estimators.row_path.terms import Encoded, Terms, encoded, whole
from server.estimators.row_path.text_probes import some_of
from server.estimators.row_path.vectorizers import VECTORIZERS, WEIGHERS
from server.schema.cells import Cell

ANY_TEXT = "any text"
Step = Callable[[Any], Any]


class TextPath(RowPath):
    """A fitted model of texts taken apart; the one cell of a row is a text.

    Raises:
        NotUnderstood: a part of the model is not known here; the sentence says which.
    """

    def _parts(self, model: Any, names: Sequence[str]) -> tuple[Step, Any, bool]:
        *before, estimator = _flat(model)
        if not before:
            raise NotUnderstood(f"{type(model).__name__} is not taken apart")
        steps = _steps(before)
        self.terms = some_of(_vocabulary(before[0]))
        encode = chained([_text, *steps])
        return encode, estimator, isinstance(encode([ANY_TEXT]), Terms)


def _vocabulary(vectorizer: Any) -> Collection[str]:
    """The terms that a vectorizer looks for; of several, the first one's."""
    if type(vectorizer) is FeatureUnion:
        return _vocabulary(next(_flat(part)[0] for _, part in vectorizer.transformer_list if part != "drop"))
    return vectorizer.vocabulary_


def _flat(model: Any) -> list[Any]:
    """The steps of a pipeline, those of pipelines within it in their place; anything else is one step."""
    model = answering(model)
    if type(model) is not Pipeline:
        return [model]
    return [inner for _, step in model.steps if step not in (None, "passthrough") for inner in _flat(step)]


def _text(cells: Sequence[Cell]) -> str:
    text = str(cells[0] or "")
    if not text.isascii():
        # Half of a pair of surrogates is no text: no table holds it.
        text.encode()
    return text


def _steps(transformers: Sequence[Any]) -> list[Step]:
    """A vectorizer and what follows it, as functions of what came before."""
    vectorizer, *others = transformers
    if type(vectorizer) is FeatureUnion:
        steps: list[Step] = [_united(vectorizer)]
    elif type(vectorizer) in VECTORIZERS:
        steps = [*VECTORIZERS[type(vectorizer)](vectorizer)]
    else:
        raise NotUnderstood(f"{type(vectorizer).__name__} is not taken apart")
    row = chained(steps)(ANY_TEXT)
    for transformer in others:
        steps.append(_step(transformer, isinstance(row, Terms)))
        row = steps[-1](row)
    return steps


def _step(transformer: Any, is_sparse: bool) -> Step:
    if is_sparse and makes_array(transformer):
        return whole
    if is_sparse and type(transformer) in WEIGHERS:
        return WEIGHERS[type(transformer)](transformer)
    if not hasattr(transformer, "transform") or hasattr(transformer, "feature_names_in_"):
        raise NotUnderstood(f"{type(transformer).__name__} is not taken apart")
    return _own(transformer)


def _own(transformer: Any) -> Step:
    """The transformer's own `transform`, on the matrix of one row."""

    def step(row: Encoded) -> Encoded:
        return encoded(transformer.transform(row.matrix() if isinstance(row, Terms) else row[np.newaxis]))

    return step


def _united(union: FeatureUnion) -> Step:
    """FeatureUnion: the terms of each vectorizer, one beside the other."""
    if union.transformer_weights:
        raise NotUnderstood("FeatureUnion weighs its transformers")
    parts: list[Step] = [chained(_steps(_flat(part))) for _, part in union.transformer_list if part != "drop"]
    made = [part(ANY_TEXT) for part in parts]
    if not made or not all(isinstance(row, Terms) for row in made):
        raise NotUnderstood("FeatureUnion puts arrays beside one another")
    widths = [row.width for row in made]
    starts = np.cumsum([0, *widths[:-1]])

    def step(text: str) -> Terms:
        rows = [part(text) for part in parts]
        columns = [row.columns + start for row, start in zip(rows, starts, strict=True)]
        return Terms(np.concatenate(columns), np.concatenate([row.values for row in rows]), sum(widths))

    return step
