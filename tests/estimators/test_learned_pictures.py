"""Pictures of what was learned: the largest values, by the names that the model knows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from server.errors import BadRequest
from server.estimators.documents import DocumentEstimator
from server.estimators.learned_pictures import MOST_BARS, feature_names
from server.estimators.pictures import picture_names
from tests.estimators.samples import FITTED, LENGTHS, SIDES, TEXTS, WIDTH, documents, drawn

pytestmark = pytest.mark.slow


def test_coefficients_are_named_signed_and_sorted():
    rows = pd.DataFrame({"up": [1.0, 2, 3, 4, 9], "down": [4.0, 1, 3, 5, 2], "flat": [0.0, 1, 0, 1, 0]})
    texts = drawn(LinearRegression().fit(rows, rows["up"] - 3 * rows["down"]), "coefficients", rows)
    assert [text for text in texts if text in rows.columns] == ["down", "up", "flat"]
    assert {"−3", "1"} <= set(texts)


def test_of_500_features_the_20_largest_are_shown():
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 500)), columns=[f"f{i}" for i in range(500)])
    model = LogisticRegression().fit(rows, np.arange(60) % 2)
    largest = [f"f{index}" for index in np.argsort(-abs(model.coef_[0]))[:MOST_BARS]]
    texts = drawn(model, "coefficients", rows)
    assert [text for text in texts if text in rows.columns] == largest
    assert "the 20 largest of 500 features" in texts


def test_coefficients_of_several_classes_are_their_mean_absolute_values():
    model = FITTED["no probabilities"][0]
    assert {f"{value:.3g}" for value in abs(model.coef_).mean(axis=0)} <= set(drawn(model, "coefficients"))


def test_coefficients_that_are_not_finite_are_refused():
    model = LinearRegression().fit(LENGTHS, WIDTH)
    model.coef_ = np.full(2, np.nan)
    with pytest.raises(BadRequest, match="no finite values"):
        drawn(model, "coefficients")


MIXED = pd.DataFrame({"colour": ["red", "blue", "red", "blue"], "size": [1.0, 2.0, 3.0, 4.0]})
CHOICE = [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (LogisticRegression().fit(MIXED[["size"]], CHOICE), ["size"]),
        (LogisticRegression().fit(MIXED[["size"]].to_numpy(), CHOICE), ["x0"]),
        (make_pipeline(StandardScaler(), LogisticRegression()).fit(MIXED[["size"]], CHOICE), ["size"]),
        (
            make_pipeline(
                make_column_transformer((OneHotEncoder(), ["colour"]), (StandardScaler(), ["size"])),
                LogisticRegression(),
            ).fit(MIXED, CHOICE),
            ["colour_blue", "colour_red", "size"],
        ),
        (
            make_pipeline(
                make_column_transformer((StandardScaler(), ["size"]), (VarianceThreshold(), ["size"])),
                LogisticRegression(),
            ).fit(MIXED, CHOICE),
            ["standardscaler__size", "variancethreshold__size"],
        ),
        (make_pipeline(FunctionTransformer(), LogisticRegression()).fit(MIXED[["size"]], CHOICE), ["x0"]),
    ],
    ids=["frame", "array", "pipeline", "column transformer", "alike without prefixes", "nameless step"],
)
def test_features_have_the_names_that_the_model_knows(model, names):
    assert feature_names(model, len(names)) == names


@pytest.mark.parametrize("cls", [MultinomialNB, LogisticRegression, LinearSVC])
def test_terms_are_sorted_from_one_side_to_the_other(cls):
    estimator = documents(cls)
    assert picture_names(estimator, has_target=True) == ("confusion_matrix", "roc_curve", "terms")
    texts = drawn(estimator, "terms", TEXTS[:4])
    assert "weight, from contra to pro" in texts
    terms = [text for text in texts if text in estimator.model[0].vocabulary_]
    assert (terms[0], terms[-1]) == ("good", "bad")
    assert sorted(terms) == sorted(estimator.model[0].vocabulary_)


@pytest.mark.parametrize("cls", [MultinomialNB, LogisticRegression])
def test_of_several_classes_each_has_its_terms(cls):
    texts = drawn(documents(cls, rows=6), "terms", TEXTS)
    assert {"good → pro", "bad → contra", "odd → mixed"} <= set(texts)


@pytest.mark.parametrize(
    "vectorizer",
    [
        HashingVectorizer(),
        make_pipeline(HashingVectorizer(), TfidfTransformer()),
        make_union(CountVectorizer(), HashingVectorizer()),
    ],
)
def test_texts_without_named_terms_have_no_picture_of_them(vectorizer):
    model = make_pipeline(vectorizer, LogisticRegression()).fit(TEXTS["text"], SIDES)
    assert picture_names(DocumentEstimator(model), has_target=False) == ("coefficients",)
