"""Pictures of predictions say what the metrics of scikit-learn say."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, LinearSVC

from server.errors import BadRequest
from server.estimators.prediction_pictures import MOST_CLASSES
from tests.estimators.samples import FITTED, LENGTHS, SIDES, SPECIES, TEXTS, WIDE, WIDTH, documents, drawn


def counts_in(texts):
    return [int(text) for text in texts[texts.index("true") + 1 :] if text.isdigit()]


@pytest.mark.parametrize("key", ["logistic regression", "forest", "no probabilities"])
def test_the_confusion_matrix_holds_the_counts_of_scikit_learn(key):
    model, target = FITTED[key]
    expected = metrics.confusion_matrix(target, model.predict(LENGTHS))
    assert counts_in(drawn(model, "confusion_matrix", target=target)) == expected.ravel().tolist()


def test_rare_classes_of_a_confusion_matrix_are_counted_together():
    target = np.array([f"class {index**2 // 50}" for index in range(50)] * 4)
    rows = pd.DataFrame({"x": np.arange(200.0)})
    texts = drawn(
        RandomForestClassifier(3, max_depth=4, random_state=0).fit(rows, target), "confusion_matrix", rows, target
    )
    counts = counts_in(texts)
    left_out = len(set(target)) - MOST_CLASSES + 1
    assert (len(counts), sum(counts)) == (MOST_CLASSES**2, 200)
    assert texts.count(f"{left_out} others") == 2
    assert f"200 stored rows; the {left_out} rarest classes are counted together" in texts


def test_one_class_has_a_confusion_matrix_and_no_roc_curve():
    model = FITTED["logistic regression"][0]
    low = LENGTHS[model.predict(LENGTHS) == 0]
    assert counts_in(drawn(model, "confusion_matrix", low, np.zeros(len(low), dtype=int))) == [len(low)]
    with pytest.raises(BadRequest, match="needs rows of two classes"):
        drawn(model, "roc_curve", low, np.zeros(len(low), dtype=int))


def test_targets_of_another_kind_are_refused():
    with pytest.raises(BadRequest, match="cannot be compared"):
        drawn(FITTED["logistic regression"][0], "confusion_matrix", target=SPECIES)
    with pytest.raises(BadRequest, match="needs rows of two classes"):
        drawn(FITTED["logistic regression"][0], "roc_curve", target=SPECIES)


def test_the_roc_curve_of_two_classes_has_the_area_of_scikit_learn():
    model = FITTED["logistic regression"][0]
    area = metrics.roc_auc_score(WIDE, model.predict_proba(LENGTHS)[:, 1])
    assert f"1, AUC {area:.3f}" in drawn(model, "roc_curve", target=WIDE)


def test_each_of_several_classes_has_a_curve_against_the_rest():
    model = FITTED["no probabilities"][0]
    texts = drawn(model, "roc_curve", target=SPECIES)
    for label, scores in zip(model.classes_, model.decision_function(LENGTHS).T, strict=True):
        assert f"{label}, AUC {metrics.roc_auc_score(label == SPECIES, scores):.3f}" in texts


def test_of_many_classes_the_most_frequent_have_curves():
    target = np.repeat([f"c{index}" for index in range(50)], np.arange(1, 51))
    rows = pd.DataFrame({"x": np.arange(len(target), dtype=float)})
    texts = drawn(RandomForestClassifier(3, max_depth=3, random_state=0).fit(rows, target), "roc_curve", rows, target)
    curves = [text.split(",")[0] for text in texts if "AUC" in text]
    assert curves == ["c44", "c45", "c46", "c47", "c48", "c49"]
    assert any(text.endswith("the 6 most frequent of 50 classes") for text in texts)


def test_scores_that_are_not_one_for_each_class_are_refused():
    rows, target = pd.DataFrame({"x": np.arange(40.0)}), np.arange(40) // 10
    pairwise = SVC(decision_function_shape="ovo").fit(rows, target)
    with pytest.raises(BadRequest, match="one finite score for each of its classes"):
        drawn(pairwise, "roc_curve", rows, target)


def test_predictions_beside_the_truth_tell_how_far_they_are_off():
    model = FITTED["regression"][0]
    predicted = model.predict(LENGTHS)
    note = f"R² {metrics.r2_score(WIDTH, predicted):.3f}, mean absolute error {abs(WIDTH - predicted).mean():.3g}"
    assert f"150 stored rows; {note}" in drawn(model, "prediction_error", target=WIDTH)


def test_values_that_no_axis_can_hold_are_left_out_or_refused():
    model = DummyRegressor(strategy="constant", constant=1.0).fit(LENGTHS, WIDTH)
    texts = drawn(model, "prediction_error", target=np.array([np.inf, 1e300, *WIDTH[2:]]))
    assert any(text.startswith("148 stored rows") for text in texts)
    with pytest.raises(BadRequest, match="at least two rows"):
        drawn(model, "prediction_error", target=np.full(150, np.inf))


def test_predictions_of_several_columns_are_refused():
    model = LinearRegression().fit(LENGTHS, np.column_stack([WIDTH, WIDTH]))
    with pytest.raises(BadRequest, match="predicts several columns"):
        drawn(model, "prediction_error", target=WIDTH)


@pytest.mark.parametrize("cls", [MultinomialNB, LinearSVC])
def test_texts_have_roc_curves_with_and_without_probabilities(cls):
    assert "pro, AUC 1.000" in drawn(documents(cls), "roc_curve", TEXTS[:4], SIDES[:4])


def test_two_outputs_are_coloured_by_class_or_measure():
    model, target = FITTED["components"]
    assert drawn(model, "components", target=target)[-5:-2] == ["setosa", "versicolor", "virginica"]
    assert "target" in drawn(model, "components", target=WIDTH)
    assert {"pca0", "pca1"} <= set(drawn(model, "components"))


def test_a_single_output_is_drawn_by_row():
    assert {"pca0", "row"} <= set(drawn(PCA(1).fit(LENGTHS), "components"))


def test_of_many_classes_the_rare_ones_share_a_colour():
    target = np.array([f"c{index % 50:02}" for index in range(150)])
    assert "44 others" in drawn(FITTED["components"][0], "components", target=target)


def test_outputs_that_are_no_numbers_are_refused():
    colours = pd.DataFrame({"colour": ["red", "blue"]})
    with pytest.raises(BadRequest, match="drawn from numbers"):
        drawn(FunctionTransformer().fit(colours), "components", colours)


@pytest.mark.parametrize(("key", "names"), [("clusters", [0, 1, 2]), ("outliers", ["outliers", "inliers"])])
def test_clusters_tell_how_many_rows_each_holds(key, names):
    model = FITTED[key][0]
    texts = drawn(model, "clusters")
    sizes = np.unique(model.predict(LENGTHS), return_counts=True)[1]
    assert {str(size) for size in sizes} <= set(texts)
    assert {f"cluster {name}" if isinstance(name, int) else name for name in names} <= set(texts)
