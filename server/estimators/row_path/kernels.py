"""What answers for an encoded row: the estimator itself, unless its class has a kernel that computes the same."""

from typing import Any

import numpy as np

from server.estimators.row_path.terms import Encoded, terms_of, whole
from server.schema.cells import Unusual


class Kernel:
    """The estimator's own `predict` and `predict_proba`, on the encoded row; others compute the same sooner.

    A row is an array of shape (n_encoded,), or its terms. `is_sparse` says that the pipeline gives the estimator a
    sparse matrix, which is summed in another order. Kernels do the same operations in the same order as the estimator
    does for one row, so that their answers are equal to the last bit.
    """

    # Whether it computes the answers, or asks the estimator.
    computes = False

    @property
    def thresholds(self) -> tuple[np.ndarray, np.ndarray]:
        """Where a tree changes its mind: the encoded column of each threshold, and the threshold."""
        return np.empty(0, dtype=np.intp), np.empty(0)

    @property
    def tolerance(self) -> float:
        """How far numbers may be from those that the pipeline tells of many rows, which it adds in another order.

        An estimator that answers itself may do more than add, such as solve equations.
        """
        return 1e-12 if self.computes else 1e-9

    def __init__(self, estimator: Any, is_sparse: bool) -> None:
        self.estimator = estimator
        self.is_sparse = is_sparse
        # It warns of rows whose columns have no names.
        self.wants_names = hasattr(estimator, "feature_names_in_")

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        """Whether the kernel knows these parameters of the class."""
        return True

    def predict(self, row: Encoded) -> np.ndarray:
        """The answer, shape (1,) or (1, n_outputs)."""
        return self.estimator.predict(self._taken(row))

    def predict_proba(self, row: Encoded) -> np.ndarray:
        """A probability for each class, shape (1, n_classes)."""
        return self.estimator.predict_proba(self._taken(row))

    def both(self, row: Encoded) -> tuple[np.ndarray, np.ndarray]:
        """What `predict` and `predict_proba` answer; what they have in common is done once."""
        return self.predict(row), self.predict_proba(row)

    def _taken(self, row: Encoded) -> Any:
        if self.wants_names:
            raise Unusual
        return terms_of(row).matrix() if self.is_sparse else whole(row)[np.newaxis]

    def product(self, row: Encoded, matrix: np.ndarray) -> np.ndarray:
        """row · matrix, shape (1, n_columns), summed in the order in which a pipeline sums it."""
        if not self.is_sparse:
            return whole(row)[np.newaxis] @ matrix
        columns, values, _ = terms_of(row)
        if not columns.size:
            return np.zeros((1, matrix.shape[1]), np.result_type(values, matrix))
        return (matrix[columns] * values[:, np.newaxis]).cumsum(axis=0)[-1:]


def softmax(scores: np.ndarray) -> np.ndarray:
    """exp(s) / Σ exp(s) of scores of shape (1, n_classes), without overflow."""
    powers = np.exp(scores - scores.max())
    return powers / powers.sum(axis=1, keepdims=True)
