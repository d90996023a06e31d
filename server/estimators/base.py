"""The interface of every model, whatever its library."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
import pandas as pd

from server.schema import Schema


class ModelKind(StrEnum):
    """What a model does with rows."""

    CLASSIFIER = "classifier"
    REGRESSOR = "regressor"
    CLUSTERER = "clusterer"
    OUTLIER_DETECTOR = "outlier detector"
    TRANSFORMER = "transformer"
    FORECASTER = "forecaster"
    RECOGNIZER = "entity recognizer"
    OTHER = "model"


@dataclass(frozen=True)
class Progress:
    """How far a training is: the step it has done, of how many, and the loss there, if it has one."""

    step: int
    of: int
    loss: float | None = None


Report = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """A Report for those who do not want to know."""


class Estimator(ABC):
    """One model. Services know only these methods.

    Features are what `Schema.parse_features` returns: shape (n_rows, n_features), float64 and text; those of
    a time series are indexed by their timestamps.
    """

    @property
    @abstractmethod
    def kind(self) -> ModelKind:
        """What the model does."""

    @property
    @abstractmethod
    def class_name(self) -> str:
        """The name of the model's class."""

    @property
    @abstractmethod
    def model(self) -> Any:
        """The fitted object as its library made it, which is what the model file holds."""

    @property
    @abstractmethod
    def estimator(self) -> Any:
        """The estimator itself, the last step of a pipeline."""

    @property
    def score_name(self) -> str:
        """What the model's own score is called."""
        return {
            ModelKind.CLASSIFIER: "accuracy",
            ModelKind.REGRESSOR: "R²",
            ModelKind.FORECASTER: "mean absolute error",
            ModelKind.RECOGNIZER: "F1",
        }.get(self.kind, "score")

    # A model is one pickle, unless its library writes a folder: its weights then are read on first use, and
    # who only describes it does not use it.
    is_folder = False
    # Whether a row is one text.
    reads_texts = False

    @property
    def is_row_by_row(self) -> bool:
        """Whether the answer for a row depends on that row only."""
        return False

    def remembering(self) -> Self:
        """An estimator that answers the same, and need not compute twice what it is asked twice in a row."""
        return self

    @property
    def defect(self) -> str | None:
        """Why the model cannot answer, as far as that shows only when it is used; None if nothing is known."""
        return None

    @abstractmethod
    def fit(self, features: pd.DataFrame, target: np.ndarray | None, report: Report = ignore) -> None:
        """Learn from the rows; a target has shape (n_rows,), and `report` is told of each step, if there are any.

        Raises:
            UntrainableRows: the class cannot learn from them.
        """

    @abstractmethod
    def predict(self, features: pd.DataFrame) -> np.ndarray | pd.DataFrame:
        """One value per row, shape (n_rows,); a transformer gives a DataFrame of its outputs.

        Raises:
            InvalidRows: the model does not take these rows.
        """

    @abstractmethod
    def predict_proba(self, features: pd.DataFrame) -> pd.DataFrame:
        """Probabilities, shape (n_rows, n_classes), columns named by class.

        Raises:
            BadRequest: the model has none.
        """

    @abstractmethod
    def score(self, features: pd.DataFrame, target: np.ndarray | None, metric: str | None = None) -> float:
        """The model's own score, or that of a named scorer.

        Raises:
            BadRequest: an unknown metric, or one that cannot be had for these rows.
        """

    def scores(self, features: pd.DataFrame, target: np.ndarray | None, metric: str | None = None) -> dict[str, Any]:
        """`score` and what else there is to tell, by name; the score itself comes first.

        Raises:
            BadRequest: as `score`.
        """
        return {"score": self.score(features, target, metric)}

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """The parameters it was made with."""

    @abstractmethod
    def attributes(self) -> dict[str, Any]:
        """What it learned, as JSON values."""

    @abstractmethod
    def schema(self, target: str | None) -> Schema:
        """The columns that a model which somebody else trained tells of; the target's name is not among that."""

    @classmethod
    @abstractmethod
    def holds(cls, model: object) -> bool:
        """Whether an object out of a model file is of this family."""

    @classmethod
    @abstractmethod
    def of(cls, model: Any) -> Self:
        """The family's estimator around such an object."""

    def save(self, path: Path) -> None:
        """Write the model as a pickle that joblib reads in any environment with its library, or as a folder."""
        joblib.dump(self.model, path)
