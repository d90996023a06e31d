"""Fitted models of each kind, and what their pictures say."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import SVC, LinearSVC

from server.estimators.base import Estimator
from server.estimators.documents import DocumentEstimator
from server.estimators.pictures import draw
from server.estimators.tabular import TabularEstimator
from tests.conftest import ROOT

SVG = "{http://www.w3.org/2000/svg}"
IRIS = pd.read_csv(ROOT / "data" / "iris.csv")
SPECIES = IRIS["species"].to_numpy(dtype=object)
# One side of a decision that these measures do not settle.
WIDE = (IRIS["sepal_width"] > 3).to_numpy().astype(int)
LENGTHS = IRIS[["sepal_length", "petal_length"]]
WIDTH = IRIS["petal_width"].to_numpy()
TEXTS = pd.DataFrame({"text": ["good film", "fine good plot", "bad film", "dull bad plot", "odd film", "odd odd plot"]})
SIDES = np.array(["pro", "pro", "contra", "contra", "mixed", "mixed"], dtype=object)

FITTED = {
    "logistic regression": (LogisticRegression().fit(LENGTHS, WIDE), WIDE),
    "forest": (RandomForestClassifier(5, random_state=0).fit(LENGTHS, SPECIES), SPECIES),
    "no probabilities": (LinearSVC().fit(LENGTHS, SPECIES), SPECIES),
    "kernel": (SVC().fit(LENGTHS, WIDE), WIDE),
    "regression": (LinearRegression().fit(LENGTHS, WIDTH), WIDTH),
    "components": (PCA(2).fit(LENGTHS), SPECIES),
    "clusters": (KMeans(3, n_init=1, random_state=0).fit(LENGTHS), None),
    "outliers": (IsolationForest(random_state=0).fit(LENGTHS), None),
}


def drawn(model, name, features=LENGTHS, target=None):
    """The texts in the picture of an estimator or of a fitted model, in their order."""
    estimator = model if isinstance(model, Estimator) else TabularEstimator(model)
    document = ElementTree.fromstring(draw(estimator, name, features, target))
    assert document.tag == f"{SVG}svg"
    assert not [part.tag for part in document.iter() if part.tag in (f"{SVG}script", f"{SVG}image")]
    return [part.text for part in document.iter(f"{SVG}text")]


def documents(cls, rows=4):
    """A model of this class fitted on the first texts; the first four have two classes."""
    estimator = DocumentEstimator.from_texts(cls, {}, {})
    estimator.fit(TEXTS[:rows], SIDES[:rows])
    return estimator
