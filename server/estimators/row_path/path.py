"""The way of one row: its cells, the encoder, the kernel."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from server.estimators.independence import answers_row_by_row
from server.estimators.row_path.choice import kernel_of
from server.estimators.row_path.encoder import chained, step_of
from server.estimators.row_path.steps import NotUnderstood, Step, number_row
from server.estimators.row_path.terms import Encoded, Terms
from server.schema import Schema
from server.schema.cells import Cell, RowReader, Unusual


class RowPath:
    """A fitted model taken apart, for rows that come one or a few at a time.

    Raises:
        NotUnderstood: a part of the model is not known here; the sentence says which.
    """

    def __init__(self, model: Any, schema: Schema) -> None:
        model = answering(model)
        if not hasattr(model, "predict"):
            raise NotUnderstood(f"{type(model).__name__} transforms rows and predicts nothing")
        try:
            self._reader = RowReader(schema)
        except Unusual:
            raise NotUnderstood("a column holds more than numbers, booleans and text") from None
        self._encode, estimator, is_sparse = self._parts(model, schema.names)
        self._width = getattr(estimator, "n_features_in_", None)
        self.kernel = kernel_of(estimator, is_sparse)
        if not self.kernel.computes and self.kernel.wants_names:
            raise NotUnderstood(f"{type(estimator).__name__} has no kernel, and was fitted on a table")
        classes = getattr(estimator, "classes_", ())
        self._labels = [str(label) for label in classes]
        self._knows_proba = hasattr(model, "predict_proba")
        # Of several targets there is one list of classes for each.
        self.has_proba = self._knows_proba and not any(np.ndim(label) for label in classes)
        # Otherwise what is told of a row may be another thing beside others.
        self.answers_row_by_row = answers_row_by_row(model)

    def _parts(self, model: Any, names: Sequence[str]) -> tuple[Step, Any, bool]:
        """What comes before the estimator, the estimator, and whether it gets a sparse matrix."""
        if type(model) is not Pipeline:
            return number_row, model, False
        *before, (_, estimator) = model.steps
        steps = [step for _, step in before if step not in (None, "passthrough")]
        is_sparse = bool(steps) and _makes_sparse(steps[-1])
        if is_sparse and len(steps) > 1:
            raise NotUnderstood(f"{type(steps[-1]).__name__} makes a sparse matrix of another step's")
        if not hasattr(estimator, "predict"):
            raise NotUnderstood("the last step predicts nothing")
        return chained([step_of(step, names) for step in steps]), estimator, is_sparse

    @property
    def described(self) -> str:
        """What answers, in words."""
        name = type(self.kernel.estimator).__name__
        return (
            f"look-ups and the arithmetic of {name}" if self.kernel.computes else f"look-ups and {name}'s own predict"
        )

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """What the pipeline's `predict` answers, shape (n_rows,) or (n_rows, n_outputs).

        Raises:
            Unusual: the pipeline must answer, or refuse.
        """
        return np.concatenate([self.answer(cells) for cells in self._cells(rows)])

    def predict_proba(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
        """For each row the probability of each class.

        Raises:
            Unusual: as `predict`, or there are no probabilities to tell in this form.
        """
        return [self._by_class(self.probabilities(cells)) for cells in self._cells(rows)]

    def instance(self, row: Mapping[str, Any]) -> tuple[Any, dict[str, float] | None]:
        """The prediction for one row, and the probability of each class, where there are any.

        Raises:
            Unusual: as `predict`, or a row has several predictions.
        """
        if self._knows_proba and not self.has_proba:
            raise Unusual
        cells = self._reader.read([row])[0]
        if self.has_proba:
            found, likely = self.both(cells)
            known = self._by_class(likely)
        else:
            found, known = self.answer(cells), None
        if found.ndim != 1:
            raise Unusual
        return found.tolist()[0], known

    def _cells(self, rows: Sequence[Mapping[str, Any]]) -> list[list[Cell]]:
        if len(rows) > 1 and not self.answers_row_by_row:
            raise Unusual
        return self._reader.read(rows)

    def _by_class(self, likely: np.ndarray) -> dict[str, float]:
        labels = self._labels or map(str, range(len(likely)))
        return dict(zip(labels, likely.tolist(), strict=True))

    def answer(self, cells: Sequence[Cell]) -> np.ndarray:
        """The answer for one row's cells, in the order of the schema's features: shape (1,) or (1, n_outputs).

        Raises:
            Unusual: the pipeline must answer, or refuse.
        """
        return self._answer(self.encode(cells))

    def probabilities(self, cells: Sequence[Cell]) -> np.ndarray:
        """A probability for each class of one row, shape (n_classes,).

        Raises:
            Unusual: as `answer`, or there are none.
        """
        if not self.has_proba:
            raise Unusual
        row = self.encode(cells)
        try:
            return self.kernel.predict_proba(row)[0]
        except (ValueError, TypeError):
            raise Unusual from None

    def both(self, cells: Sequence[Cell]) -> tuple[np.ndarray, np.ndarray]:
        """What `answer` and `probabilities` tell of one row; what they have in common is done once.

        Raises:
            Unusual: as `probabilities`.
        """
        row = self.encode(cells)
        try:
            found, likely = self.kernel.both(row)
        except (ValueError, TypeError):
            raise Unusual from None
        return found, likely[0]

    def _answer(self, row: Encoded) -> np.ndarray:
        try:
            made = np.asarray(self.kernel.predict(row))
        except (ValueError, TypeError):
            # The pipeline says it in its own words.
            raise Unusual from None
        return made.ravel() if made.ndim == 2 and made.shape[1] == 1 else made

    @np.errstate(over="ignore", invalid="ignore")
    def encode(self, cells: Sequence[Cell]) -> Encoded:
        """The row as the estimator takes it, of n_encoded columns.

        Raises:
            Unusual: it has a number that is not finite, or an unknown category that is refused.
        """
        try:
            made = self._encode(cells)
        except (ValueError, TypeError):
            raise Unusual from None
        if isinstance(made, Terms):
            row, values, width = made, made.values, made.width
        else:
            row = values = made if type(made) is np.ndarray else number_row(made)
            width = len(row)
        # The product is finite if all of them are, unless they are so large that the pipeline may see to them.
        if (self._width is not None and width != self._width) or not isfinite(values.dot(values)):
            raise Unusual
        return row


def answering(model: Any) -> Any:
    """Who answers for a search: the best model that it found."""
    return getattr(model, "best_estimator_", model) if isinstance(model, (GridSearchCV, RandomizedSearchCV)) else model


def _makes_sparse(step: Any) -> bool:
    if isinstance(step, ColumnTransformer):
        return bool(step.sparse_output_)
    return bool(getattr(step, "sparse_output", False))
