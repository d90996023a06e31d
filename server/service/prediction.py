"""Rows in, answers out: values, records or probabilities, aligned with the rows."""

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from server.config import Limits
from server.errors import InvalidParameter, NotReady, did_you_mean
from server.estimators.base import ModelKind
from server.service.served_model import ServedModel
from server.tables.reading import read_instance

OUTPUTS = ("values", "records", "proba")


@dataclass(frozen=True)
class Prediction:
    """The answer for each row; `values` are plain values, one per row, where the output is such."""

    frame: pd.DataFrame
    values: np.ndarray | list[Any] | None = None


def check_output(output: str) -> None:
    """Accept one of OUTPUTS.

    Raises:
        InvalidParameter: another one.
    """
    if output not in OUTPUTS:
        hint = did_you_mean(output, OUTPUTS) or f"; known: {', '.join(OUTPUTS)}"
        raise InvalidParameter(f"unknown _output {output!r}{hint}")


def predicted(
    served: ServedModel, rows: pd.DataFrame, output: str, target: str | None, scored: bool = False
) -> Prediction:
    """The predictions for the rows, in their order; `scored` tells each class with its probability.

    Raises:
        InvalidRows, TransformFailed: the rows do not fit.
        NotReady: the model does not give one answer for each row.
    """
    check_output(output)
    if rows.columns.empty and rows.empty:
        return Prediction(pd.DataFrame(), [])
    return answered(served, rows, served.features(rows), output, target, scored)


def answered(
    served: ServedModel,
    rows: pd.DataFrame,
    features: pd.DataFrame,
    output: str,
    target: str | None,
    scored: bool = False,
) -> Prediction:
    """The predictions for rows whose features are known; see `predicted`."""
    if output == "proba":
        return _probabilities(served, features)
    name = target or (served.schema.target.name if served.schema.target else "prediction")
    if not len(features):
        return Prediction(pd.DataFrame({name: []}), None if output == "records" else [])
    if scored and served.estimator.kind is ModelKind.CLASSIFIER and hasattr(served.estimator.model, "predict_proba"):
        return _scored(served, rows, _probabilities(served, features).frame, output, name)
    answer = served.estimator.predict(features)
    check_one_each(answer, features)
    if served.estimator.kind is ModelKind.RECOGNIZER:
        assert isinstance(answer, pd.DataFrame)
        return Prediction(rows.assign(**{name: answer["labels"].array}) if output == "records" else answer)
    if isinstance(answer, pd.DataFrame):
        return _transformed(rows, answer, output)
    if output == "records":
        return Prediction(rows.assign(**{name: answer if answer.ndim == 1 else answer.tolist()}))
    values = answer if answer.ndim == 1 else answer.tolist()
    return Prediction(pd.DataFrame({name: values}), values)


def instance_answer(served: ServedModel, instance: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """The `label` of one row as a plain value; of a classifier that knows it, the `probability` of that label.

    Raises:
        InvalidRows, TransformFailed: the row does not fit.
        BadRequest: a value that no cell can hold.
        TooLarge: more columns than allowed, or a longer text.
        NotReady: the model does not give one answer for it.
    """
    within = len(instance) <= limits.columns and all(
        type(cell) is not str or len(cell) <= limits.text_chars for cell in instance.values()
    )
    quick = served.one_row.instance(instance) if within else None
    if quick is not None:
        return _instance(*quick, served)
    row = read_instance(instance, limits)
    features = served.features(row)
    found = served.estimator.predict(features)
    check_one_each(found, row)
    label = next(iter(found.to_dict("records"))) if isinstance(found, pd.DataFrame) else found.tolist()[0]
    known = None
    if served.estimator.kind is ModelKind.CLASSIFIER and hasattr(served.estimator.model, "predict_proba"):
        known = served.estimator.predict_proba(features).iloc[0].to_dict()
    return _instance(label, known, served)


def _instance(label: Any, known: Mapping[str, float] | None, served: ServedModel) -> dict[str, Any]:
    answer = {"label": label}
    if served.estimator.kind is ModelKind.CLASSIFIER and known and str(label) in known:
        # Not always the largest: some classifiers decide by something else.
        answer["probability"] = known[str(label)]
    return answer


def text_answer_columns(served: ServedModel, output: str, target: str | None, scored: bool) -> tuple[str, ...]:
    """What the answers of a text model add to its rows, told without asking it; `proba` tells the classes.

    None of it needs the weights.
    """
    if output == "proba":
        return tuple(map(str, served.estimator.estimator.classes_))
    name = target or (served.schema.target.name if served.schema.target else "prediction")
    return (name, "score") if scored and served.estimator.kind is ModelKind.CLASSIFIER else (name,)


def check_one_each(answer: Sized, features: pd.DataFrame) -> None:
    """Accept a model's answer that has one entry for each row.

    Raises:
        NotReady: it has more or fewer, so nobody knows which row each is for.
    """
    if len(answer) != len(features):
        raise NotReady(f"the model gives {len(answer)} answers for {len(features)} rows, and cannot be served")


def _probabilities(served: ServedModel, features: pd.DataFrame) -> Prediction:
    if not len(features):
        return Prediction(pd.DataFrame(), None)
    probabilities = served.estimator.predict_proba(features)
    check_one_each(probabilities, features)
    return Prediction(probabilities)


def _scored(served: ServedModel, rows: pd.DataFrame, probabilities: pd.DataFrame, output: str, name: str) -> Prediction:
    """The most likely class of each row and its probability, as transformers' pipelines tell them."""
    # The columns are the classes as text; the answer has them in their own type.
    label = np.asarray(served.estimator.estimator.classes_)[probabilities.to_numpy().argmax(axis=1)]
    score = probabilities.max(axis=1).array
    if output == "records":
        return Prediction(rows.assign(**{name: label, "score": score}))
    return Prediction(pd.DataFrame({"label": label, "score": score}))


def _transformed(rows: pd.DataFrame, answer: pd.DataFrame, output: str) -> Prediction:
    if output == "records":
        kept = rows.drop(columns=[name for name in rows.columns if name in answer.columns])
        return Prediction(pd.concat([kept.reset_index(drop=True), answer], axis=1))
    return Prediction(answer, answer.to_numpy().tolist())
