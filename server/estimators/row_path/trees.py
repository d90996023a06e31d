"""Single trees, and forests: means of many."""

from typing import Any

import numpy as np

from server.estimators.row_path.joined_trees import JoinedTree, Trees
from server.estimators.row_path.kernels import Kernel
from server.estimators.row_path.terms import Encoded, whole
from server.schema.cells import Unusual

# Joined, so many nodes take about 100 MB beside the forest's own; a larger forest is asked itself.
MOST_NODES = 1_250_000


def single(row: Encoded) -> np.ndarray:
    """The row as trees take it: float32, compared with thresholds of float64.

    Raises:
        Unusual: a number is beyond float32.
    """
    with np.errstate(over="ignore"):
        narrow = whole(row).astype(np.float32)
    if not np.isfinite(narrow).all():
        raise Unusual
    return narrow


class TreeClassifier(Kernel):
    """One tree: the commonest class of its leaf."""

    computes = True

    def __init__(self, estimator: Any, is_sparse: bool) -> None:
        super().__init__(estimator, is_sparse)
        self._tree = estimator.tree_

    @property
    def thresholds(self) -> tuple[np.ndarray, np.ndarray]:
        return JoinedTree.thresholds(self._tree)

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        return estimator.n_outputs_ == 1

    def predict(self, row: Encoded) -> np.ndarray:
        return self.estimator.classes_.take(self.predict_proba(row).argmax(axis=1))

    def predict_proba(self, row: Encoded) -> np.ndarray:
        return self._tree.predict(single(row)[np.newaxis])


class TreeRegressor(TreeClassifier):
    """One tree: the mean of its leaf."""

    def predict(self, row: Encoded) -> np.ndarray:
        return self._tree.predict(single(row)[np.newaxis])[:, 0]


class ForestClassifier(Kernel):
    """The mean of the trees' probabilities, added in the trees' order."""

    computes = True

    def __init__(self, estimator: Any, is_sparse: bool) -> None:
        super().__init__(estimator, is_sparse)
        self.trees = Trees(JoinedTree, [tree.tree_ for tree in estimator.estimators_])

    @property
    def thresholds(self) -> tuple[np.ndarray, np.ndarray]:
        return self.trees.thresholds

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        nodes = sum(tree.tree_.node_count for tree in estimator.estimators_)
        return estimator.n_outputs_ == 1 and nodes <= MOST_NODES

    def mean(self, row: Encoded) -> np.ndarray:
        """The mean of the leaves' values, shape (1, n_values)."""
        values = self.trees.leaves(single(row))
        # A cumulative sum adds one after the other, as the forest does; a plain sum adds in pairs.
        return values.cumsum(axis=0)[-1:] / len(values)

    def predict(self, row: Encoded) -> np.ndarray:
        return self.both(row)[0]

    def predict_proba(self, row: Encoded) -> np.ndarray:
        return self.mean(row)

    def both(self, row: Encoded) -> tuple[np.ndarray, np.ndarray]:
        mean = self.mean(row)
        return self.estimator.classes_.take(mean.argmax(axis=1)), mean


class ForestRegressor(ForestClassifier):
    """The mean of the trees' means."""

    def predict(self, row: Encoded) -> np.ndarray:
        return self.mean(row)[:, 0]
