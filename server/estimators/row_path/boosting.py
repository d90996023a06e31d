"""Sums of boosted trees: GradientBoosting and HistGradientBoosting."""

from typing import Any

import numpy as np

from server.estimators.row_path.joined_trees import JoinedPredictor, JoinedTree, Trees
from server.estimators.row_path.kernels import Kernel
from server.estimators.row_path.terms import Encoded, whole
from server.estimators.row_path.trees import single


class Boosting(Kernel):
    """A start value for each output, and to it the leaves of one tree after the other, in their order.

    scikit-learn's own loss object makes probabilities and predictions of the sums.
    """

    computes = True
    trees: Trees
    start: np.ndarray
    rate = 1.0

    @property
    def thresholds(self) -> tuple[np.ndarray, np.ndarray]:
        return self.trees.thresholds

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        return hasattr(estimator, "_loss")

    def sums(self, row: Encoded) -> np.ndarray:
        """The raw predictions, shape (1, n_outputs)."""
        leaves = self.trees.leaves(self.taken(row)).reshape(-1, self.start.shape[1])
        if self.rate != 1.0:
            leaves = leaves * self.rate
        return np.concatenate([self.start, leaves]).cumsum(axis=0)[-1:]

    def taken(self, row: Encoded) -> np.ndarray:
        """The row in the precision of the trees."""
        return whole(row)


class GradientBoosting(Boosting):
    """Trees of float32 features, their leaves times the learning rate."""

    def __init__(self, estimator: Any, is_sparse: bool) -> None:
        super().__init__(estimator, is_sparse)
        self.trees = Trees(JoinedTree, [tree.tree_ for tree in estimator.estimators_.ravel()])
        self.rate = estimator.learning_rate
        # Without an estimator of one's own for it, the start is the same for every row.
        self.start = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), dtype=np.float32))

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        return super().takes(estimator) and estimator.init in (None, "zero")

    def taken(self, row: Encoded) -> np.ndarray:
        return single(row)


class GradientBoostingClassifier(GradientBoosting):
    """Of two classes the second, if the sum is not below 0; of more that of the greatest."""

    def predict(self, row: Encoded) -> np.ndarray:
        sums = self.sums(row)
        place = (sums[:, 0] >= 0).astype(np.intp) if sums.shape[1] == 1 else sums.argmax(axis=1)
        return self.estimator.classes_.take(place)

    def predict_proba(self, row: Encoded) -> np.ndarray:
        sums = self.sums(row)
        return self.estimator._loss.predict_proba(sums[:, 0] if sums.shape[1] == 1 else sums)


class GradientBoostingRegressor(GradientBoosting):
    """The sum."""

    def predict(self, row: Encoded) -> np.ndarray:
        return self.sums(row)[:, 0]


class HistBoosting(Boosting):
    """Trees of float64 features; the learning rate is in their leaves."""

    def __init__(self, estimator: Any, is_sparse: bool) -> None:
        super().__init__(estimator, is_sparse)
        self.trees = Trees(JoinedPredictor, [tree for stage in estimator._predictors for tree in stage])
        self.start = np.asarray(estimator._baseline_prediction, dtype=np.float64).reshape(1, -1)

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        # Categories are told by sets of bits instead of thresholds.
        return super().takes(estimator) and estimator.is_categorical_ is None and bool(estimator._predictors)


class HistBoostingClassifier(HistBoosting):
    """Of two classes the second, if the sum is above 0; of more that of the greatest."""

    def predict(self, row: Encoded) -> np.ndarray:
        sums = self.sums(row)
        place = (sums[:, 0] > 0).astype(np.intp) if sums.shape[1] == 1 else sums.argmax(axis=1)
        return self.estimator.classes_.take(place)

    def predict_proba(self, row: Encoded) -> np.ndarray:
        return self.estimator._loss.predict_proba(self.sums(row))


class HistBoostingRegressor(HistBoosting):
    """The inverse link of the sum."""

    def predict(self, row: Encoded) -> np.ndarray:
        return self.estimator._loss.link.inverse(self.sums(row)[:, 0])
