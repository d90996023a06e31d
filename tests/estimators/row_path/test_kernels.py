"""Every kernel answers as its pipeline, label by label and digit by digit."""

import numpy as np
import pytest
from sklearn import ensemble, linear_model, naive_bayes, neural_network, svm, tree
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier

from server.estimators.row_path import NotUnderstood, RowPath, difference
from server.estimators.row_path.choice import KERNELS
from server.estimators.row_path.kernels import Kernel
from server.estimators.row_path.probes import cells_of
from tests.estimators.row_path.passengers import fitted

pytestmark = pytest.mark.slow

FEW = {"n_estimators": 7, "random_state": 0}
SHORT = {"max_iter": 5, "random_state": 0}
CLASSIFIERS = [
    (linear_model.LogisticRegression, {}),
    (linear_model.LogisticRegression, {"solver": "liblinear", "intercept_scaling": 2.0}),
    (linear_model.SGDClassifier, {"random_state": 0}),
    (linear_model.SGDClassifier, {"loss": "log_loss", "random_state": 0}),
    (linear_model.SGDClassifier, {"loss": "modified_huber", "random_state": 0}),
    (linear_model.Perceptron, {}),
    (linear_model.RidgeClassifier, {}),
    (svm.LinearSVC, {}),
    (LinearDiscriminantAnalysis, {}),
    (naive_bayes.GaussianNB, {}),
    (naive_bayes.BernoulliNB, {}),
    (naive_bayes.BernoulliNB, {"binarize": 0.3}),
    (tree.DecisionTreeClassifier, {"random_state": 0}),
    (tree.ExtraTreeClassifier, {"random_state": 0}),
    (ensemble.RandomForestClassifier, FEW),
    (ensemble.ExtraTreesClassifier, FEW),
    (ensemble.GradientBoostingClassifier, FEW),
    (ensemble.GradientBoostingClassifier, FEW | {"init": "zero"}),
    (ensemble.HistGradientBoostingClassifier, SHORT),
    (neural_network.MLPClassifier, SHORT | {"activation": "tanh"}),
    (neural_network.MLPClassifier, SHORT | {"hidden_layer_sizes": (5, 4)}),
]
REGRESSORS = [
    (linear_model.LinearRegression, {}),
    (linear_model.Ridge, {}),
    (linear_model.PoissonRegressor, {}),
    (tree.DecisionTreeRegressor, {"random_state": 0}),
    (ensemble.RandomForestRegressor, FEW),
    (ensemble.GradientBoostingRegressor, FEW),
    (ensemble.GradientBoostingRegressor, FEW | {"loss": "huber"}),
    (ensemble.HistGradientBoostingRegressor, SHORT),
    (ensemble.HistGradientBoostingRegressor, SHORT | {"loss": "poisson"}),
    (neural_network.MLPRegressor, SHORT),
]


@pytest.mark.parametrize("target", ["Survived", "Pclass"])
@pytest.mark.parametrize(("cls", "params"), CLASSIFIERS)
def test_a_classifier_of_two_classes_or_three_answers_as_its_pipeline(cls, params, target):
    if (cls, target) == (linear_model.LogisticRegression, "Pclass") and params:
        params = {"solver": "newton-cg"}  # liblinear knows two classes only
    estimator, schema, features = fitted(cls, target, **params)
    path = RowPath(estimator.model, schema)
    assert path.kernel.computes
    assert difference(path, estimator, schema, features) is None


@pytest.mark.parametrize(("cls", "params"), REGRESSORS)
def test_a_regressor_answers_as_its_pipeline(cls, params):
    estimator, schema, features = fitted(cls, "Fare", **params)
    path = RowPath(estimator.model, schema)
    assert path.kernel.computes
    assert difference(path, estimator, schema, features) is None


@pytest.mark.parametrize("cls", [svm.SVC, KNeighborsClassifier, ensemble.AdaBoostClassifier])
def test_a_class_without_a_kernel_answers_itself_after_the_encoder(cls):
    params = {"n_estimators": 3} if cls is ensemble.AdaBoostClassifier else {}
    estimator, schema, features = fitted(cls, **params)
    path = RowPath(estimator.model, schema)
    assert not path.kernel.computes
    assert path.described == f"look-ups and {cls.__name__}'s own predict"
    assert difference(path, estimator, schema, features) is None


@pytest.mark.parametrize(("cls", "params"), [*CLASSIFIERS[:14], *CLASSIFIERS[14:20:2]])
def test_the_first_rows_are_equal_to_the_last_bit(cls, params):
    estimator, schema, features = fitted(cls, **params)
    path = RowPath(estimator.model, schema)
    for place, cells in enumerate(cells_of(features.head(3))):
        alone = features.iloc[place : place + 1]
        assert path.answer(cells).tolist() == estimator.model.predict(alone).tolist()
        if path.has_proba:
            assert path.probabilities(cells).tolist() == estimator.model.predict_proba(alone)[0].tolist()
            label, known = path.kernel.both(path.encode(cells))
            assert label.tolist() == path.answer(cells).tolist()
            assert known[0].tolist() == path.probabilities(cells).tolist()


def test_labels_keep_their_type():
    for target, kind in (("Survived", np.int64), ("Sex", object)):
        estimator, schema, features = fitted(linear_model.LogisticRegression, target)
        answer = RowPath(estimator.model, schema).answer(cells_of(features.head(1))[0])
        assert answer.dtype == estimator.predict(features.head(1)).dtype == kind


def test_a_class_fitted_on_plain_columns_is_computed_without_an_encoder():
    estimator, schema, features = fitted(ensemble.RandomForestClassifier, pipeline=False, **FEW)
    path = RowPath(estimator.model, schema)
    assert difference(path, estimator, schema, features) is None


def test_a_class_that_asks_for_columns_by_name_is_left_to_the_pipeline():
    estimator, schema, _ = fitted(svm.SVC, pipeline=False)
    with pytest.raises(NotUnderstood, match="SVC has no kernel, and was fitted on a table"):
        RowPath(estimator.model, schema)


def test_a_users_subclass_is_asked_itself():
    class Contrary(linear_model.LogisticRegression):
        def predict(self, rows):
            return 1 - super().predict(rows)

    estimator, schema, features = fitted(Contrary)
    path = RowPath(estimator.model, schema)
    assert type(path.kernel) is Kernel
    assert Contrary not in KERNELS
    assert difference(path, estimator, schema, features) is None
