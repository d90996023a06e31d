"""Encoded rows: arrays, and of a row that is nearly all zeros what it holds."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse


class Terms(NamedTuple):
    """A row of a sparse matrix: the columns that hold something, ascending, what they hold, and how many there are."""

    columns: np.ndarray
    values: np.ndarray
    width: int

    def matrix(self) -> sparse.csr_matrix:
        """The row as scikit-learn takes it, shape (1, width)."""
        columns = self.columns.astype(np.int32)
        return sparse.csr_matrix((self.values, columns, np.array([0, len(columns)], np.int32)), (1, self.width))


# float64 of shape (n_encoded,); a text's may be of another type, the vectorizer's.
Encoded = np.ndarray | Terms


def terms_of(row: Encoded) -> Terms:
    """What the row holds beside zeros."""
    if isinstance(row, Terms):
        return row
    columns = np.flatnonzero(row)
    return Terms(columns, row[columns], len(row))


def whole(row: Encoded) -> np.ndarray:
    """The row with its zeros, shape (n_encoded,)."""
    if not isinstance(row, Terms):
        return row
    cells = np.zeros(row.width, dtype=row.values.dtype)
    cells[row.columns] = row.values
    return cells


def above(row: Encoded, threshold: float) -> Encoded:
    """1 where the row is above the threshold, else 0."""
    if not isinstance(row, Terms):
        return (row > threshold).astype(np.float64)
    columns = row.columns[row.values > threshold]
    return Terms(columns, np.ones(len(columns)), row.width)


def encoded(made: Any) -> Encoded:
    """The one row of what a transformer makes."""
    if not sparse.issparse(made):
        return np.asarray(made)[0]
    row = sparse.csr_matrix(made)
    row.sort_indices()
    return Terms(row.indices.astype(np.intp), row.data, row.shape[1])
