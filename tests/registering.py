"""A registry with scikit-learn's own data: two classifiers of iris, two regressors of diabetes."""

from functools import cache
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.datasets import load_diabetes, load_iris
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier

API = "/api/v1"
PREDICT = f"{API}/iris/predict?status=ab_testing"


@cache
def iris() -> tuple[pd.DataFrame, pd.Series]:
    """The flowers and their species, as text."""
    loaded = load_iris(as_frame=True)
    return loaded.data, loaded.target.map(dict(enumerate(map(str, loaded.target_names))))


@cache
def diabetes() -> tuple[pd.DataFrame, pd.Series]:
    """The patients and how far they were a year later."""
    return load_diabetes(as_frame=True, return_X_y=True)


@cache
def fitted() -> dict[str, Any]:
    """Of each pair the first is better by far."""
    return {
        "logistic": LogisticRegression(max_iter=1000).fit(*iris()),
        "stump": DecisionTreeClassifier(max_depth=1).fit(*iris()),
        "linear": LinearRegression().fit(*diabetes()),
        "mean": DummyRegressor().fit(*diabetes()),
    }


def write_models(folder: Path) -> None:
    """The four models as pickles."""
    for name, model in fitted().items():
        joblib.dump(model, folder / f"{name}.pkl")


def algorithm(name: str, type_: str, **changes: Any) -> dict[str, Any]:
    """An algorithm of the configuration, from the pickle of its name."""
    return {"name": name, "version": "1.0", "type": type_, "model": f"{name}.pkl"} | changes


def registry(endpoints: dict[str, list[dict[str, Any]]] | None = None) -> dict[str, Any]:
    """The entry of a RegistryHandler; by default for both data sets, the first of each pair in production."""
    if endpoints is None:
        endpoints = {
            "iris": [algorithm("logistic", "classifier", status="production"), algorithm("stump", "classifier")],
            "diabetes": [algorithm("linear", "regressor", status="production"), algorithm("mean", "regressor")],
        }
    sections = {name: {"owner": "the lab", "algorithms": found} for name, found in endpoints.items()}
    return {"pattern": API, "handler": "RegistryHandler", "kwargs": {"endpoints": sections}}


def flower(number: int = 0) -> dict[str, float]:
    """One flower as a client sends it."""
    return iris()[0].iloc[number].to_dict()


def begin(client: Any, first: int = 1, second: int = 2, **fields: Any) -> Any:
    """Begin a test; the answer."""
    given = {
        "title": "which is better",
        "created_by": "anna",
        "parent_mlalgorithm1": first,
        "parent_mlalgorithm2": second,
    }
    return client.post(f"{API}/abtests", json=given | fields)


def ask(client: Any, count: int = 40, step: int = 7) -> None:
    """Ask the running test about flowers, each with its species as feedback; a subject each, so that none is drawn."""
    for number in range(0, count * step, step):
        answer = client.post(f"{PREDICT}&subject={number}", json=flower(number % 150)).json
        truth = iris()[1].iloc[number % 150]
        assert client.put(f"{API}/mlrequests/{answer['request_id']}", json={"feedback": truth}).status_code == 200
