"""Naive Bayes."""

from typing import Any

import numpy as np

from server.estimators.row_path.kernels import Kernel
from server.estimators.row_path.terms import Encoded, above, whole


class NaiveBayes(Kernel):
    """The class of the greatest log likelihood; each kind has its own."""

    computes = True

    def predict(self, row: Encoded) -> np.ndarray:
        return self._likeliest(self.likelihoods(row))

    def predict_proba(self, row: Encoded) -> np.ndarray:
        return _normalised(self.likelihoods(row))

    def both(self, row: Encoded) -> tuple[np.ndarray, np.ndarray]:
        likelihoods = self.likelihoods(row)
        return self._likeliest(likelihoods), _normalised(likelihoods)

    def _likeliest(self, likelihoods: np.ndarray) -> np.ndarray:
        return self.estimator.classes_.take(likelihoods.argmax(axis=1))

    def likelihoods(self, row: Encoded) -> np.ndarray:
        """log P(class) + log P(row | class), shape (1, n_classes)."""
        raise NotImplementedError


class GaussianBayes(NaiveBayes):
    """A normal distribution for each class and feature."""

    def __init__(self, estimator: Any, is_sparse: bool) -> None:
        super().__init__(estimator, is_sparse)
        self._prior = np.log(estimator.class_prior_)
        self._spread = -0.5 * np.log(2.0 * np.pi * estimator.var_).sum(axis=1)

    def likelihoods(self, row: Encoded) -> np.ndarray:
        distance = ((whole(row) - self.estimator.theta_) ** 2 / self.estimator.var_).sum(axis=1)
        return (self._prior + (self._spread - 0.5 * distance))[np.newaxis]


class MultinomialBayes(NaiveBayes):
    """Counts."""

    def likelihoods(self, row: Encoded) -> np.ndarray:
        return self.product(row, self.estimator.feature_log_prob_.T) + self.estimator.class_log_prior_


class ComplementBayes(NaiveBayes):
    """Counts of all other classes."""

    def likelihoods(self, row: Encoded) -> np.ndarray:
        return self.product(row, self.estimator.feature_log_prob_.T)


class BernoulliBayes(NaiveBayes):
    """Features that are there or not."""

    def __init__(self, estimator: Any, is_sparse: bool) -> None:
        super().__init__(estimator, is_sparse)
        absent = np.log(1 - np.exp(estimator.feature_log_prob_))
        self._present = (estimator.feature_log_prob_ - absent).T
        self._prior = estimator.class_log_prior_ + absent.sum(axis=1)

    def likelihoods(self, row: Encoded) -> np.ndarray:
        threshold = self.estimator.binarize
        present = row if threshold is None else above(row, threshold)
        return self.product(present, self._present) + self._prior


def _normalised(likelihoods: np.ndarray) -> np.ndarray:
    return np.exp(likelihoods - log_sum(likelihoods))


def log_sum(logs: np.ndarray) -> float:
    """log Σ exp(l) of shape (1, n_classes), the greatest of them apart, as scikit-learn sums it."""
    greatest = logs.max()
    others = np.exp(np.where(logs == greatest, -np.inf, logs) - greatest).sum()
    count = float(np.count_nonzero(logs == greatest))
    return np.log1p(others / count if others else others) + np.log(count) + greatest
