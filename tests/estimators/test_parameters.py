"""Parameters: from text to the right type, checked by scikit-learn's own constraints."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import InvalidParameter, UnknownClass
from server.estimators.catalogue import find_class
from server.estimators.parameters import build, check_parameters, drop_unknown, plain_parameters
from tests.conftest import titanic_endpoint

BLANK = {"pattern": "/blank", "handler": "MLHandler"}


def checked(name: str, **params):
    return check_parameters(find_class(name), params)


def plain(name: str, **params):
    cls = find_class(name)
    return plain_parameters(build(cls, check_parameters(cls, params)))


@pytest.mark.parametrize(
    ("name", "parameter", "text", "expected"),
    [
        ("RandomForestClassifier", "n_estimators", "10", 10),
        ("RandomForestClassifier", "max_depth", "None", None),
        ("RandomForestClassifier", "max_depth", "null", None),
        ("RandomForestClassifier", "max_depth", None, None),
        ("RandomForestClassifier", "max_features", "1", 1),
        ("RandomForestClassifier", "max_features", "1.0", 1.0),
        ("RandomForestClassifier", "max_features", "sqrt", "sqrt"),
        ("RandomForestClassifier", "min_samples_leaf", "0.1", 0.1),
        ("LogisticRegression", "fit_intercept", "false", False),
        ("LogisticRegression", "fit_intercept", "True", True),
        ("LogisticRegression", "fit_intercept", "0", False),
        ("LogisticRegression", "fit_intercept", 1, True),
        ("LogisticRegression", "C", "1e-3", 0.001),
        ("LogisticRegression", "n_jobs", "-1", -1),
        ("LogisticRegression", "random_state", "7", 7),
        ("SGDClassifier", "max_iter", "1e3", 1000),
        ("SGDClassifier", "max_iter", 1000.0, 1000),
        ("MLPClassifier", "hidden_layer_sizes", "(10,5)", (10, 5)),
        ("MLPClassifier", "hidden_layer_sizes", "[10, 5]", [10, 5]),
        ("MLPClassifier", "hidden_layer_sizes", ["10", "5"], (10, 5)),
        ("MLPClassifier", "hidden_layer_sizes", "10", 10),
        ("PCA", "n_components", "0.9", 0.9),
        ("PCA", "n_components", "mle", "mle"),
        ("PolynomialFeatures", "degree", "(1,2)", (1, 2)),
        ("RidgeCV", "alphas", "[0.1, 1]", [0.1, 1]),
        ("SVC", "gamma", "scale", "scale"),
        ("SVC", "gamma", "0.1", 0.1),
        ("KNeighborsClassifier", "metric_params", '{"p": 3}', {"p": 3}),
    ],
)
def test_a_text_becomes_the_type_that_the_parameter_takes(name, parameter, text, expected):
    value = checked(name, **{parameter: text})[parameter]
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "parameter", "old", "new"),
    [
        ("SGDClassifier", "loss", "log", "log_loss"),
        ("SGDRegressor", "loss", "squared_loss", "squared_error"),
        ("GradientBoostingClassifier", "loss", "deviance", "log_loss"),
        ("GradientBoostingRegressor", "loss", "lad", "absolute_error"),
        ("HistGradientBoostingClassifier", "loss", "binary_crossentropy", "log_loss"),
        ("RANSACRegressor", "loss", "squared_loss", "squared_error"),
        ("DecisionTreeRegressor", "criterion", "mse", "squared_error"),
        ("RandomForestClassifier", "max_features", "auto", "sqrt"),
        ("RandomForestRegressor", "max_features", "auto", 1.0),
        ("KMeans", "algorithm", "full", "lloyd"),
        ("SGDClassifier", "penalty", "none", None),
        ("FastICA", "whiten", True, "arbitrary-variance"),
    ],
)
def test_a_renamed_value_still_works(name, parameter, old, new):
    assert plain(name, **{parameter: old})[parameter] == new


@pytest.mark.parametrize(
    ("name", "old", "new", "value"),
    [
        ("BaggingClassifier", "base_estimator", "estimator", {"class": "GaussianNB", "params": {}}),
        ("SGDClassifier", "n_iter", "max_iter", 5),
        ("OneHotEncoder", "sparse", "sparse_output", False),
    ],
)
def test_a_renamed_parameter_still_works(name, old, new, value):
    assert checked(name, **{old: value}) == {new: value}


@pytest.mark.parametrize(
    ("name", "sent", "words"),
    [
        ("LogisticRegression", {"c": "1"}, ["'c'", "did you mean 'C'"]),
        ("RandomForestClassifier", {"n_estimator": "1"}, ["did you mean 'n_estimators'"]),
        ("GaussianNB", {"zzz": "1"}, ["it takes priors, var_smoothing"]),
        ("LogisticRegression", {"__class__": "1"}, ["no parameter '__class__'"]),
        ("LogisticRegression", {"C": "abc"}, ["'C'", "float in the range (0.0, inf]", "'abc'"]),
        ("LogisticRegression", {"C": None}, ["'C'", "float"]),
        ("RandomForestClassifier", {"n_estimators": "0"}, ["'n_estimators'", "[1, inf)"]),
        ("SGDClassifier", {"loss": "nope"}, ["'loss'", "'hinge'"]),
        ("DecisionTreeClassifier", {"criterion": "mse"}, ["'criterion'", "'gini'", "not 'mse'"]),
        ("SGDClassifier", {"alpha": "nan"}, ["'alpha'"]),
        ("MLPClassifier", {"hidden_layer_sizes": "abc"}, ["'hidden_layer_sizes'"]),
        ("MLPClassifier", {"hidden_layer_sizes": "[" * 3000}, ["'hidden_layer_sizes'"]),
        ("FunctionTransformer", {"func": "os.system"}, ["'func'"]),
        ("GaussianProcessRegressor", {"kernel": "RBF"}, ["'kernel'"]),
    ],
)
def test_a_wrong_parameter_is_named_with_what_it_takes(name, sent, words):
    with pytest.raises(InvalidParameter) as caught:
        checked(name, **sent)
    assert all(word in caught.value.detail for word in words), caught.value.detail


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"0": 1, "1": 2}, {0: 1, 1: 2}),
        ('{"0": 1, "1": 2}', {0: 1, 1: 2}),
        ("{0: 1, 1: 2}", {0: 1, 1: 2}),
        ({"no": 1, "yes": 2}, {"no": 1, "yes": 2}),
        ("balanced", "balanced"),
        ("None", None),
    ],
)
def test_keys_of_class_weight_are_labels(sent, expected):
    assert checked("LogisticRegression", class_weight=sent)["class_weight"] == expected


@pytest.mark.parametrize(
    ("sent", "params"),
    [
        ("SVC", {}),
        ({"class": "SVC", "params": {"C": "2"}}, {"C": 2}),
        ('{"class": "SVC", "params": {"C": 2, "shrinking": false}}', {"C": 2, "shrinking": False}),
        ("{'class': 'SVC', 'params': {'shrinking': False}}", {"shrinking": False}),
        ('{"class": "SVC", "params": {"class_weight": null}}', {"class_weight": None}),
    ],
)
def test_a_nested_estimator_is_a_class_name_or_class_and_params(sent, params):
    assert checked("BaggingClassifier", estimator=sent) == {"estimator": {"class": "SVC", "params": params}}
    built = build(find_class("BaggingClassifier"), checked("BaggingClassifier", estimator=sent))
    assert built.estimator.get_params().items() >= params.items()


@pytest.mark.parametrize("sent", [None, "None", "null"])
def test_no_nested_estimator_is_the_class_default(sent):
    assert checked("BaggingClassifier", estimator=sent) == {"estimator": None}


@pytest.mark.parametrize(
    "sent",
    [
        "os.system",
        "DBSCAN",
        "Pipeline",
        5,
        '{"class": "SVC"',
        "{",
        {"class": "SVC", "other": 1},
        {"class": "SVC", "params": [1]},
        {"class": "SVC", "params": "C"},
        {"class": "SVC", "params": {"Q": 1}},
        {"class": "os.system"},
    ],
    ids=str,
)
def test_a_nested_estimator_that_cannot_be_had_is_refused(sent):
    with pytest.raises((InvalidParameter, UnknownClass)):
        checked("BaggingClassifier", estimator=sent)


@pytest.mark.parametrize("sent", ['["GaussianNB", "SVC"]', ["GaussianNB", {"class": "SVC"}]])
def test_a_list_of_estimators_is_built_with_names(sent):
    voting = build(find_class("VotingClassifier"), checked("VotingClassifier", estimators=sent))
    assert [(name, type(model).__name__) for name, model in voting.estimators] == [
        ("gaussiannb0", "GaussianNB"),
        ("svc1", "SVC"),
    ]


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ('{"C": [0.1, 1]}', {"C": [0.1, 1]}),
        ('{"shrinking": [true, false], "class_weight": [null]}', {"shrinking": [True, False], "class_weight": [None]}),
        ("{'shrinking': [True, False]}", {"shrinking": [True, False]}),
    ],
)
def test_param_grid_is_read_as_json_or_python(text, grid):
    assert checked("GridSearchCV", estimator="SVC", param_grid=text)["param_grid"] == grid


@pytest.mark.parametrize(("name", "missing"), [("VotingClassifier", "estimators"), ("GridSearchCV", "estimator")])
def test_a_required_parameter_is_named(name, missing):
    with pytest.raises(InvalidParameter, match=f"needs the parameter '{missing}'"):
        build(find_class(name), {})


def test_what_an_older_release_stored_is_kept_as_far_as_it_exists():
    kept = drop_unknown(find_class("LogisticRegression"), {"C": 2, "multi_class": "auto", "solver": "gone"})
    assert kept == {"C": 2}


@pytest.mark.parametrize("name", ["VotingClassifier", "GridSearchCV", "SimpleImputer", "RANSACRegressor"])
def test_parameters_are_plain_values(name):
    needed = {
        "VotingClassifier": {"estimators": ["SVC"]},
        "GridSearchCV": {"estimator": "SVC", "param_grid": {"C": [1]}},
    }
    json.dumps(plain(name, **needed.get(name, {})))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS | st.sampled_from(["SVC", "auto", "[1, 2]", '{"class": "SVC"}', "1e999", "-0", "٣"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.just("class"), inner),
    max_leaves=5,
)
PLACES = [
    ("RandomForestClassifier", "max_features"),
    ("LogisticRegression", "class_weight"),
    ("MLPClassifier", "hidden_layer_sizes"),
    ("BaggingClassifier", "estimator"),
    ("VotingClassifier", "estimators"),
    ("GridSearchCV", "param_grid"),
    ("KNeighborsClassifier", "metric"),
    ("SimpleImputer", "missing_values"),
]


@settings(max_examples=400, deadline=None)
@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_value_is_taken_or_refused_and_what_is_taken_can_be_stored(place, value):
    name, parameter = place
    try:
        params = checked(name, **{parameter: value})
        build(find_class(name), {"estimator": {"class": "SVC", "params": {}}, **params})
    except (InvalidParameter, UnknownClass):
        return
    json.dumps(params)


@pytest.mark.parametrize("value", ["9" * 20, "9" * 500], ids=["20 digits", "500 digits"])
@pytest.mark.parametrize("parameter", ["C", "max_iter"])
def test_a_number_beyond_64_bits_is_400_or_works_but_never_500(make_client, parameter, value):
    client = make_client({"blank": BLANK})
    put = client.put("/blank", query_string={"class": "LogisticRegression", parameter: value})
    rows = [{"a": n, "y": n % 2} for n in range(8)]
    trained = client.post("/blank?_action=train&target_col=y", json=rows)
    assert [put.status_code, client.get("/blank?_params").status_code] in ([200, 200], [400, 200])
    assert trained.status_code < 500


def test_put_coerces_and_answers_all_parameters(client):
    answer = client.put("/titanic?_model&class=MLPClassifier&hidden_layer_sizes=(10,5)&early_stopping=true").get_json()
    assert answer["model"] == "MLPClassifier"
    assert (answer["params"]["hidden_layer_sizes"], answer["params"]["early_stopping"]) == ([10, 5], True)
    assert math.isclose(answer["params"]["alpha"], 0.0001)


@pytest.mark.parametrize(
    "body",
    [
        {"class": "BaggingClassifier", "estimator": {"class": "SVC", "params": [1]}},
        {"class": "LogisticRegression", "C": "abc"},
        {"class": "LogisticRegression", "C": {"a": 1}},
        {"class": "NoSuchClass"},
    ],
    ids=str,
)
def test_a_refused_put_is_400_and_changes_nothing(make_client, body):
    client = make_client({"titanic": titanic_endpoint()})
    before = client.get("/titanic?_params").get_json()
    assert client.put("/titanic", json=body).status_code == 400
    assert client.get("/titanic?_params").get_json() == before
