"""scikit-learn's estimators behind the interface."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.pipeline import Pipeline

from server.errors import BadRequest, InvalidRows, UntrainableRows
from server.estimators.attributes import learned_attributes
from server.estimators.base import Estimator, ModelKind, Report, ignore
from server.estimators.catalogue import kind_of_model
from server.estimators.foreign import schema_of
from server.estimators.independence import answers_row_by_row
from server.estimators.parameters import build, plain_parameters
from server.estimators.pipeline import make_model
from server.estimators.scoring import score_of
from server.schema import Column, Schema


class TabularEstimator(Estimator):
    """A scikit-learn estimator, alone or as the last step of a pipeline; `model` is the fitted object."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @classmethod
    def holds(cls, model: object) -> bool:
        return is_model(model)

    @classmethod
    def of(cls, model: Any) -> Self:
        return cls(model)

    def schema(self, target: str | None) -> Schema:
        return schema_of(self.model, target)

    @classmethod
    def create(
        cls,
        model_class: type,
        params: Mapping[str, Any],
        categorical: Sequence[Column],
        numeric: Sequence[Column],
        pipeline: bool,
    ) -> Self:
        """An unfitted model for these columns; without `pipeline`, of the numeric ones as they are."""
        estimator = build(model_class, params)
        return cls(make_model(estimator, categorical, numeric) if pipeline else estimator)

    @property
    def model(self) -> Any:
        return self._model

    @property
    def estimator(self) -> Any:
        return self.model[-1] if isinstance(self.model, Pipeline) else self.model

    @cached_property
    def kind(self) -> ModelKind:
        return kind_of_model(self.estimator)

    @property
    def class_name(self) -> str:
        return type(self.estimator).__name__

    @property
    def is_row_by_row(self) -> bool:
        return answers_row_by_row(self.model)

    def fit(self, features: pd.DataFrame, target: np.ndarray | None, report: Report = ignore) -> None:
        self._check_target(target)
        try:
            self.model.fit(self._taken(features), target)
        except (ValueError, TypeError, OverflowError, np.linalg.LinAlgError) as error:
            raise UntrainableRows(f"{self.class_name} cannot be trained on these rows: {first_line(error)}") from error
        if not is_model(self.model):
            raise UntrainableRows(f"{self.class_name} has no predict and no transform with these parameters")

    def _check_target(self, target: np.ndarray | None) -> None:
        if self.kind in (ModelKind.CLASSIFIER, ModelKind.REGRESSOR) and target is None:
            raise UntrainableRows(f"{self.class_name} learns to predict a column; name it with target_col")
        if self.kind is ModelKind.CLASSIFIER and target is not None:
            classes = pd.unique(target)
            if len(classes) < 2:
                raise UntrainableRows(
                    f"the target holds one class only ({classes.tolist()[0]!r}); {self.class_name} needs at least two"
                )
        if self.kind is ModelKind.REGRESSOR and target is not None and target.dtype == object:
            raise UntrainableRows(f"the target holds text, and {self.class_name} predicts numbers")

    def predict(self, features: pd.DataFrame) -> np.ndarray | pd.DataFrame:
        if hasattr(self.model, "predict"):
            values = self._call("predict", features)
            return (
                values.ravel()
                if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == 1
                else values
            )
        return self._frame(self._call("transform", features))

    def predict_proba(self, features: pd.DataFrame) -> pd.DataFrame:
        if not hasattr(self.model, "predict_proba"):
            raise BadRequest(f"{self.class_name} has no probabilities; use _output=values or _output=records")
        values = self._call("predict_proba", features)
        # One array for each output, or one list of classes for each.
        if isinstance(values, list) or any(np.ndim(label) for label in getattr(self.estimator, "classes_", ())):
            raise BadRequest(
                f"{self.class_name} predicts several columns, and _output=proba tells the probabilities of one; "
                "use _output=values or _output=records"
            )
        labels = getattr(self.estimator, "classes_", range(values.shape[1]))
        return pd.DataFrame(values, columns=[str(label) for label in labels])

    def class_scores(self, features: pd.DataFrame) -> np.ndarray:
        """How much speaks for each class, shape (n_rows, n_classes): probabilities, or else the decision function.

        Raises:
            BadRequest: the model does not give each class a finite score.
        """
        method = "predict_proba" if hasattr(self.model, "predict_proba") else "decision_function"
        values = self._call(method, features)
        if isinstance(values, np.ndarray) and values.ndim == 1:
            values = np.column_stack([-values, values])
        expected = (len(features), len(self.estimator.classes_))
        # Of several targets it is a list; SVC may compare the classes in pairs.
        if not isinstance(values, np.ndarray) or values.shape != expected or not np.isfinite(values).all():
            raise BadRequest(f"{self.class_name} does not give one finite score for each of its classes")
        return values

    def score(self, features: pd.DataFrame, target: np.ndarray | None, metric: str | None = None) -> float:
        return score_of(self.model, self.kind, self._taken(features), target, metric)

    def parameters(self) -> dict[str, Any]:
        return plain_parameters(self.estimator)

    def attributes(self) -> dict[str, Any]:
        return learned_attributes(self.estimator)

    def _taken(self, features: pd.DataFrame) -> Any:
        """The features in the form that the model takes."""
        return features

    def _call(self, method: str, features: pd.DataFrame) -> Any:
        try:
            return getattr(self.model, method)(self._taken(features))
        except (ValueError, TypeError) as error:
            raise InvalidRows(f"{self.class_name} does not take these rows: {first_line(error)}") from error

    def _frame(self, values: Any) -> pd.DataFrame:
        if isinstance(values, pd.DataFrame):
            return values.reset_index(drop=True)
        array = values.toarray() if sparse.issparse(values) else np.asarray(values)
        array = array.reshape(len(array), -1)
        try:
            names = [str(name) for name in self.estimator.get_feature_names_out()]
        except (AttributeError, ValueError, TypeError):
            names = []
        if len(names) != array.shape[1]:
            names = [f"{self.class_name.lower()}{index}" for index in range(array.shape[1])]
        return pd.DataFrame(array, columns=names)


def first_line(error: Exception) -> str:
    """What is wrong, without the advice on scikit-learn's classes that follows."""
    return str(error).strip().split("\n")[0]


def is_model(model: object) -> bool:
    """Whether it answers for rows; whether it has `predict` may depend on its parameters."""
    return not isinstance(model, type) and (hasattr(model, "predict") or hasattr(model, "transform"))
