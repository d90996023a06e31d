"""The table of kernels by class; a new kind is a new line here."""

from typing import Any

from sklearn import ensemble, linear_model, naive_bayes, neural_network, svm, tree
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from server.estimators.row_path import bayes, boosting, linear, networks, trees
from server.estimators.row_path.kernels import Kernel

REGRESSORS = (
    "ARDRegression BayesianRidge ElasticNet ElasticNetCV HuberRegressor Lars LarsCV Lasso LassoCV LassoLars "
    "LassoLarsCV LassoLarsIC LinearRegression MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso "
    "MultiTaskLassoCV OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV PassiveAggressiveRegressor "
    "QuantileRegressor Ridge RidgeCV SGDRegressor TheilSenRegressor"
)
# By exact class: a user's subclass may do something else.
KERNELS: dict[type, type[Kernel]] = {
    # A name that a release of scikit-learn does not have is none of its classes.
    **{
        getattr(linear_model, name): linear.LinearRegressor
        for name in REGRESSORS.split()
        if hasattr(linear_model, name)
    },
    svm.LinearSVR: linear.LinearRegressor,
    linear_model.PoissonRegressor: linear.LogLinkRegressor,
    linear_model.GammaRegressor: linear.LogLinkRegressor,
    linear_model.Perceptron: linear.LinearClassifier,
    linear_model.RidgeClassifier: linear.RidgeClassifier,
    linear_model.RidgeClassifierCV: linear.RidgeClassifier,
    linear_model.PassiveAggressiveClassifier: linear.LinearClassifier,
    svm.LinearSVC: linear.LinearClassifier,
    linear_model.LogisticRegression: linear.LogisticClassifier,
    linear_model.LogisticRegressionCV: linear.LogisticClassifier,
    LinearDiscriminantAnalysis: linear.LogisticClassifier,
    linear_model.SGDClassifier: linear.OneAgainstRestClassifier,
    naive_bayes.GaussianNB: bayes.GaussianBayes,
    naive_bayes.MultinomialNB: bayes.MultinomialBayes,
    naive_bayes.ComplementNB: bayes.ComplementBayes,
    naive_bayes.BernoulliNB: bayes.BernoulliBayes,
    tree.DecisionTreeClassifier: trees.TreeClassifier,
    tree.ExtraTreeClassifier: trees.TreeClassifier,
    tree.DecisionTreeRegressor: trees.TreeRegressor,
    tree.ExtraTreeRegressor: trees.TreeRegressor,
    ensemble.RandomForestClassifier: trees.ForestClassifier,
    ensemble.ExtraTreesClassifier: trees.ForestClassifier,
    ensemble.RandomForestRegressor: trees.ForestRegressor,
    ensemble.ExtraTreesRegressor: trees.ForestRegressor,
    ensemble.GradientBoostingClassifier: boosting.GradientBoostingClassifier,
    ensemble.GradientBoostingRegressor: boosting.GradientBoostingRegressor,
    ensemble.HistGradientBoostingClassifier: boosting.HistBoostingClassifier,
    ensemble.HistGradientBoostingRegressor: boosting.HistBoostingRegressor,
    neural_network.MLPClassifier: networks.NetworkClassifier,
    neural_network.MLPRegressor: networks.NetworkRegressor,
}


def kernel_of(estimator: Any, is_sparse: bool) -> Kernel:
    """What computes the estimator's answers; the estimator itself, where no kernel knows it."""
    kernel = KERNELS.get(type(estimator), Kernel)
    return (kernel if kernel.takes(estimator) else Kernel)(estimator, is_sparse)
