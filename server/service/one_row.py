"""Which path answers rows that come one or a few at a time, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from server.estimators.base import Estimator
from server.estimators.documents import DocumentEstimator
from server.estimators.row_path import NotUnderstood, RowPath, TextPath, difference, text_difference
from server.estimators.tabular import TabularEstimator
from server.schema import Schema
from server.schema.cells import Unusual

OFF = "server.row_path is off"
TRANSFORMED = "the rows go through a transform first"
# Within 64 bits, as a table has integers.
MOST_INTEGER = 2**63
# Of what is taken apart and how it is compared: a change of either begins another number.
FORM = 1
# How a model of the family is taken apart, and compared; by exact class, as other families build on these.
PATHS: dict[type[Estimator], tuple[type[RowPath], Callable[..., str | None]]] = {
    TabularEstimator: (RowPath, difference),
    DocumentEstimator: (TextPath, text_difference),
}


@dataclass(frozen=True)
class OneRow:
    """A path of its own for single rows, or None where the pipeline answers them; `why` tells what, or why not."""

    path: RowPath | None = None
    why: str = "the model reads more than the cells of one row"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in ?_params."""
        return {"serves": self.path is not None, "why": self.why}

    def to_facts(self) -> dict[str, Any]:
        """As `to_dict`, with what tells later whether it still holds."""
        return self.to_dict() | {"form": FORM}

    def __str__(self) -> str:
        return f"one row is answered by {self.why}" if self.path else f"the pipeline answers one row: {self.why}"

    def answers(self, rows: Sequence[Mapping[str, Any]], output: str) -> np.ndarray | list[Any] | None:
        """The values, or the probabilities by class, of the rows; None if they are for the pipeline."""
        if self.path is None:
            return None
        try:
            if output == "proba":
                return self.path.predict_proba(rows)
            answer = self.path.predict(rows) if output == "values" else None
        except Unusual:
            return None
        return answer if answer is None or answer.ndim == 1 else answer.tolist()

    def instances(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, dict[str, float] | None]] | None:
        """What `instance` tells of each row; None if one of them is for the pipeline, or all are to be together."""
        if self.path is None or (len(rows) > 1 and not self.path.answers_row_by_row):
            return None
        found = [told for row in rows if (told := self.instance(row)) is not None]
        return found if len(found) == len(rows) else None

    def instance(self, row: Mapping[str, Any]) -> tuple[Any, dict[str, float] | None] | None:
        """The prediction for one row and the probability of each class, if any; None if it is for the pipeline."""
        if self.path is None or not is_plain(row):
            return None
        try:
            return self.path.instance(row)
        except Unusual:
            return None


def is_plain(row: Mapping[str, Any]) -> bool:
    """Whether a table takes all cells as they are, those of columns that the model does not read as well."""
    return all(
        cell is None or type(cell) in (str, float, bool) or (type(cell) is int and abs(cell) < MOST_INTEGER)
        for cell in row.values()
    )


def verified(estimator: Estimator, schema: Schema, features: pd.DataFrame | None = None) -> OneRow:
    """The path of a fitted model, once it was found to answer as the model does; `features` are of its training."""
    if type(estimator) not in PATHS:
        return OneRow()
    taken_apart, differing = PATHS[type(estimator)]
    try:
        path = taken_apart(estimator.model, schema)
        reason = differing(path, estimator, schema, features)
    except NotUnderstood as error:
        return OneRow(None, str(error))
    except Exception as error:  # noqa: BLE001 - a user's object can fail in any way, and the pipeline still serves
        return OneRow(None, f"{estimator.class_name} cannot be taken apart: {type(error).__name__}: {error}")
    return OneRow(path, path.described) if reason is None else OneRow(None, reason)


def restored(estimator: Estimator, schema: Schema, facts: Mapping[str, Any], same_versions: bool) -> OneRow:
    """The path of a model out of a file; what its training found holds as long as code and libraries are the same."""
    known = facts.get("row_path")
    if not known or known.get("form") != FORM or not same_versions:
        return verified(estimator, schema)
    if not known["serves"]:
        return OneRow(None, known["why"])
    try:
        return OneRow(PATHS[type(estimator)][0](estimator.model, schema), known["why"])
    except Exception:  # noqa: BLE001 - as in `verified`, which then says what is wrong
        return verified(estimator, schema)
