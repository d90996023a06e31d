"""What a request may not set as high as it likes, wherever it stands; the configuration's own word is not bound."""

import os

import pytest

from server.app import create_app
from server.config import load_config
from server.errors import ConfigError
from tests.conftest import BriefRunner, titanic_endpoint, write_config
from tests.reviews import text_endpoint
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow
URL = "/numbers"
OWN = {"class": "RandomForestClassifier", "target_col": "y", "params": {"n_estimators": 7000, "n_jobs": 64}}
CAPS = {"max_depth": 20, "n_init": None, "cv": 3}


def numbers(**model):
    return {"numbers": {"pattern": URL, "handler": "MLHandler", "kwargs": {"model": model}}}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    values = {"url": numbers(**OWN), "server": {"limits": {"parameters": CAPS}}}
    app = create_app(load_config(write_config(tmp_path_factory.mktemp("caps"), values), {}), BriefRunner())
    return app.test_client()


SEARCH = {"class": "GridSearchCV", "estimator": {"class": "SVC"}}
FOREST = {"class": "RandomForestClassifier", "params": {"n_estimators": 9000}}
FEW = {"class": "RandomForestClassifier", "params": {"n_estimators": 200}}
PERCEPTRON = {"class": "Perceptron", "params": {"n_jobs": 8}}
REFUSED = {
    "a number": ({"n_estimators": 5001}, "n_estimators", "5000"),
    "a text": ({"n_estimators": "100000"}, "n_estimators", "100000"),
    "a float": ({"class": "LogisticRegression", "max_iter": 1e9}, "max_iter", "10000"),
    "many cores": ({"n_jobs": 3}, "n_jobs", "2"),
    "one that the owner bounds": ({"max_depth": 21}, "max_depth", "20"),
    "no bound": ({"class": "HistGradientBoostingClassifier", "max_iter": 10**18}, "max_iter", "10000"),
    "layers": ({"class": "MLPClassifier", "hidden_layer_sizes": [4000, 1000, 1]}, "hidden_layer_sizes", "5001 in all"),
    "layers as text": (
        {"class": "MLPClassifier", "hidden_layer_sizes": "(5000, 1)"}, "hidden_layer_sizes", "5001 in all"
    ),
    "a model within": (
        {"class": "BaggingClassifier", "estimator": FOREST},
        "n_estimators", "9000",
    ),
    "models of models": (
        {"class": "BaggingClassifier", "n_estimators": 100, "estimator": FEW}, "n_estimators", "200 (20000 in all)"
    ),
    "bins": ({"class": "KBinsDiscretizer", "n_bins": 10**9}, "n_bins", "10000"),
    "two deep": (
        {
            "class": "BaggingClassifier",
            "estimator": {
                "class": "AdaBoostClassifier",
                "params": {"estimator": {"class": "SVC", "params": {"max_iter": 10**6}}},
            },
        },
        "max_iter", "1000000",
    ),
    "a list of models": (
        {"class": "VotingClassifier", "estimators": ["SVC", PERCEPTRON]},
        "n_jobs", "8",
    ),
    "a candidate of a search": (SEARCH | {"param_grid": {"max_iter": [10, 20_000]}}, "max_iter", "20000"),
    "several grids": (
        SEARCH | {"param_grid": [{"C": [1]}, {"estimator__max_iter": [10**5]}]}, "max_iter", "100000"
    ),
    "candidates of a grid": (SEARCH | {"param_grid": {"C": list(range(1, 102)), "tol": [1e-3] * 10}}, "n_iter", "1010"),
    "candidates of several grids": (SEARCH | {"param_grid": [{"C": [1] * 600}, {"C": [2] * 600}]}, "n_iter", "1200"),
    "folds of a search": (SEARCH | {"param_grid": {"C": [1, 2]}, "cv": 4}, "cv", "3"),
    "a degree": ({"class": "SVC", "degree": 11}, "degree", "10"),
    "an order": ({"class": "SARIMAX", "order": [31, 0, 0], "index_col": "x"}, "order", "30"),
    "a season": ({"class": "SARIMAX", "seasonal_order": [1, 0, 0, 366]}, "seasonal_order", "367 in all"),
}  # fmt: skip
TAKEN = {
    "the most": {"n_estimators": 5000, "n_jobs": 2, "max_depth": 20},
    "one core": {"n_jobs": None},
    "the class's own unbounded default": {"class": "SVC", "max_iter": -1},
    "the class's own None": {"max_depth": None},
    "a word": {"class": "KMeans", "n_init": "auto"},
    "what the owner lets go": {"class": "KMeans", "n_init": 100_000},
    "layers": {"class": "MLPClassifier", "hidden_layer_sizes": [4000, 1000]},
    "candidates that are many together": SEARCH | {"param_grid": {"max_iter": [9000, 10_000]}, "cv": 3},
    "some models of some": {"class": "BaggingClassifier", "n_estimators": 25, "estimator": FEW},
    "what has no bound": {"class": "SVC", "C": 1e9},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_too_high_is_400_and_names_parameter_bound_and_setting(client, case):
    given, name, told = REFUSED[case]
    before = client.get(f"{URL}?_params").json
    assert_problem(client.put(URL, json=given), 400, name, told, f"server.limits.parameters.{name}")
    assert client.get(f"{URL}?_params").json == before


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_within_the_bounds_or_has_none_is_taken(client, case):
    try:
        answer = client.put(URL, json=TAKEN[case])
        assert answer.status_code == 200, answer.get_data(as_text=True)
    finally:
        client.put(URL, json={"class": "RandomForestClassifier"})


def test_in_a_training_the_query_is_bound_too(client):
    rows = [{"x": x, "y": x % 2} for x in range(20)]
    answer = client.post(f"{URL}?_action=train&n_estimators=100000", json=rows)
    assert_problem(answer, 400, "n_estimators", "server.limits.parameters.n_estimators")
    answer = client.post(f"{URL}?_action=train&class=MLPClassifier&hidden_layer_sizes=9999", json=rows)
    assert_problem(answer, 400, "hidden_layer_sizes")


def test_the_configuration_is_not_bound_and_stays_as_it_is_beside_a_change(make_client):
    client = make_client(numbers(**OWN), wait=False)
    assert client.get(f"{URL}?_params").json["params"]["params"] == OWN["params"]
    answer = client.put(f"{URL}?max_depth=3")
    assert answer.status_code == 200
    assert (answer.json["params"]["n_estimators"], answer.json["params"]["n_jobs"]) == (7000, 64)
    assert_problem(client.put(f"{URL}?n_estimators=7000"), 400, "n_estimators")


def test_a_text_models_arguments_are_bound(make_client):
    caps = {"num_train_epochs": 10}
    client = make_client(
        {"sentiment": text_endpoint("sentiment", "./not-here")}, wait=False, limits={"parameters": caps}
    )
    answer = client.put("/sentiment?num_train_epochs=11")
    assert_problem(answer, 400, "num_train_epochs", "10", "server.limits.parameters.num_train_epochs")


@pytest.mark.parametrize(("jobs", "status"), [(-1, 400), (-2, 400), (-6, 400), (-7, 200), (-8, 200), (-99, 200)])
def test_jobs_told_from_the_last_core_count_as_so_many(client, monkeypatch, jobs, status):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert client.put(URL, json={"n_jobs": jobs}).status_code == status


@pytest.mark.parametrize("caps", [{"n_jobs": -1}, {"n_jobs": "many"}, ["n_jobs"]])
def test_what_is_no_bound_stops_the_start(make_config, caps):
    with pytest.raises(ConfigError, match=r"server\.limits\.parameters"):
        make_config({"url": {"titanic": titanic_endpoint()}, "server": {"limits": {"parameters": caps}}})


def test_a_bound_can_come_from_the_environment(make_config):
    environment = {"RESTIMATOR_SERVER__LIMITS__PARAMETERS__N_ESTIMATORS": "50"}
    parameters = make_config({"url": {"titanic": titanic_endpoint()}}, environment).server.limits.parameters
    assert (parameters["n_estimators"], parameters["max_iter"]) == (50, 10_000)
