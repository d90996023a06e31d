"""Does a row path answer as its pipeline does? Asked before it serves."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from server.errors import InvalidRows, NotReady
from server.estimators.row_path.kernels import Kernel
from server.estimators.row_path.path import RowPath
from server.estimators.row_path.probes import (
    Rows,
    cells_of,
    edge_rows,
    features_of,
    misplaced_rows,
    ordinary_rows,
    wild_rows,
)
from server.estimators.row_path.text_probes import text_rows
from server.estimators.row_path.texts import TextPath
from server.estimators.tabular import TabularEstimator
from server.schema import Schema
from server.schema.cells import Cell, Unusual

# Rows of the training that are compared; as many are made like them, and as many with an odd cell. Fewer where the
# estimator answers itself: it does so in its own time, and only the encoder is on trial.
COMPUTED, OWN = 100, 12
# Rows that are looked at alone, which costs the pipeline ten milliseconds each.
ALONE, MISPLACED = 60, 20
# One end of a column's range for so many of those rows; no more cells in rows with an odd one than these.
EACH_END, WILD_CELLS = 5, 2**19


def difference(path: RowPath, estimator: TabularEstimator, schema: Schema, features: pd.DataFrame | None) -> str | None:
    """The first difference between the path's answers and the pipeline's, as a sentence; None if there is none.

    Compared are rows of the training, if there are `features`, and rows made from the schema: near thresholds,
    with unknown categories, missing cells and extreme values. Labels must be equal, numbers within the kernel's
    tolerance, and what the pipeline refuses the path must not answer.
    """
    count = COMPUTED if path.kernel.computes else OWN
    known = [] if features is None else cells_of(features.iloc[_spread(len(features), count)])
    ordinary = ordinary_rows(schema, known, count)
    comparison = Comparison(path, estimator, schema)
    parts: list[Rows] = [
        [*known, *ordinary, *edge_rows(path, schema, ordinary, count // EACH_END)],
        wild_rows(schema, ordinary, _most_wild(len(schema.features), count)),
        *([row] for row in islice(misplaced_rows(schema, ordinary), MISPLACED)),
    ]
    return next(filter(None, map(comparison.of, parts)), None) or comparison.nothing_compared()


def _most_wild(columns: int, count: int) -> int:
    """How many rows with an odd cell: enough for a missing and an unknown one in each column, unless there are many."""
    return max(count, min(2 * columns, WILD_CELLS // columns, 10 * count))


def text_difference(
    path: TextPath, estimator: TabularEstimator, schema: Schema, features: pd.DataFrame | None
) -> str | None:
    """As `difference`, for a model of texts: compared are texts of the training, and others made of its words.

    Some are empty, long, or of marks only; of words that are unknown, come again, or mean nothing; in other scripts,
    with accents, in other cases and over several lines.
    """
    count = COMPUTED if path.kernel.computes else OWN
    known = [] if features is None else cells_of(features.iloc[_spread(len(features), count)])
    comparison = Comparison(path, estimator, schema)
    return comparison.of(list(text_rows(known, path.terms, count))) or comparison.nothing_compared()


def _spread(rows: int, count: int) -> np.ndarray:
    """`count` places among so many rows, from the first to the last."""
    return np.unique(np.linspace(0, rows - 1, min(rows, count)).astype(int)) if rows else np.empty(0, dtype=int)


class Comparison:
    """Answers of a row path beside those of its pipeline; `answered` and `likely` count rows that it answered itself,
    and those for which it told probabilities.
    """

    def __init__(self, path: RowPath, estimator: TabularEstimator, schema: Schema) -> None:
        self.answered = self.likely = 0
        self._path = path
        self._estimator = estimator
        self._schema = schema
        self._alone = 0

    def of(self, rows: Rows) -> str | None:
        """The first difference, if any."""
        # What the path leaves to the pipeline is answered by it.
        answers = [self._answers(row) for row in rows]
        rows = [row for row, answer in zip(rows, answers, strict=True) if answer is not None]
        found = [answer for answer in answers if answer is not None]
        self.answered += len(found)
        self.likely += sum(len(answer) > 1 for answer in found)
        if not rows:
            return None
        try:
            expected = self._expected(rows)
        except (InvalidRows, NotReady):
            return self._each_alone(rows, found)
        for place, row in enumerate(rows):
            if not self._same(found[place], [part[place] for part in expected]):
                # Many rows are added in another order than one, and one is what is asked.
                reason = self._alone_differs(row, found[place])
                if reason:
                    return reason
        return None

    def nothing_compared(self) -> str | None:
        """Why nothing is known of the path, if so: it has left all rows to the pipeline."""
        if self.answered and (self.likely or not self._path.has_proba):
            return None
        return "no row that was tried could be answered without the pipeline"

    def _each_alone(self, rows: Rows, found: list[list[np.ndarray]]) -> str | None:
        """Some row is refused by the pipeline: which, only each by itself can tell."""
        for row, answer in zip(rows, found, strict=True):
            reason = self._alone_differs(row, answer)
            if reason:
                return reason
        return None

    def _alone_differs(self, row: list[Cell], answer: list[np.ndarray]) -> str | None:
        self._alone += 1
        if self._alone > ALONE:
            return "too many rows have to be looked at one by one"
        try:
            expected = [part[0] for part in self._expected([row])]
        except (InvalidRows, NotReady) as error:
            return f"the pipeline refuses {self._told(row)}: {error.detail}"
        for own, other in zip(answer, expected, strict=False):
            if not self._same([own], [other]):
                return f"the pipeline answers {other!s}, not {own!s}, for {self._told(row)}"
        return None

    def _answers(self, row: list[Cell]) -> list[np.ndarray] | None:
        try:
            answer: list[Any] = [self._path.answer(row)[0]]
        except Unusual:
            return None
        try:
            answer.append(self._path.probabilities(row))
            if type(self._path.kernel).both is Kernel.both:
                return answer
            label, likely = self._path.both(row)
        except Unusual:
            return answer
        return [*answer, label[0], likely]

    def _expected(self, rows: Rows) -> list[np.ndarray]:
        features = features_of(rows, self._schema)
        answer = self._estimator.predict(features)
        expected = [answer.to_numpy() if isinstance(answer, pd.DataFrame) else answer]
        if self._path.has_proba:
            expected.append(self._estimator.predict_proba(features).to_numpy())
            # Both at once are to be the same.
            expected *= 2
        return expected

    def _same(self, found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> bool:
        tolerance = self._path.kernel.tolerance
        for own, other in zip(found, expected, strict=False):
            own, other = np.asarray(own), np.asarray(other)
            if own.shape != other.shape or own.dtype != other.dtype:
                return False
            if other.dtype.kind != "f":
                if not np.array_equal(own, other):
                    return False
            elif not (np.array_equal(own, other) or np.allclose(own, other, rtol=tolerance, atol=0, equal_nan=True)):
                # Most are equal, which is told in a tenth of the time.
                return False
        return True

    def _told(self, row: list[Cell]) -> str:
        return ", ".join(f"{name}={cell!r}" for name, cell in zip(self._schema.names, row, strict=True))[:300]
