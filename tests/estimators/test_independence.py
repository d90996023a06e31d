"""A model that says so answers a row alike, whatever rows it is asked about with it."""

from contextlib import suppress

import numpy as np
import pytest
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils import all_estimators

from server.estimators.independence import answers_row_by_row
from tests.estimators.outside import Single

ROWS, CLASSES = make_classification(600, 6, random_state=0)
PART = 256
# How far these have converged is all the same here.
HASTY = {name: {"max_iter": 5} for name in ("DictionaryLearning", "MeanShift", "MiniBatchDictionaryLearning")}
METHODS = ("predict", "predict_proba", "transform")


def with_defaults():
    """scikit-learn's classes that are made without arguments and answer row by row, by name."""
    for name, cls in all_estimators():
        with suppress(TypeError):
            if answers_row_by_row(cls()) and any(hasattr(cls, method) for method in METHODS):
                yield pytest.param(cls, id=name)


def answer(model, method, rows):
    """An array of the answers; None if there are none to such rows."""
    try:
        found = getattr(model, method)(rows)
    except (AttributeError, ValueError, TypeError):
        return None
    return found.toarray() if sparse.issparse(found) else np.asarray(found)


@pytest.mark.slow
@pytest.mark.parametrize("cls", with_defaults())
@pytest.mark.filterwarnings("ignore")
def test_a_class_that_answers_row_by_row_answers_parts_as_the_whole(cls):
    for rows in (ROWS, np.abs(ROWS)):
        with suppress(ValueError, TypeError, AttributeError, ArithmeticError):
            model = cls(**HASTY.get(cls.__name__, {})).fit(rows, CLASSES)
            break
    else:
        return
    for method in METHODS:
        whole = answer(model, method, rows)
        if whole is not None:
            parts = [answer(model, method, rows[begin : begin + PART]) for begin in range(0, len(rows), PART)]
            np.testing.assert_array_equal(np.concatenate(parts), whole, err_msg=method)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        make_pipeline(make_column_transformer((StandardScaler(), ["a"])), SVC()),
        make_pipeline(SelectKBest(chi2), LogisticRegression()),
    ],
)
def test_pipelines_of_scikit_learns_own_steps_answer_row_by_row(model):
    assert answers_row_by_row(model)


@pytest.mark.parametrize(
    "model",
    [
        DummyClassifier(),
        make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
        make_pipeline(make_column_transformer((FunctionTransformer(), ["a"])), LogisticRegression()),
        SVC(kernel=lambda one, other: one @ other.T),
        Single(),
        object(),
    ],
)
def test_what_draws_lots_or_calls_what_a_user_wrote_does_not(model):
    assert not answers_row_by_row(model)
