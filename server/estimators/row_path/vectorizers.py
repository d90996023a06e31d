"""Vectorizers as functions of one text: its terms, looked up, counted and weighed as scikit-learn does."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, SelectPercentile, VarianceThreshold

from server.estimators.row_path.steps import NotUnderstood
from server.estimators.row_path.terms import Terms

FLOATS = (np.float64, np.float32)
Weigh = Callable[[Terms], Terms]


def counted(vectorizer: Any) -> Callable[[str], Terms]:
    """CountVectorizer: how often a text has each term of the vocabulary, by the vectorizer's own analyser."""
    if vectorizer.input != "content":
        raise NotUnderstood(f"{type(vectorizer).__name__} reads files")
    analyze, place_of = vectorizer.build_analyzer(), vectorizer.vocabulary_.get
    width, is_binary, dtype = len(vectorizer.vocabulary_), vectorizer.binary, vectorizer.dtype

    def step(text: str) -> Terms:
        counts: dict[int, int] = {}
        for term in analyze(text):
            column = place_of(term)
            if column is not None:
                counts[column] = counts.get(column, 0) + 1
        columns = np.fromiter(counts, np.intp, len(counts))
        order = columns.argsort()
        # Counted in C's integers, and then made what the vectorizer tells.
        numbers = np.ones(len(counts)) if is_binary else np.fromiter(counts.values(), np.intc, len(counts))[order]
        return Terms(columns[order], numbers.astype(dtype), width)

    return step


def weighed(transformer: Any) -> Weigh:
    """TfidfTransformer: counts or their logarithms, times the idf, divided by the norm of the row."""
    idf, is_sublinear = getattr(transformer, "idf_", None), transformer.sublinear_tf
    if transformer.norm is not None and transformer.norm not in NORMS:
        raise NotUnderstood(f"TfidfTransformer divides by the norm {transformer.norm!r}")
    length = NORMS.get(transformer.norm)

    def step(row: Terms) -> Terms:
        values = row.values if row.values.dtype.type in FLOATS else row.values.astype(np.float64)
        if is_sublinear:
            values = np.log(values) + 1.0
        if idf is not None:
            values = (values * idf[row.columns]).astype(values.dtype, copy=False)
        if length is not None and len(values):
            total = length(values)
            # Divided as float64, whatever the vectorizer tells.
            values = (values / total).astype(values.dtype, copy=False) if total else values
        return Terms(row.columns, values, row.width)

    return step


# A cumulative sum adds one after the other, as scikit-learn does; a plain sum adds in pairs.
NORMS: dict[str, Callable[[np.ndarray], np.float64]] = {
    "l1": lambda values: np.abs(values).cumsum(dtype=np.float64)[-1],
    "l2": lambda values: np.sqrt((values * values).cumsum(dtype=np.float64)[-1]),
}


def selected(selector: Any) -> Weigh:
    """A selector of features: those that it keeps, numbered anew."""
    kept = selector.get_support()
    numbers, width = np.cumsum(kept) - 1, int(kept.sum())

    def step(row: Terms) -> Terms:
        stays = kept[row.columns]
        return Terms(numbers[row.columns[stays]], row.values[stays], width)

    return step


# By exact class: a user's subclass may do something else.
VECTORIZERS: dict[type, Callable[[Any], list[Callable[[Any], Terms]]]] = {
    CountVectorizer: lambda vectorizer: [counted(vectorizer)],
    TfidfVectorizer: lambda vectorizer: [counted(vectorizer), weighed(vectorizer._tfidf)],
}
WEIGHERS: dict[type, Callable[[Any], Weigh]] = {
    TfidfTransformer: weighed,
    **dict.fromkeys((SelectKBest, SelectPercentile, SelectFromModel, VarianceThreshold), selected),
}
