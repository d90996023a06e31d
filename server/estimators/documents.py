"""Documents: one column of text, a vectorizer that turns it into numbers, and a scikit-learn class."""

from collections.abc import Mapping
from operator import methodcaller
from typing import Any, Self

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

from server.errors import InvalidParameter, ModelUnreadable
from server.estimators.base import ModelKind
from server.estimators.catalogue import kind_of_model
from server.estimators.foreign import target_of
from server.estimators.parameters import build
from server.estimators.tabular import TabularEstimator, is_model
from server.estimators.vectorizer import check_vectorizer
from server.schema import Column, Kind, Schema

TEXT_COL = "text"
# A class that is not made as scikit-learn's are does not say what it is; the configuration that names it does.
CLASSIFYING = (ModelKind.CLASSIFIER, ModelKind.OTHER)


class DocumentEstimator(TabularEstimator):
    """A pipeline of a vectorizer and an estimator; features are one column of texts, a missing one being empty."""

    @classmethod
    def holds(cls, model: object) -> bool:
        return isinstance(model, Pipeline) and _is_vectorizer(model[0])

    @classmethod
    def from_texts(cls, model_class: type, params: Mapping[str, Any], vectorizer_params: Mapping[str, Any]) -> Self:
        """An unfitted TF-IDF vectorizer and classifier.

        Raises:
            InvalidParameter: the parameters do not fit, or make no classifier of the class.
        """
        vectorizer = build(TfidfVectorizer, check_vectorizer(vectorizer_params))
        estimator = build(model_class, params)
        kind = kind_of_model(estimator)
        if kind not in CLASSIFYING:
            raise InvalidParameter(f"{model_class.__name__} is a {kind} with these parameters; texts need a classifier")
        return cls(_pipeline(vectorizer, estimator, dense=not _takes_sparse(estimator)))

    def schema(self, target: str | None) -> Schema:
        return Schema((Column(TEXT_COL, Kind.TEXT),), target_of(self.model, target))

    def _taken(self, features: pd.DataFrame) -> Any:
        return features.iloc[:, 0].fillna("").astype(str)


def with_vectorizer(vectorizer: Any, model: Any) -> Pipeline:
    """A pipeline of two fitted parts.

    Raises:
        ModelUnreadable: the parts do not belong together, as far as they say.
    """
    if not hasattr(vectorizer, "transform"):
        raise ModelUnreadable(f"the vectorizer file holds a {type(vectorizer).__name__}, which has no transform")
    if not is_model(model):
        raise ModelUnreadable(f"the model file holds a {type(model).__name__}, which has neither predict nor transform")
    made, taken = len(getattr(vectorizer, "vocabulary_", ())), getattr(model, "n_features_in_", None)
    if made and taken is not None and made != taken:
        raise ModelUnreadable(f"the vectorizer makes {made} features and the model takes {taken}: they are no pair")
    return _pipeline(vectorizer, model)


def _pipeline(vectorizer: Any, estimator: Any, dense: bool = False) -> Pipeline:
    """Both parts, and between them what makes an array of a vectorizer's sparse matrix."""
    # joblib loads it in an environment without this server: scikit-learn around Python's own operator.
    step = FunctionTransformer(methodcaller("toarray"), accept_sparse=True, feature_names_out="one-to-one")
    between = [("dense", step)] if dense else []
    return Pipeline([("vectorizer", vectorizer), *between, ("estimator", estimator)])


def _takes_sparse(estimator: Any) -> bool:
    try:
        return bool(get_tags(estimator).input_tags.sparse)
    except (AttributeError, TypeError, ValueError):
        # It does not say; every class takes an array.
        return False


def _is_vectorizer(step: object) -> bool:
    """Whether it takes texts as they are: scikit-learn's vectorizers, and steps of its kind by the step's name."""
    return hasattr(step, "build_analyzer") or type(step).__name__.endswith("Vectorizer")
