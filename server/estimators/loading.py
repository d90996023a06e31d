"""A model file, or a folder in transformers' format → the estimator of the family that knows it."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import joblib

from server.errors import ModelUnreadable
from server.estimators.base import Estimator
from server.estimators.documents import CLASSIFYING, DocumentEstimator, with_vectorizer
from server.estimators.tabular import TabularEstimator, is_model
from server.estimators.text_folder import read_folder
from server.estimators.texts import TEXT_FAMILIES, SentimentEstimator
from server.estimators.timeseries import TimeSeriesEstimator

# Who is asked first knows its own objects best.
FAMILIES: tuple[type[Estimator], ...] = (TimeSeriesEstimator, DocumentEstimator, TabularEstimator)


def read_only(path: Path) -> IO[bytes]:
    """The file, whoever wrote it."""
    return path.open("rb")


def load_estimator(
    path: Path,
    vectorizer: Path | None = None,
    texts: bool = False,
    params: Mapping[str, Any] | None = None,
    opened: Callable[[Path], IO[bytes]] = read_only,
) -> Estimator:
    """The estimator in the file or folder.

    Args:
        path: the model file, or a transformer's folder.
        vectorizer: the file of the vectorizer that turns texts into the model's features.
        texts: whether it must be a classifier of texts.
        params: the parameters of its class, of which a transformer heeds those of predicting.
        opened: opens a file that is to be unpickled, or raises ModelUnreadable.

    Raises:
        FileNotFoundError: there is no model file.
        ModelUnreadable: a file does not hold what it should, or not so that it can be read here.
    """
    if path.is_dir():
        return load_text_model(path, texts, params)
    model = _unpickled(path, opened)
    with reading(path, "served"):
        # A model that was trained here since has a vectorizer of its own.
        if vectorizer is not None and not (DocumentEstimator.holds(model) and hasattr(model, "predict")):
            return _classifier(with_vectorizer(_vectorizer(vectorizer, opened), model))
        if texts and is_model(model):
            return _classifier(model)
        for family in FAMILIES:
            if family.holds(model):
                return family.of(model)
    raise ModelUnreadable(
        f"{named(path)} holds a {type(model).__name__}, which is no model: it has neither predict nor transform"
    )


def load_text_model(path: Path, classifier: bool = False, params: Mapping[str, Any] | None = None) -> Estimator:
    """The estimator in a transformer's folder; its weights are read on first use.

    Raises:
        ModelUnreadable: the folder holds no model of texts, or no classifier where it must.
    """
    folder = read_folder(path)
    if SentimentEstimator.holds(folder) and len(folder.labels) < 2:
        raise ModelUnreadable(f"{named(path)} tells numbers, not labels: its head has one output")
    for family in TEXT_FAMILIES.values():
        if family.holds(folder) and (family is SentimentEstimator or not classifier):
            return family.of(folder, params)
    wanted = "sequence classification" if classifier else "sequence or token classification"
    raise ModelUnreadable(f"{named(path)} has no head for {wanted}; train it first, and name it as params.model")


@contextmanager
def reading(path: Path, done: str) -> Iterator[None]:
    """Look at an object out of a model file; `done` says what for, as in "cannot be served".

    Raises:
        FileNotFoundError: there is no such file.
        ModelUnreadable: the object raised, whatever it was.
    """
    try:
        with warnings.catch_warnings():
            # Versions are compared with what the file records, and said once in the log.
            warnings.simplefilter("ignore")
            yield
    except ModelUnreadable:
        raise
    except Exception as error:  # noqa: BLE001 - a user's object can fail in any way
        if isinstance(error, FileNotFoundError) and not path.exists():
            raise
        raise ModelUnreadable(f"{named(path)} cannot be {done}: {type(error).__name__}: {error}") from error


def _unpickled(path: Path, opened: Callable[[Path], IO[bytes]]) -> Any:
    # What was looked at is what is read, also if another file takes its name meanwhile.
    with reading(path, "unpickled"), opened(path) as file:
        return joblib.load(file)


def _vectorizer(path: Path, opened: Callable[[Path], IO[bytes]]) -> Any:
    if not path.exists():
        raise ModelUnreadable(f"the vectorizer {path.name} does not exist")
    return _unpickled(path, opened)


def _classifier(model: Any) -> DocumentEstimator:
    try:
        estimator = DocumentEstimator.of(model)
    except ModelUnreadable as error:
        hint = "" if DocumentEstimator.holds(model) else "; its vectorizer's file is named by model.vectorizer"
        raise ModelUnreadable(error.detail + hint) from error
    if estimator.kind not in CLASSIFYING:
        raise ModelUnreadable(f"{estimator.class_name} ({estimator.kind}) is no classifier, and texts need one")
    return estimator


def named(path: Path) -> str:
    """A file as messages call it: with its folder only, which tells endpoints apart."""
    return f"{path.parent.name}/{path.name}"
