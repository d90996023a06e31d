"""A model file → the estimator of the family that knows it."""

import warnings
from pathlib import Path
from typing import Any

import joblib

from server.errors import ModelUnreadable
from server.estimators.base import Estimator
from server.estimators.documents import DocumentEstimator, with_vectorizer
from server.estimators.tabular import TabularEstimator
from server.estimators.timeseries import TimeSeriesEstimator

# Who is asked first knows its own objects best.
FAMILIES: tuple[type[Estimator], ...] = (TimeSeriesEstimator, DocumentEstimator, TabularEstimator)


def load_estimator(path: Path, vectorizer: Path | None = None) -> Estimator:
    """The estimator in the file; `vectorizer` is the file of the vectorizer that turns texts into its features.

    Raises:
        FileNotFoundError: there is no model file.
        ModelUnreadable: a file does not hold what it should, or not so that it can be read here.
    """
    model = _unpickled(path)
    if vectorizer is not None and not DocumentEstimator.holds(model):
        if not vectorizer.exists():
            raise ModelUnreadable(f"the vectorizer {vectorizer.name} does not exist")
        model = with_vectorizer(_unpickled(vectorizer), model)
    for family in FAMILIES:
        if family.holds(model):
            return family.of(model)
    raise ModelUnreadable(
        f"{_named(path)} holds a {type(model).__name__}, which is no model: it has neither predict nor transform"
    )


def _unpickled(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            # Versions are compared with what the file records, and said once in the log.
            warnings.simplefilter("ignore")
            return joblib.load(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - a pickle can fail in any way
        raise ModelUnreadable(f"{_named(path)} cannot be unpickled: {type(error).__name__}: {error}") from error


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
