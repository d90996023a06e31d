"""Documents: one column of text, a vectorizer that turns it into numbers, and a scikit-learn class."""

from collections.abc import Mapping
from functools import cached_property
from operator import methodcaller
from typing import Any, Self

import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

from server.errors import InvalidParameter, ModelUnreadable
from server.estimators.base import ModelKind
from server.estimators.catalogue import kind_of_model
from server.estimators.foreign import target_of
from server.estimators.parameters import build
from server.estimators.tabular import TabularEstimator, first_line, is_model
from server.estimators.vectorizer import check_vectorizer
from server.schema import Column, Kind, Schema

TEXT_COL = "text"
# A class that is not made as scikit-learn's are does not say what it is; the configuration that names it does.
CLASSIFYING = (ModelKind.CLASSIFIER, ModelKind.OTHER)
# joblib loads it in an environment without this server: scikit-learn around Python's own operator.
TO_ARRAY = methodcaller("toarray")
ANY_TEXT = pd.DataFrame({TEXT_COL: ["any text"]}, dtype="str")


class DocumentEstimator(TabularEstimator):
    """A pipeline of a vectorizer and an estimator; features are one column of texts, a missing one being empty."""

    reads_texts = True

    @classmethod
    def holds(cls, model: object) -> bool:
        return is_model(model) and _takes_texts(model)

    @classmethod
    def of(cls, model: Any) -> Self:
        """The model, once it has answered for a text.

        Raises:
            ModelUnreadable: it does not, so no request could mend it.
        """
        estimator = cls(model)
        try:
            answered = len(estimator.predict(ANY_TEXT))
        except Exception as error:  # noqa: BLE001 - a user's object can fail in any way
            raise ModelUnreadable(f"{estimator.class_name} cannot answer for a text: {first_line(error)}") from error
        if answered != 1:
            raise ModelUnreadable(f"{estimator.class_name} gives {answered} answers for one text")
        return estimator

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
            raise InvalidParameter(
                f"{model_class.__name__} is no classifier with these parameters ({kind}), and texts need one"
            )
        return cls(_pipeline(vectorizer, estimator, dense=not _takes_sparse(estimator)))

    def schema(self, target: str | None) -> Schema:
        return Schema((Column(TEXT_COL, Kind.TEXT),), target_of(self.model, target))

    @cached_property
    def term_names(self) -> list[str] | None:
        """What each feature of the last step is called; None where nobody knows, as after hashing."""
        if not isinstance(self.model, Pipeline):
            return None
        try:
            return [str(name) for name in self.model[:-1].get_feature_names_out()]
        except (AttributeError, ValueError, TypeError):
            return None

    def _taken(self, features: pd.DataFrame) -> Any:
        return features.iloc[:, 0].fillna("").astype(str)


def with_vectorizer(vectorizer: Any, model: Any) -> Pipeline:
    """A pipeline of two fitted parts.

    Raises:
        ModelUnreadable: the vectorizer does not vectorize, or not for this model, as far as they say.
    """
    if not hasattr(vectorizer, "transform"):
        raise ModelUnreadable(f"the vectorizer file holds a {type(vectorizer).__name__}, which has no transform")
    if not is_model(model):
        raise ModelUnreadable(f"the model file holds a {type(model).__name__}, which has neither predict nor transform")
    made, taken = len(getattr(vectorizer, "vocabulary_", ())), getattr(model, "n_features_in_", None)
    if made and taken is not None and made != taken:
        raise ModelUnreadable(f"the vectorizer makes {made} features and the model takes {taken}: they are no pair")
    try:
        features = vectorizer.transform(ANY_TEXT[TEXT_COL])
    except Exception as error:  # noqa: BLE001 - a user's object can fail in any way
        raise ModelUnreadable(f"{type(vectorizer).__name__} cannot vectorize a text: {first_line(error)}") from error
    return _pipeline(vectorizer, model, dense=sparse.issparse(features) and not _takes_sparse(model))


def _pipeline(vectorizer: Any, estimator: Any, dense: bool = False) -> Pipeline:
    """Both parts, and between them what makes an array of a vectorizer's sparse matrix."""
    step = FunctionTransformer(TO_ARRAY, accept_sparse=True, feature_names_out="one-to-one")
    between = [("dense", step)] if dense else []
    return Pipeline([("vectorizer", vectorizer), *between, ("estimator", estimator)])


def makes_array(step: Any) -> bool:
    """Whether it is the step of `with_vectorizer` that makes an array of a sparse matrix."""
    return type(step) is FunctionTransformer and type(step.func) is methodcaller and repr(step.func) == repr(TO_ARRAY)


def _takes_sparse(estimator: Any) -> bool:
    try:
        tags = get_tags(estimator[0] if isinstance(estimator, Pipeline) else estimator)
    except (AttributeError, TypeError, ValueError):
        # It does not say, and gets what the vectorizer makes.
        return True
    return bool(tags.input_tags.sparse or tags.no_validation)


def _takes_texts(model: object) -> bool:
    """Whether its first step is a vectorizer: scikit-learn's, or one of its kind by the name of its class."""
    if isinstance(model, Pipeline):
        steps = [step for _, step in model.steps if step not in (None, "passthrough")]
    elif isinstance(model, FeatureUnion):
        steps = [step for _, step in model.transformer_list if step not in ("drop", "passthrough")]
    else:
        # A model around another, such as a search for its parameters.
        steps = [
            vars(model)[name] for name in ("best_estimator_", "estimator") if name in getattr(model, "__dict__", {})
        ]
    if steps:
        return _takes_texts(steps[0])
    # What was fitted on named columns takes a table, whatever it is called.
    named = type(model).__name__.endswith("Vectorizer") and not hasattr(model, "feature_names_in_")
    return named or hasattr(model, "build_analyzer")
