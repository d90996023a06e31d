"""Models that are a product with coefficients."""

from typing import Any

import numpy as np
from scipy.special import expit

from server.estimators.row_path.kernels import Kernel, softmax
from server.estimators.row_path.terms import Encoded, whole


class LinearRegressor(Kernel):
    """x · coef_ + intercept_, one or several targets."""

    computes = True

    def __init__(self, estimator: Any, is_sparse: bool) -> None:
        super().__init__(estimator, is_sparse)
        coef = estimator.coef_
        # Kept as scikit-learn has it, a view of the coefficients: BLAS adds in another order for another layout.
        self._coefficients = coef.T if coef.ndim == 2 else coef
        self._intercept = estimator.intercept_

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        coef = getattr(estimator, "coef_", None)
        return isinstance(coef, np.ndarray) and coef.dtype.kind == "f"

    def scores(self, row: Encoded) -> np.ndarray:
        """What decides, shape (1,) or (1, n_outputs)."""
        if self._coefficients.ndim == 1:
            if self.is_sparse:
                return self.product(row, self._coefficients[:, np.newaxis])[:, 0] + self._intercept
            return whole(row)[np.newaxis] @ self._coefficients + self._intercept
        return self.product(row, self._coefficients) + self._intercept

    def predict(self, row: Encoded) -> np.ndarray:
        return self.scores(row)


class LogLinkRegressor(LinearRegressor):
    """exp of the product: Poisson and gamma regression."""

    def predict(self, row: Encoded) -> np.ndarray:
        return np.exp(self.scores(row))


class LinearClassifier(LinearRegressor):
    """The class of the greatest score; of two classes the second, if its score is above 0."""

    def scores(self, row: Encoded) -> np.ndarray:
        scores = super().scores(row)
        return scores.ravel() if scores.ndim == 2 and scores.shape[1] == 1 else scores

    def predict(self, row: Encoded) -> np.ndarray:
        return self._decided(self.scores(row))

    def _decided(self, scores: np.ndarray) -> np.ndarray:
        place = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.estimator.classes_.take(place)


class LogisticClassifier(LinearClassifier):
    """Two classes: the logistic function of the score; more: softmax."""

    def predict_proba(self, row: Encoded) -> np.ndarray:
        return _likely(self.scores(row))

    def both(self, row: Encoded) -> tuple[np.ndarray, np.ndarray]:
        scores = self.scores(row)
        return self._decided(scores), _likely(scores)


class OneAgainstRestClassifier(LinearClassifier):
    """The logistic function of each score, divided by their sum."""

    def predict_proba(self, row: Encoded) -> np.ndarray:
        if self.estimator.loss != "log_loss":
            return super().predict_proba(row)
        likely = expit(self.scores(row))
        if likely.ndim == 1:
            return pair(likely)
        total = likely.sum(axis=1)
        return likely / total if total[0] else np.full_like(likely, 1 / likely.shape[1])


def _likely(scores: np.ndarray) -> np.ndarray:
    return pair(expit(scores)) if scores.ndim == 1 else softmax(scores)


def pair(likely: np.ndarray) -> np.ndarray:
    """The probabilities of both classes, shape (1, 2), by that of the second."""
    return np.concatenate([1 - likely, likely])[np.newaxis]


class RidgeClassifier(LinearClassifier):
    """A linear classifier, unless a row has several labels."""

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        return super().takes(estimator) and not estimator._label_binarizer.y_type_.startswith("multilabel")
