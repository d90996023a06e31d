"""Model classes by name. A request names scikit-learn's classes only; the configuration may allow more."""

import importlib
import inspect
import warnings
from collections.abc import Collection
from functools import cache

from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    is_classifier,
    is_clusterer,
    is_outlier_detector,
    is_regressor,
)

from server.errors import UnknownClass, did_you_mean, shortened
from server.estimators.base import ModelKind
from server.estimators.entities import NER
from server.estimators.sarimax import SARIMAX
from server.estimators.sentiment import SentimentAnalysis
from server.estimators.text_class import TextClass

# In the order of likelihood: importing all of scikit-learn takes a second and 30 MB.
MODULES = (
    "linear_model", "ensemble", "tree", "svm", "neighbors", "naive_bayes", "neural_network", "cluster",
    "decomposition", "preprocessing", "discriminant_analysis", "dummy", "gaussian_process", "kernel_ridge",
    "mixture", "manifold", "random_projection", "calibration", "covariance", "cross_decomposition",
    "feature_selection", "impute", "isotonic", "kernel_approximation", "model_selection", "multiclass",
    "multioutput", "semi_supervised", "compose", "pipeline", "feature_extraction", "feature_extraction.text",
    "feature_extraction.image", "frozen",
)  # fmt: skip
# Beside scikit-learn's.
TEXT_CLASSES: dict[str, type[TextClass]] = {"SentimentAnalysis": SentimentAnalysis, "NER": NER}
OWN: dict[str, type] = {"SARIMAX": SARIMAX, **TEXT_CLASSES}
TEXT = "it takes documents, not rows of columns"
TARGETS = "it encodes targets, not rows"
SEVERAL = "it needs several targets, and an endpoint has one"
REFUSED = {
    "CountVectorizer": TEXT,
    "TfidfVectorizer": TEXT,
    "HashingVectorizer": TEXT,
    "TfidfTransformer": "it takes word counts, not rows of columns",
    "DictVectorizer": "it takes dictionaries, not rows of columns",
    "FeatureHasher": "it takes dictionaries, not rows of columns",
    "PatchExtractor": "it takes images, not rows of columns",
    "KernelCenterer": "it takes a kernel matrix, not rows of columns",
    "LabelEncoder": TARGETS,
    "LabelBinarizer": TARGETS,
    "MultiLabelBinarizer": TARGETS,
    "MultiTaskElasticNet": SEVERAL,
    "MultiTaskElasticNetCV": SEVERAL,
    "MultiTaskLasso": SEVERAL,
    "MultiTaskLassoCV": SEVERAL,
    "MultiOutputClassifier": SEVERAL,
    "MultiOutputRegressor": SEVERAL,
    "ClassifierChain": SEVERAL,
    "RegressorChain": SEVERAL,
    "SparseCoder": "its dictionary is an array that cannot be given as a parameter",
    "ColumnTransformer": "an endpoint's own cats, nums and pipeline take its place",
    "FeatureUnion": "it is made of steps that cannot be given as parameters",
    "Pipeline": "an endpoint's own pipeline takes its place",
    "FrozenEstimator": "it wraps a fitted model that cannot be given as a parameter",
}


def find_class(name: str, allowed: Collection[str] = ()) -> type:
    """The class of this name: one of scikit-learn's, or one of the allowed dotted paths.

    Raises:
        UnknownClass: there is none, or it cannot serve predictions; the sentence says why.
    """
    found = _allowed_class(name, allowed) or OWN.get(name) or _sklearn_class(name)
    if found is None:
        raise UnknownClass(
            f"there is no model class {shortened(name)!r}{did_you_mean(name, [*class_names(), *OWN])}"
            "; any class name of scikit-learn can be given"
        )
    reason = refusal(found)
    if reason:
        raise UnknownClass(f"{name} cannot be served: {reason}")
    return found


def find_text_class(name: str, allowed: Collection[str] = ()) -> type:
    """As `find_class`, of the classes that can tell what a text says.

    Raises:
        UnknownClass: there is none, or it is no classifier.
    """
    found = find_class(name, allowed)
    if found.__name__ == "CategoricalNB":
        raise UnknownClass(f"{name} cannot be served for texts: it takes categories, not the weights of words")
    if not _may_classify(found):
        raise UnknownClass(f"{name} cannot be served for texts: it is no classifier, such as MultinomialNB")
    return found


def _may_classify(cls: type) -> bool:
    """Whether its models are classifiers, or can be by the model within them, as those of GridSearchCV."""
    # A class that is not made as scikit-learn's are does not say what it is; the configuration that allows it does.
    if not issubclass(cls, BaseEstimator) or issubclass(cls, ClassifierMixin):
        return True
    wraps = "estimator" in inspect.signature(cls).parameters and hasattr(cls, "predict")
    return wraps and not issubclass(cls, RegressorMixin)


def refusal(cls: type) -> str | None:
    """Why rows cannot be predicted with this class, or None if they can."""
    if cls.__name__ in REFUSED:
        return REFUSED[cls.__name__]
    if not hasattr(cls, "predict") and not hasattr(cls, "transform"):
        return "it has neither predict nor transform, so it has no answer for new rows"
    return None


def _allowed_class(name: str, allowed: Collection[str]) -> type | None:
    for path in allowed:
        module, _, last = path.rpartition(".")
        if name in (path, last) and module:
            try:
                found = getattr(importlib.import_module(module), last)
            except (ImportError, AttributeError) as error:
                raise UnknownClass(f"{path} of server.classes cannot be imported: {error}") from error
            return found if isinstance(found, type) else None
    return None


def _sklearn_class(name: str) -> type | None:
    if not name.isidentifier() or name.startswith("_"):
        return None
    return next(filter(None, (_classes_of(module).get(name) for module in MODULES)), None)


@cache
def _classes_of(module: str) -> dict[str, type]:
    """The public estimators of a module, by name.

    `sklearn.utils.all_estimators` imports every module of scikit-learn for it, and with them torch and Dask: 200 MB.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = importlib.import_module(f"sklearn.{module}")
    return {
        name: found
        for name, found in vars(loaded).items()
        if inspect.isclass(found) and issubclass(found, BaseEstimator) and not inspect.isabstract(found)
        if name in getattr(loaded, "__all__", ()) or (found.__module__ == loaded.__name__ and name[0] != "_")
    }


def class_names() -> list[str]:
    """The names of all of scikit-learn's estimators."""
    return sorted({name for module in MODULES for name in _classes_of(module)})


def kind_of_model(model: object) -> ModelKind:
    """What an estimator (or the last step of a pipeline) does."""
    for kind, test in (
        (ModelKind.CLASSIFIER, is_classifier),
        (ModelKind.REGRESSOR, is_regressor),
        (ModelKind.CLUSTERER, is_clusterer),
        (ModelKind.OUTLIER_DETECTOR, is_outlier_detector),
    ):
        try:
            if test(model):
                return kind
        except (AttributeError, TypeError):
            break
    if hasattr(model, "transform") and not hasattr(model, "predict"):
        return ModelKind.TRANSFORMER
    return ModelKind.OTHER
