"""Trees as tables, and the models that are sums of them.

All trees of a model are walked at once, a level at a time: that costs a few numpy calls on as many numbers as
there are trees, where asking each tree costs a call of its own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.estimators.row_path.kernels import Kernel
from server.estimators.row_path.terms import Encoded, whole
from server.schema.cells import Unusual

# Levels to go down before looking whether all trees have reached their leaves.
STRIDE = 4
# Up to so many it costs less to compare all nodes than those that are met, level by level.
FEW_NODES = 20_000
# A table of these takes about 100 MB; a larger forest is asked itself.
MOST_NODES = 2_000_000


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

    A row goes left where its feature is at most the threshold, compared as float64; features are finite.
    """

    def __init__(self, trees: Iterable[Nodes]) -> None:
        nodes = list(trees)
        sizes = [len(tree.feature) for tree in nodes]
        roots = np.cumsum([0, *sizes[:-1]], dtype=np.intp)
        left = np.concatenate([tree.left + root for tree, root in zip(nodes, roots, strict=True)])
        right = np.concatenate([tree.right + root for tree, root in zip(nodes, roots, strict=True)])
        self._roots = roots
        self._children = np.stack([left, right], axis=1).ravel().astype(np.intp)
        self._feature = np.concatenate([tree.feature for tree in nodes]).astype(np.intp)
        self._threshold = np.concatenate([tree.threshold for tree in nodes]).astype(np.float64)
        self.value = np.concatenate([tree.value for tree in nodes])
        # The left child of node n stands at 2n, the right one at 2n + 1.
        self._pairs = np.arange(0, 2 * len(left), 2) if len(left) <= FEW_NODES else None

    @property
    def thresholds(self) -> tuple[np.ndarray, np.ndarray]:
        """The features and thresholds of the inner nodes."""
        inner = np.flatnonzero(self._children[::2] != np.arange(len(self._feature)))
        return self._feature[inner], self._threshold[inner]

    def leaves(self, row: np.ndarray) -> np.ndarray:
        """The place in `value` of each tree's leaf for the row, shape (n_trees,)."""
        if self._pairs is None:
            return self._walk(lambda nodes: self._next(row, nodes))
        # Where every node leads is told at once; then a level is one look-up.
        turns = row.take(self._feature) > self._threshold
        return self._walk(self._children.take(self._pairs + turns).take)

    def _next(self, row: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        turns = row.take(self._feature.take(nodes)) > self._threshold.take(nodes)
        return self._children.take(2 * nodes + turns)

    def _walk(self, follow: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        nodes = self._roots
        while True:
            for _ in range(STRIDE):
                before, nodes = nodes, follow(nodes)
            if (nodes == before).all():
                return nodes


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
        return TreeTable([nodes_of(self._tree)]).thresholds

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
        self._table = TreeTable(nodes_of(tree.tree_) for tree in estimator.estimators_)

    @property
    def thresholds(self) -> tuple[np.ndarray, np.ndarray]:
        return self._table.thresholds

    @classmethod
    def takes(cls, estimator: Any) -> bool:
        # The table holds all nodes a second time.
        nodes = sum(tree.tree_.node_count for tree in estimator.estimators_)
        return estimator.n_outputs_ == 1 and nodes <= MOST_NODES

    def mean(self, row: Encoded) -> np.ndarray:
        """The mean of the leaves' values, shape (1, n_values)."""
        values = self._table.value.take(self._table.leaves(single(row)), axis=0)
        # A cumulative sum adds one after the other, as the forest does; a plain sum adds in pairs.
        return values.cumsum(axis=0)[-1:] / len(values)

    def predict(self, row: Encoded) -> np.ndarray:
        return self.estimator.classes_.take(self.mean(row).argmax(axis=1))

    def predict_proba(self, row: Encoded) -> np.ndarray:
        return self.mean(row)


class ForestRegressor(ForestClassifier):
    """The mean of the trees' means."""

    def predict(self, row: Encoded) -> np.ndarray:
        return self.mean(row)[:, 0]
