"""The model of a document classifier: a transformer that reads whole documents, or TF-IDF before a class."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from server.config import ClassifierModelOptions
from server.errors import BadRequest
from server.estimators.base import Estimator
from server.estimators.catalogue import find_text_class
from server.estimators.documents import DocumentEstimator
from server.estimators.loading import load_estimator
from server.estimators.parameters import check_parameters
from server.estimators.pretrained import Pretrained
from server.estimators.sentiment import SentimentAnalysis
from server.estimators.texts import SentimentEstimator
from server.storage.trust import Trust

# A long document is read window by window, not by its first words alone.
WHOLE = {"long_texts": "windows"}


def untrained(model: ClassifierModelOptions, training: Mapping[str, Any], allowed: Sequence[str]) -> Estimator:
    """The estimator to be trained.

    Raises:
        UnknownClass, InvalidParameter: the configuration cannot be followed.
    """
    if model.is_transformer:
        params = check_parameters(SentimentAnalysis, {**WHOLE, **model.params, **training})
        return SentimentEstimator.from_texts(params)
    cls = find_text_class(model.class_, tuple(allowed))
    return DocumentEstimator.from_texts(cls, check_parameters(cls, model.params), model.vectorizer_params)


def weights(model: ClassifierModelOptions) -> Pretrained | None:
    """The weights that a training begins with; TF-IDF needs none."""
    return Pretrained(str(model.params["model"])) if model.is_transformer else None


def load(path: Path, trust: Trust) -> Estimator:
    """The trained model of a run: a file, or a folder in transformers' format.

    Raises:
        ModelUnreadable: it cannot be read here.
    """
    if path.is_dir():
        trust.check_folder(path)
    return load_estimator(path, texts=True, params=WHOLE, opened=trust.opened)


def rows_of(texts: Sequence[str]) -> pd.DataFrame:
    """The texts as an estimator takes them."""
    return pd.DataFrame({"text": pd.Series(list(texts), dtype="str")})


def fit(estimator: Estimator, texts: Sequence[str], labels: Sequence[str], report: Any) -> None:
    """Learn from texts with a label each."""
    estimator.fit(rows_of(texts), np.asarray(labels, dtype=object), report)


def classified(estimator: Estimator, text: str) -> tuple[str, float | None]:
    """The label of a text and its probability; None for a class that has no probabilities."""
    rows = rows_of([text])
    try:
        found = estimator.predict_proba(rows).iloc[0]
    except BadRequest:
        return str(np.asarray(estimator.predict(rows))[0]), None
    return str(found.idxmax()), float(found.max())
