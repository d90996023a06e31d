"""SentimentAnalysis: which of several labels a text has."""

import copy
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions

from server.errors import BadRequest, UntrainableRows
from server.estimators.base import Report, ignore
from server.estimators.text_class import TextClass
from server.estimators.text_folder import Head, TextFolder

if TYPE_CHECKING:
    from server.estimators.network import Network

MOST_LABELS = 1000
# What is learned from of one text at most, evenly spread over it: a book must not drown the letters beside it.
MOST_WINDOWS = 32


class SentimentAnalysis(ClassifierMixin, TextClass):
    """A transformer that classifies texts; `classes_` are the labels in the order of the network's outputs.

    A text longer than the model takes is cut off there, or, if `long_texts` is "windows", read in windows that overlap:
    its probabilities are the mean of theirs, weighted by their numbers of tokens, and a training learns from each of
    them, of MOST_WINDOWS at most.
    """

    head = Head.SEQUENCE
    target_col = "label"
    predicting = ("quantize", "long_texts")
    _parameter_constraints = TextClass._parameter_constraints | {"long_texts": [StrOptions({"truncate", "windows"})]}

    # scikit-learn finds the parameters of a class in its own signature.
    def __init__(
        self,
        model: str | None = None,
        quantize: str | None = None,
        num_train_epochs: float = 1,
        per_device_train_batch_size: int = 16,
        learning_rate: float | None = None,
        weight_decay: float = 0.01,
        seed: int = 42,
        long_texts: str = "truncate",
    ) -> None:
        super().__init__(
            model, quantize, num_train_epochs, per_device_train_batch_size, learning_rate, weight_decay, seed
        )
        self.long_texts = long_texts

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
        examples = self._examples(network, texts)
        learned = [numbers[value] for value, own in zip(target.tolist(), examples, strict=True) for _ in own]
        self._fine_tune(network, [ids for own in examples for ids in own], learned, report)
        self.classes_ = _array([known[label] for label in ordered])
        # transformers keeps labels as text; here 0 is answered as 0.
        network.model.config.label_values = self.classes_.tolist()
        return self

    def _examples(self, network: "Network", texts: Sequence[str]) -> list[list[Sequence[int]]]:
        """The token ids to learn from of each text: one list of them, or one of each window."""
        if self.long_texts == "windows":
            # Lists take nine times the memory, and a training holds them all.
            return [_spread([array("i", ids) for ids in network.windows(text)]) for text in texts]
        return [[tokens.ids] for tokens in network.tokenized(list(texts))]

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The most likely label of each text, shape (n_texts,)."""
        return self.classes_[self.predict_proba(texts).argmax(axis=1)]

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """The probability of each label, shape (n_texts, n_labels)."""
        return self._of_texts(tuple(texts))

    def _of_texts(self, texts: tuple[str, ...]) -> np.ndarray:
        network = self.network
        return network.of_documents(texts) if self.long_texts == "windows" else network.of_texts(texts)

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


def _spread(windows: list[Sequence[int]]) -> list[Sequence[int]]:
    """Of more than MOST_WINDOWS so many, the first and the last among them."""
    if len(windows) <= MOST_WINDOWS:
        return windows
    return [windows[place] for place in np.linspace(0, len(windows) - 1, MOST_WINDOWS).round().astype(int)]


def _array(values: Sequence[Any]) -> np.ndarray:
    """Labels as an array: numbers and truth values in their types, text as Python's."""
    array = np.asarray(values)
    return array if array.dtype.kind in "biuf" else np.array(list(values), dtype=object)
