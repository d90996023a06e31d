"""Every class of scikit-learn through the HTTP vocabulary: PUT, train, load, predict, score."""

import json
import math
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import all_estimators

from server.app import create_app
from server.config import load_config
from server.estimators.catalogue import refusal
from tests.conftest import BriefRunner, write_config

pytestmark = pytest.mark.slow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CLASSES = dict(all_estimators())

ANSWERLESS = "it has neither predict nor transform, so it has no answer for new rows"
SEVERAL = "it needs several targets, and an endpoint has one"
ENCODES = "it encodes targets, not rows"
TEXT = "it takes documents, not rows of columns"
MAPPINGS = "it takes dictionaries, not rows of columns"
UNSERVED = {
    **dict.fromkeys(
        [
            "AgglomerativeClustering",
            "ClassicalMDS",
            "DBSCAN",
            "EmpiricalCovariance",
            "GraphicalLasso",
            "GraphicalLassoCV",
            "HDBSCAN",
            "KernelDensity",
            "LedoitWolf",
            "MDS",
            "MinCovDet",
            "NearestNeighbors",
            "OAS",
            "OPTICS",
            "ShrunkCovariance",
            "SpectralBiclustering",
            "SpectralClustering",
            "SpectralCoclustering",
            "SpectralEmbedding",
            "TSNE",
        ],
        ANSWERLESS,
    ),
    **dict.fromkeys(
        [
            "ClassifierChain",
            "RegressorChain",
            "MultiOutputClassifier",
            "MultiOutputRegressor",
            "MultiTaskElasticNet",
            "MultiTaskElasticNetCV",
            "MultiTaskLasso",
            "MultiTaskLassoCV",
        ],
        SEVERAL,
    ),
    **dict.fromkeys(("LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer"), ENCODES),
    **dict.fromkeys(("CountVectorizer", "HashingVectorizer", "TfidfVectorizer"), TEXT),
    **dict.fromkeys(("DictVectorizer", "FeatureHasher"), MAPPINGS),
    "ColumnTransformer": "an endpoint's own cats, nums and pipeline take its place",
    "FeatureUnion": "it is made of steps that cannot be given as parameters",
    "FrozenEstimator": "it wraps a fitted model that cannot be given as a parameter",
    "KernelCenterer": "it takes a kernel matrix, not rows of columns",
    "PatchExtractor": "it takes images, not rows of columns",
    "Pipeline": "an endpoint's own pipeline takes its place",
    "SparseCoder": "its dictionary is an array that cannot be given as a parameter",
    "TfidfTransformer": "it takes word counts, not rows of columns",
}
SERVED = sorted(CLASSES.keys() - UNSERVED.keys())

FEATURES = ["size", "weight", "age", "colour"]
# The scaler makes negative numbers, which these do not take.
POSITIVE = {
    "AdditiveChi2Sampler",
    "CategoricalNB",
    "ComplementNB",
    "LatentDirichletAllocation",
    "MiniBatchNMF",
    "MultinomialNB",
    "NMF",
    "SkewedChi2Sampler",
}
# Neither classifiers nor regressors by type, and yet they learn from a target.
TARGETS = {
    **dict.fromkeys(
        [
            "GenericUnivariateSelect",
            "GridSearchCV",
            "NeighborhoodComponentsAnalysis",
            "RandomizedSearchCV",
            "SelectFdr",
            "SelectFpr",
            "SelectFromModel",
            "SelectFwe",
            "SelectKBest",
            "SelectPercentile",
            "SequentialFeatureSelector",
        ],
        "label",
    ),
    **dict.fromkeys(("PLSSVD", "RFE", "RFECV", "TargetEncoder"), "value"),
}
CLASSIFIER = {"estimator": "LogisticRegression"}
REGRESSOR = {"estimator": "LinearRegression"}
SCORED_AGAINST_A_TARGET = {"EllipticEnvelope"}
PARAMETERS = {
    # Of the colours one follows from the others: what is left of all components is nothing, whose logarithm is taken.
    "PCA": {"n_components": 2},
    **dict.fromkeys(
        [
            "FixedThresholdClassifier",
            "OneVsOneClassifier",
            "OneVsRestClassifier",
            "OutputCodeClassifier",
            "SelectFromModel",
            "SelfTrainingClassifier",
            "SequentialFeatureSelector",
            "TunedThresholdClassifierCV",
        ],
        CLASSIFIER,
    ),
    **dict.fromkeys(("RFE", "RFECV", "RANSACRegressor"), REGRESSOR),
    **dict.fromkeys(("GaussianRandomProjection", "SparseRandomProjection"), {"n_components": "2"}),
    **dict.fromkeys(("CCA", "PLSCanonical", "PLSSVD"), {"n_components": "1"}),
    **dict.fromkeys(("RadiusNeighborsClassifier", "RadiusNeighborsRegressor"), {"radius": "9"}),
    **dict.fromkeys(("VotingClassifier", "StackingClassifier"), {"estimators": '["GaussianNB", "LogisticRegression"]'}),
    **dict.fromkeys(("VotingRegressor", "StackingRegressor"), {"estimators": '["LinearRegression", "Ridge"]'}),
    "CategoricalNB": {"min_categories": "50"},
    "GridSearchCV": CLASSIFIER | {"param_grid": '{"C": [0.1, 1.0]}', "cv": "3"},
    "MissingIndicator": {"features": "all"},
    "QuadraticDiscriminantAnalysis": {"reg_param": "0.1"},
    "RandomizedSearchCV": CLASSIFIER | {"param_distributions": '{"C": [0.1, 1.0, 10.0]}', "n_iter": "2"},
    "SelectKBest": {"k": "2"},
    "TransformedTargetRegressor": {"regressor": "LinearRegression"},
}


def sixty_rows() -> pd.DataFrame:
    """Sixty passable rows: three positive numbers, a category, and a target of either kind."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "size": random.integers(1, 30, 60),
            "weight": random.uniform(1, 9, 60).round(3),
            "age": random.integers(1, 20, 60),
            "colour": random.choice(["red", "green", "blue"], 60),
        }
    )
    rows["label"] = np.where(rows["size"] + random.normal(0, 4, 60) > 15, "large", "small")
    rows["value"] = 1 + 2.0 * rows["size"] + rows["weight"]
    return rows


ROWS = sixty_rows()


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    entry = {"pattern": "/model", "handler": "MLHandler"}
    return load_config(write_config(tmp_path_factory.mktemp("contract"), {"url": {"model": entry}}), {})


@pytest.fixture(scope="module")
def client(config):
    return started(config)


def started(config):
    app = create_app(config, BriefRunner())
    app.testing = False
    return app.test_client()


def target_of(name: str) -> str | None:
    if issubclass(CLASSES[name], ClassifierMixin):
        return "label"
    return "value" if issubclass(CLASSES[name], RegressorMixin) else TARGETS.get(name)


def answer(response):
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.get_json()


def post(client, action: str, rows: pd.DataFrame):
    return client.post(f"/model?_action={action}", json=json.loads(rows.to_json(orient="records")))


def in_plain_joblib(path: Path, rows: pd.DataFrame) -> list:
    model = joblib.load(path)
    features = rows[list(model.feature_names_in_)]
    features = features.astype({column: float for column in features if column != "colour"})
    values = model.predict(features) if hasattr(model, "predict") else model.transform(features)
    return (values.toarray() if sparse.issparse(values) else np.asarray(values)).tolist()


def assert_same(one: list, other: list) -> None:
    if isinstance(one[0], str):
        assert one == other
    else:
        shape = np.shape(one)
        np.testing.assert_allclose(one, np.reshape(np.array(other, float), shape), rtol=1e-6, atol=1e-8)


def test_exactly_these_classes_cannot_be_served_and_why():
    assert {name: refusal(cls) for name, cls in CLASSES.items() if refusal(cls)} == UNSERVED


@pytest.mark.parametrize("name", sorted(UNSERVED))
def test_put_of_an_unserved_class_is_400_with_the_reason(client, name):
    response = client.put("/model", query_string={"class": name})
    assert (response.status_code, response.get_json()["detail"]) == (400, f"{name} cannot be served: {UNSERVED[name]}")


@pytest.mark.parametrize("name", SERVED)
def test_every_served_class_trains_loads_predicts_and_scores(client, config, name):
    target = target_of(name)
    columns = ["size"] if name == "IsotonicRegression" else FEATURES
    rows = ROWS[[*columns, *([target] if target else [])]]
    pipeline = "false" if name in POSITIVE else "true"
    asked = {"class": name, "pipeline": pipeline, "target_col": target or "", **PARAMETERS.get(name, {})}
    assert answer(client.put("/model", query_string=asked))["model"] == name
    answer(post(client, "train", rows))

    loaded = started(config)
    predictions = answer(post(loaded, "predict", rows))
    assert len(predictions) == len(rows)
    assert predictions == answer(post(client, "predict", rows))
    assert_same(answer(post(loaded, "predict", rows[::-1]))[::-1], predictions)
    assert_same(predictions, in_plain_joblib(config.state_folder("model") / "model.pkl", rows))

    score = post(loaded, "score", rows)
    if name in SCORED_AGAINST_A_TARGET or not hasattr(CLASSES[name], "score"):
        assert score.status_code == 400
        assert all(word in score.get_json()["detail"] for word in ("score", "target"))
    else:
        assert math.isfinite(answer(score)["score"])
    described = answer(loaded.get("/model?_params"))
    assert described["params"]["class"] == name
