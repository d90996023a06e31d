"""Trees as tables, and the models that are sums of them.

All trees of a model are walked at once, a level at a time: that costs a few numpy calls on as many numbers as
there are trees, where asking each tree costs a call of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.estimators.row_path.kernels import Kernel
from server.schema.cells import Unusual

# Levels to go down before looking whether all trees have reached their leaves.
STRIDE = 4


@dataclass(frozen=True)
class Nodes:
    """The nodes of one tree, each array of shape (n_nodes, …); `left` of a leaf is the leaf itself."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray


class TreeTable:
    """The nodes of many trees, one below the other.

    `thresholds` are those of the inner nodes, with their features. A row goes left where its feature is at most
    the threshold, compared as float64; features are finite.
    """

    def __init__(self, trees: Iterable[Nodes]) -> None:
        nodes = list(trees)
        sizes = [len(tree.feature) for tree in nodes]
        roots = np.cumsum([0, *sizes[:-1]], dtype=np.intp)
        left = np.concatenate([tree.left + root for tree, root in zip(nodes, roots, strict=True)])
        right = np.concatenate([tree.right + root for tree, root in zip(nodes, roots, strict=True)])
        feature = np.concatenate([tree.feature for tree in nodes]).astype(np.intp)
        threshold = np.concatenate([tree.threshold for tree in nodes]).astype(np.float64)
        self.value = np.concatenate([tree.value for tree in nodes])
        inner = np.flatnonzero(left != np.arange(len(left)))
        self.thresholds = feature[inner], threshold[inner]
        # Node n stands at 2n in all of them, so that 2n and 2n + 1 are its children.
        self._starts = 2 * roots
        self._children = 2 * np.stack([left, right], axis=1).ravel().astype(np.intp)
        self._feature, self._threshold = feature.repeat(2), threshold.repeat(2)

    def leaves(self, row: np.ndarray) -> np.ndarray:
        """The place in `value` of each tree's leaf for the row, shape (n_trees,)."""
        feature, threshold, children = self._feature, self._threshold, self._children
        places = self._starts
        while True:
            for _ in range(STRIDE):
                before = places
                places = children.take(places + (row.take(feature.take(places)) > threshold.take(places)))
            if (places == before).all():
                return places >> 1


def nodes_of(tree: Any) -> Nodes:
    """The nodes of a fitted `sklearn.tree` Tree with one output; `value` is what `predict` tells of each."""
    places = np.arange(tree.node_count)
    leaf = tree.children_left < 0
    return Nodes(
        np.where(leaf, 0, tree.feature),
        tree.threshold,
        np.where(leaf, places, tree.children_left),
        np.where(leaf, places, tree.children_right),
        tree.value[:, 0, :],
    )


def single(row: np.ndarray) -> np.ndarray:
    """The row as trees take it: float32, compared with thresholds of float64.

    Raises:
        Unusual: a number is beyond float32.
    """
    with np.errstate(over="ignore"):
        narrow = row.astype(np.float32)
    if not np.isfinite(narrow).all():
        raise Unusual
    return narrow


class TreeClassifier(Kernel):
    """One tree: the commonest class of its leaf."""

    computes = True

    def __init__(self, estimator: Any, is_sparse: bool) -> None:
        super().__init__(estimator, is_sparse)
        self._tree = estimator.tree_
        self.thresholds = TreeTable([nodes_of(estimator.tree_)]).thresholds

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        return estimator.n_outputs_ == 1

    def predict(self, row: np.ndarray) -> np.ndarray:
        return self.estimator.classes_.take(self.predict_proba(row).argmax(axis=1))

    def predict_proba(self, row: np.ndarray) -> np.ndarray:
        return self._tree.predict(single(row)[np.newaxis])


class TreeRegressor(TreeClassifier):
    """One tree: the mean of its leaf."""

    def predict(self, row: np.ndarray) -> np.ndarray:
        return self._tree.predict(single(row)[np.newaxis])[:, 0]


class ForestClassifier(Kernel):
    """The mean of the trees' probabilities, added in the trees' order."""

    computes = True

    def __init__(self, estimator: Any, is_sparse: bool) -> None:
        super().__init__(estimator, is_sparse)
        self._table = TreeTable(nodes_of(tree.tree_) for tree in estimator.estimators_)
        self.thresholds = self._table.thresholds

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        return estimator.n_outputs_ == 1

    def mean(self, row: np.ndarray) -> np.ndarray:
        """The mean of the leaves' values, shape (1, n_values)."""
        values = self._table.value.take(self._table.leaves(single(row)), axis=0)
        # A cumulative sum adds one after the other, as the forest does; a plain sum adds in pairs.
        return values.cumsum(axis=0)[-1:] / len(values)

    def predict(self, row: np.ndarray) -> np.ndarray:
        return self.estimator.classes_.take(self.mean(row).argmax(axis=1))

    def predict_proba(self, row: np.ndarray) -> np.ndarray:
        return self.mean(row)


class ForestRegressor(ForestClassifier):
    """The mean of the trees' means."""

    def predict(self, row: np.ndarray) -> np.ndarray:
        return self.mean(row)[:, 0]
