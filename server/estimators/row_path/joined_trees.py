"""Many trees as the branches of one, so that one call of scikit-learn's own compiled code goes down all of them.

A row stands there once for each tree, and its last feature is the tree's number: nodes above the roots, which compare
that number, lead each to its tree. Below the roots the nodes are those that were learned, so that every comparison is
the one that the tree itself makes, in its precision. Asking each tree costs a call of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Numbers in the copies of a row: more, and the trees are joined in halves, which look at fewer features each.
MOST_NUMBERS = 100_000


@dataclass(frozen=True)
class Fields:
    """What the fields of a table of nodes are called; a leaf's children are not above 0, where the root stands."""

    left: str
    right: str
    feature: str
    threshold: str


class JoinedTrees(ABC):
    """The trees of one model, or some of them."""

    fields: Fields
    precision: type[np.floating]

    def __init__(self, trees: Sequence[Any]) -> None:
        tables = [self.table(tree) for tree in trees]
        above = len(tables) - 1
        roots = above + np.cumsum([0, *map(len, tables[:-1])])
        nodes = np.concatenate([np.zeros(above, tables[0].dtype), *tables])
        for table, root in zip(tables, roots, strict=True):
            part = nodes[root : root + len(table)]
            is_inner = part[self.fields.left] > 0
            for child in (self.fields.left, self.fields.right):
                part[child][is_inner] += part.dtype[child].type(root)
        inner = np.flatnonzero(nodes[self.fields.left] > 0)
        self._features, places = np.unique(nodes[self.fields.feature][inner], return_inverse=True)
        nodes[self.fields.feature][inner] = places
        self._lead(nodes, roots)
        self._rows = np.zeros((len(tables), len(self._features) + 1), self.precision)
        self._rows[:, -1] = range(len(tables))
        self.join(trees, nodes)

    def _lead(self, nodes: np.ndarray, roots: np.ndarray) -> None:
        """Write the nodes above the roots: each divides the numbers of the trees below it in halves."""
        free = iter(range(len(roots) - 1))

        def node_over(first: int, last: int) -> int:
            if first == last:
                return int(roots[first])
            place, middle = next(free), (first + last) // 2
            nodes[self.fields.feature][place] = len(self._features)
            nodes[self.fields.threshold][place] = middle + 0.5
            nodes[self.fields.left][place] = node_over(first, middle)
            nodes[self.fields.right][place] = node_over(middle + 1, last)
            return place

        node_over(0, len(roots) - 1)

    def leaves(self, row: np.ndarray) -> np.ndarray:
        """What the leaf of each tree holds for the row of shape (n_features,): shape (n_trees, …)."""
        rows = self._rows.copy()
        rows[:, :-1] = row.take(self._features)
        return self.values(rows)

    @classmethod
    def thresholds(cls, tree: Any) -> tuple[np.ndarray, np.ndarray]:
        """The features and thresholds of a tree's inner nodes."""
        table = cls.table(tree)
        inner = table[table[cls.fields.left] > 0]
        return inner[cls.fields.feature], inner[cls.fields.threshold]

    @staticmethod
    @abstractmethod
    def table(tree: Any) -> np.ndarray:
        """The nodes of a tree; their children are told by their places in it."""

    @abstractmethod
    def join(self, trees: Sequence[Any], nodes: np.ndarray) -> None:
        """Make what goes down from the first of the nodes, which are those of these trees."""

    @abstractmethod
    def values(self, rows: np.ndarray) -> np.ndarray:
        """What the leaves hold that these rows reach."""


class JoinedTree(JoinedTrees):
    """Those of `sklearn.tree`, of one output: float32 features, compared with float64 thresholds."""

    fields = Fields("left_child", "right_child", "feature", "threshold")
    precision = np.float32

    @staticmethod
    def table(tree: Any) -> np.ndarray:
        return tree.__getstate__()["nodes"]

    def join(self, trees: Sequence[Any], nodes: np.ndarray) -> None:
        learned = [tree.value[:, 0] for tree in trees]
        self._value = np.concatenate([np.zeros((len(trees) - 1, learned[0].shape[1])), *learned])
        # As a pickle makes one; its own values are not asked.
        self._tree = type(trees[0])(self._rows.shape[1], np.ones(1, np.intp), 1)
        self._tree.__setstate__(
            trees[0].__getstate__() | {"node_count": len(nodes), "nodes": nodes, "values": np.zeros((len(nodes), 1, 1))}
        )

    def values(self, rows: np.ndarray) -> np.ndarray:
        return self._value.take(self._tree.apply(rows), axis=0)


class JoinedPredictor(JoinedTrees):
    """Those of HistGradientBoosting, without categories: features and thresholds of float64."""

    fields = Fields("left", "right", "feature_idx", "num_threshold")
    precision = np.float64

    @staticmethod
    def table(tree: Any) -> np.ndarray:
        return tree.nodes

    def join(self, trees: Sequence[Any], nodes: np.ndarray) -> None:
        no_bits = np.zeros((0, 8), np.uint32)
        self._predictor = type(trees[0])(nodes, no_bits, no_bits)
        self._categories = no_bits, np.zeros(self._rows.shape[1], np.uint32)

    def values(self, rows: np.ndarray) -> np.ndarray:
        return self._predictor.predict(rows, *self._categories, n_threads=1)


class Trees:
    """All trees of a model, joined in as many parts as it needs to keep the copies of a row small."""

    def __init__(self, kind: type[JoinedTrees], trees: Sequence[Any]) -> None:
        self._kind, self._trees = kind, trees
        self._parts = list(self._joined(trees, [np.unique(kind.thresholds(tree)[0]) for tree in trees]))

    def _joined(self, trees: Sequence[Any], features: Sequence[np.ndarray]) -> Iterator[JoinedTrees]:
        """Join the trees, each of which looks at these features."""
        if len(trees) > 1 and len(trees) * len(np.unique(np.concatenate(features))) > MOST_NUMBERS:
            half = len(trees) // 2
            yield from self._joined(trees[:half], features[:half])
            yield from self._joined(trees[half:], features[half:])
        else:
            yield self._kind(trees)

    @property
    def thresholds(self) -> tuple[np.ndarray, np.ndarray]:
        """The features and thresholds of all inner nodes."""
        features, thresholds = zip(*map(self._kind.thresholds, self._trees), strict=True)
        return np.concatenate(features), np.concatenate(thresholds)

    def leaves(self, row: np.ndarray) -> np.ndarray:
        """What the leaf of each tree holds for the row of shape (n_features,), in the trees' order: (n_trees, …)."""
        if len(self._parts) == 1:
            return self._parts[0].leaves(row)
        return np.concatenate([part.leaves(row) for part in self._parts])
