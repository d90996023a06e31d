"""Reviews as features, and models of them."""

from typing import Any

import pandas as pd

from server.estimators.documents import DocumentEstimator
from server.schema import Schema
from tests.conftest import ROOT

ROWS = pd.read_csv(ROOT / "data" / "reviews.csv").head(300)
FEATURES = pd.DataFrame({"text": ROWS["text"].astype(object)})
# Of three classes the third are short sentences.
TARGETS = {
    "two": ROWS["label"].to_numpy(),
    "three": ROWS["label"].where(ROWS["text"].str.len() > 60, 2).to_numpy(),
}

Fitted = tuple[DocumentEstimator, Schema]


def classified(cls: type, classes: str = "two", vectorizer: dict[str, Any] | None = None, **params: Any) -> Fitted:
    """A model of this class over TF-IDF as the server makes it, and its schema."""
    estimator = DocumentEstimator.from_texts(cls, params, vectorizer or {})
    estimator.fit(FEATURES, TARGETS[classes])
    return estimator, estimator.schema("label")


def brought(model: Any) -> Fitted:
    """A model that a user fitted on the texts, with the schema that is read off it."""
    estimator = DocumentEstimator.of(model.fit(ROWS["text"], TARGETS["two"]))
    return estimator, estimator.schema("label")
