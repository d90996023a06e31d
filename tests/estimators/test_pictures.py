"""Pictures: which model has which, and that no data can break them."""

import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import FeatureAgglomeration
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from server.errors import InvalidParameter
from server.estimators.pictures import draw, picture_names
from server.estimators.tabular import TabularEstimator
from tests.estimators.samples import FITTED, LENGTHS, SVG, WIDE, drawn

pytestmark = pytest.mark.slow

NAMES = {
    "logistic regression": ("confusion_matrix", "roc_curve", "coefficients"),
    "forest": ("confusion_matrix", "roc_curve", "feature_importances"),
    "no probabilities": ("confusion_matrix", "roc_curve", "coefficients"),
    "kernel": ("confusion_matrix", "roc_curve"),
    "regression": ("prediction_error", "coefficients"),
    "components": ("components",),
    "clusters": ("clusters",),
    "outliers": ("clusters",),
}


def names_of(key):
    model, target = FITTED[key]
    return picture_names(TabularEstimator(model), target is not None)


@pytest.mark.parametrize("key", FITTED)
def test_each_model_has_the_pictures_that_fit_it(key):
    assert names_of(key) == NAMES[key]


@pytest.mark.parametrize("key", FITTED)
def test_every_picture_can_be_drawn_and_is_the_same_again(key):
    model, target = FITTED[key]
    for name in names_of(key):
        once, twice = (draw(TabularEstimator(model), name, LENGTHS, target) for _ in range(2))
        assert ElementTree.fromstring(once).find(f"{SVG}title").text
        assert once == twice


def test_without_a_target_there_is_nothing_to_compare_with():
    assert picture_names(TabularEstimator(FITTED["logistic regression"][0]), has_target=False) == ("coefficients",)


def test_an_unknown_picture_is_refused_with_the_nearest_and_those_there_are():
    with pytest.raises(InvalidParameter, match="'roc_curv'; did you mean 'roc_curve'.*confusion_matrix, roc_curve"):
        drawn(FITTED["kernel"][0], "roc_curv", target=WIDE)


def test_a_clusterer_of_columns_has_components_not_clusters():
    assert picture_names(TabularEstimator(FeatureAgglomeration(2).fit(LENGTHS)), has_target=False) == ("components",)


HOSTILE = ["<script>alert(1)</script>", "$x$", "$\\frac{1}{", "_hidden", "温度 😀 שלום", "a\x00\x1b\nb", "&lt;", "  "]


def test_names_and_classes_are_text_whatever_they_are():
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 8)), columns=HOSTILE)
    target = np.array([HOSTILE[index % 8] for index in range(80)], dtype=object)
    model = LogisticRegression().fit(rows, target)
    expected = {
        "<script>alert(1)</scrip…",
        "$x$",
        "$\\frac{1}{",
        "_hidden",
        "温度 😀 שלום",
        "a\ufffd\ufffd b",
        "&lt;",
        "(empty)",
    }
    assert expected <= set(drawn(model, "coefficients", rows))
    assert expected - {"<script>alert(1)</scrip…"} <= set(drawn(model, "confusion_matrix", rows, target))
    assert "$x$" in drawn(PCA(2).fit(rows), "components", rows, target)
    curves = [text for text in drawn(model, "roc_curve", rows, target) if "AUC" in text]
    assert len(curves) == 6


def test_threads_draw_the_same_picture_and_leave_the_settings_alone():
    before = dict(matplotlib.rcParams)
    model, target = FITTED["forest"]

    def one(_):
        return draw(TabularEstimator(model), "confusion_matrix", LENGTHS, target)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(one, range(16)))) == 1
    assert dict(matplotlib.rcParams) == before
