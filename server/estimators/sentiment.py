"""SentimentAnalysis: which of several labels a text has."""

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin

from server.errors import BadRequest, UntrainableRows
from server.estimators.base import Report, ignore
from server.estimators.text_class import TextClass
from server.estimators.text_folder import Head, TextFolder

MOST_LABELS = 1000


class SentimentAnalysis(ClassifierMixin, TextClass):
    """A transformer that classifies texts; `classes_` are the labels in the order of the network's outputs."""

    head = Head.SEQUENCE
    target_col = "label"

    def _learned(self, folder: TextFolder) -> None:
        super()._learned(folder)
        self.classes_ = _array(folder.values)

    def fit(self, texts: Sequence[str], target: np.ndarray, report: Report = ignore) -> Self:
        """Fine-tune the pretrained weights on texts and their labels, each of shape (n_texts,).

        Raises:
            UntrainableRows: too many labels, or the loss diverges.
            NotReady: the pretrained weights cannot be had.
        """
        values = sorted(set(target.tolist()))
        if len(values) > MOST_LABELS:
            raise UntrainableRows(f"the target holds {len(values)} different labels; {MOST_LABELS} are allowed")
        # The head that is there already knows these labels, if it has the same; then in its order.
        known = {str(value): value for value in values}

        def labels(folder: TextFolder) -> list[str]:
            same = folder.head is self.head and set(folder.labels) == set(known)
            return list(folder.labels if same else known)

        network = self._base(labels)
        ordered = [network.model.config.id2label[index] for index in range(len(known))]
        numbers = {known[label]: index for index, label in enumerate(ordered)}
        ids = [tokens.ids for tokens in network.tokenized(list(texts))]
        self._fine_tune(network, ids, [numbers[value] for value in target.tolist()], report)
        self.classes_ = _array([known[label] for label in ordered])
        # transformers keeps labels as text; here 0 is answered as 0.
        network.model.config.label_values = self.classes_.tolist()
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The most likely label of each text, shape (n_texts,)."""
        return self.classes_[self.predict_proba(texts).argmax(axis=1)]

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """The probability of each label, shape (n_texts, n_labels)."""
        return self._of_texts(tuple(texts))

    def _of_texts(self, texts: tuple[str, ...]) -> np.ndarray:
        return self.network.of_texts(texts)

    def remembering(self) -> Self:
        """A twin with the same weights that remembers the probabilities of the texts it was asked about last."""
        twin = copy.copy(self)
        # Asked of this model, so that there stays one copy of the weights, whoever reads them first.
        twin._of_texts = lru_cache(maxsize=1)(self._of_texts)  # type: ignore[method-assign]
        return twin

    def check_known(self, target: np.ndarray) -> None:
        """Accept labels that the model knows.

        Raises:
            BadRequest: one that it does not know, with its row.
        """
        known = set(self.classes_.tolist())
        for row, label in enumerate(target.tolist()):
            if label not in known:
                listing = ", ".join(map(repr, self.classes_.tolist()[:20]))
                raise BadRequest(f"row {row + 1}: the model does not know the label {label!r}; it knows {listing}")


def _array(values: Sequence[Any]) -> np.ndarray:
    """Labels as an array: numbers and truth values in their types, text as Python's."""
    array = np.asarray(values)
    return array if array.dtype.kind in "biuf" else np.array(list(values), dtype=object)
