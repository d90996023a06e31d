"""Model classes by name: scikit-learn's for everybody, others only if the configuration allows them."""

import subprocess
import sys
import warnings

import pytest
from sklearn.utils import all_estimators

from server.errors import UnknownClass
from server.estimators.catalogue import class_names, find_class, find_text_class, kind_of_model
from tests.conftest import ROOT

BLANK = {"pattern": "/blank", "handler": "MLHandler"}
OUTSIDE = "tests.estimators.outside.Nearest"


@pytest.mark.parametrize("name", ["LogisticRegression", "PCA", "SVC"])
def test_a_class_of_scikit_learn_is_found_by_its_name(name):
    assert find_class(name).__name__ == name


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "os",
        "sys",
        "warnings",
        "np",
        "__import__",
        "__builtins__",
        "__class__",
        "_BaseNB",
        "Parallel",
        "Integral",
        "make_pipeline",
        "ClassifierMixin",
        "BaseEstimator",
        "BaseSearchCV",
        "KFold",
        "sklearn.linear_model.LogisticRegression",
        "linear_model.LogisticRegression",
        OUTSIDE,
        "../LogisticRegression",
        "LogisticRegression()",
        "Logistic Regression",
        "logisticregression",
        "LogisticRegression\n",
        "",
        " ",
        "ＳＶＣ",
    ],
)
def test_what_is_no_estimator_of_scikit_learn_is_refused(name):
    with pytest.raises(UnknownClass):
        find_class(name)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("logisticregression", "'LogisticRegression'"),
        ("LogisticRegresion", "'LogisticRegression'"),
        ("pca", "'PCA'"),
        ("sklearn.linear_model.LogisticRegression", "'LogisticRegression'"),
    ],
)
def test_the_nearest_names_are_suggested(name, near):
    with pytest.raises(UnknownClass, match=f"did you mean .*{near}"):
        find_class(name)


@pytest.mark.parametrize("name", ["NER", "SentimentAnalysis", "SARIMAX"])
def test_classes_beside_scikit_learns_go_by_their_names(name):
    assert find_class(name).__name__ == name


@pytest.mark.parametrize("name", [OUTSIDE, "Nearest"])
def test_an_allowed_class_goes_by_its_path_or_its_last_name(name):
    assert find_class(name, [OUTSIDE]).__name__ == "Nearest"


@pytest.mark.parametrize("path", ["no.such.Thing", "tests.estimators.outside.Nothing"])
def test_an_allowed_class_that_cannot_be_imported_is_told(path):
    with pytest.raises(UnknownClass, match=r"server\.classes cannot be imported"):
        find_class(path, [path])


@pytest.mark.slow
def test_a_request_cannot_name_an_allowed_class(make_client):
    client = make_client({"blank": BLANK}, classes=[OUTSIDE])
    assert client.put("/blank", query_string={"class": OUTSIDE}).status_code == 400
    assert client.put("/blank?class=Nearest").status_code == 400


def test_the_configuration_can_name_an_allowed_class(make_client):
    url = {"own": BLANK | {"pattern": "/own", "kwargs": {"model": {"class": OUTSIDE, "target_col": "y"}}}}
    client = make_client(url, classes=[OUTSIDE])
    rows = [{"a": 0, "y": "low"}, {"a": 1, "y": "low"}, {"a": 9, "y": "high"}]
    assert client.post("/own?_action=train", json=rows).status_code == 200
    assert client.get("/own?a=8&a=0.2").get_json() == ["high", "low"]
    assert client.put("/own", query_string={"class": OUTSIDE, "scale": "2"}).status_code == 200


@pytest.mark.parametrize("name", ["MultinomialNB", "HistGradientBoostingClassifier", "GridSearchCV", "RFE"])
def test_what_is_or_can_be_a_classifier_takes_texts(name):
    assert find_text_class(name).__name__ == name


@pytest.mark.parametrize("name", ["Ridge", "PCA", "KMeans", "GaussianMixture", "BaggingRegressor", "SelectFromModel"])
def test_what_is_no_classifier_takes_no_texts(name):
    with pytest.raises(UnknownClass, match=f"{name} cannot be served for texts: it is no classifier"):
        find_text_class(name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("LogisticRegression", "classifier"),
        ("Ridge", "regressor"),
        ("KMeans", "clusterer"),
        ("IsolationForest", "outlier detector"),
        ("PCA", "transformer"),
        ("GaussianMixture", "model"),
    ],
)
def test_the_kind_says_what_a_model_does(name, kind):
    assert kind_of_model(find_class(name)()) == kind


def test_all_of_scikit_learns_estimators_are_known():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert class_names() == sorted(name for name, _ in all_estimators())


def test_an_unknown_class_loads_nothing_but_scikit_learn():
    """Walking through all modules of scikit-learn imports torch and Dask where they are installed."""
    code = (
        "import sys\n"
        "from server.errors import UnknownClass\n"
        "from server.estimators.catalogue import find_class\n"
        "try:\n    find_class('LogisticRegresion')\nexcept UnknownClass as error:\n    print(error.detail)\n"
        "print(*{'torch', 'dask', 'distributed', 'matplotlib'} & set(sys.modules))\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "did you mean 'LogisticRegression'" in told
    assert told.splitlines()[-1] == ""
