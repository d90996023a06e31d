"""A model class that is not scikit-learn's, as a user would write one."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Nearest(ClassifierMixin, BaseEstimator):
    """The label of the nearest training row."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def fit(self, X, y):  # noqa: N803 - scikit-learn's own names
        self.rows_ = np.asarray(X) * self.scale
        self.labels_ = np.asarray(y)
        self.classes_ = np.unique(self.labels_)
        return self

    def predict(self, X):  # noqa: N803
        distances = [((self.rows_ - row) ** 2).sum(axis=1) for row in np.asarray(X) * self.scale]
        return self.labels_[[int(distance.argmin()) for distance in distances]]


class Touchy:
    """A model that cannot even be looked at."""

    @property
    def predict(self):
        raise RuntimeError("not now")


class Sealed:
    """A model that does not tell its columns."""

    @property
    def n_features_in_(self):
        raise RuntimeError("not now")

    def predict(self, rows):
        return [0] * len(rows)


class Untold:
    """A model without a word about its columns."""

    def predict(self, rows):
        return [0] * len(rows)


class Missing:
    """A model that needs a file beside its own."""

    def __reduce__(self):
        return open, ("/nowhere/weights.bin",)


class Single:
    """A model that answers once, however many rows there are."""

    n_features_in_ = 1

    def predict(self, rows):
        return np.array([7])

    def predict_proba(self, rows):
        return np.array([[0.25, 0.75]])


class Rule(BaseEstimator):
    """A classifier of texts that knows its two classes by their places only."""

    def fit(self, rows, labels):
        self.rows_ = rows.shape[0]
        return self

    def predict(self, rows):
        return (self.predict_proba(rows)[:, 1] > 0.5).astype(int)

    def predict_proba(self, rows):
        likely = np.asarray(rows.sum(axis=1)).ravel() > 0
        return np.column_stack([1.0 - likely, likely])
