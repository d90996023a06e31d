"""PUT changes what will be trained next; DELETE removes."""

import pytest

from tests.conftest import ROW
from tests.web.conftest import FORM, URL, assert_problem

pytestmark = pytest.mark.slow


def model_of(client):
    return client.get(f"{URL}?_model").json


@pytest.mark.parametrize("prefix", ["_model&", ""])
def test_put_answers_the_next_class_and_the_served_model_stays(client, prefix):
    before = client.get(URL, query_string=ROW | {"_output": "proba"}).json
    attributes = client.get(f"{URL}?_params").json["attrs"]
    answer = client.put(f"{URL}?{prefix}class=RandomForestClassifier&n_estimators=10")
    assert answer.status_code == 200
    assert answer.json == model_of(client)
    assert answer.json["model"] == "RandomForestClassifier"
    assert answer.json["params"]["n_estimators"] == 10
    assert client.get(f"{URL}?_params").json["attrs"] == attributes
    assert client.get(URL, query_string=ROW | {"_output": "proba"}).json == before
    client.post(f"{URL}?_action=retrain")
    assert "feature_importances_" in client.get(f"{URL}?_params").json["attrs"]


@pytest.mark.parametrize(
    "body",
    [
        {"data": "class=Ridge&alpha=2&exclude=Name&exclude=Ticket", "content_type": FORM},
        {"json": {"class": "Ridge", "alpha": 2, "exclude": ["Name", "Ticket"]}},
        {"query_string": {"class": "Ridge", "alpha": "2", "exclude": ["Name", "Ticket"]}},
    ],
    ids=["form", "json", "query"],
)
def test_changes_come_as_query_form_or_json(client, body):
    assert client.put(URL, **body).status_code == 200
    answer = client.get(f"{URL}?_params").json
    assert answer["params"] == {"class": "Ridge", "params": {"alpha": 2}}
    assert answer["opts"]["exclude"] == ["Name", "Ticket"]


def test_put_answers_also_before_the_first_training(make_client):
    client = make_client({"empty": {"pattern": "/empty", "handler": "MLHandler"}})
    answer = client.put("/empty?_model&class=SVC&C=2")
    assert answer.json["model"] == "SVC"
    assert answer.json["params"]["C"] == 2
    assert_problem(client.get("/empty?_model"), 404)


def test_a_new_class_drops_the_old_parameters(client):
    client.put(f"{URL}?C=7")
    assert client.put(f"{URL}?class=LinearSVC").json["params"]["C"] == 1.0
    assert client.put(f"{URL}?class=LogisticRegression").json["params"]["C"] == 1.0


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("class=RandomForestClassifier&n_estimators=10", "n_estimators", 10),
        ("class=RandomForestClassifier&max_depth=5", "max_depth", 5),
        ("class=RandomForestClassifier&max_depth=None", "max_depth", None),
        ("fit_intercept=false", "fit_intercept", False),
        ("fit_intercept=False", "fit_intercept", False),
        ("class=MLPClassifier&hidden_layer_sizes=(10,5)", "hidden_layer_sizes", [10, 5]),
        ("class=SGDClassifier&loss=log", "loss", "log_loss"),
        ("C=0.5", "C", 0.5),
        ("class_weight=balanced", "class_weight", "balanced"),
    ],
)
def test_values_take_the_parameters_type(client, query, name, value):
    answer = client.put(f"{URL}?_model&{query}")
    assert answer.json["params"][name] == value
    assert type(answer.json["params"][name]) is type(value)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("class=RandomForestClassififer", ["'RandomForestClassififer'", "'RandomForestClassifier'"]),
        ("C=-1", ["'C'", "0", "-1"]),
        ("max_itre=5", ["max_itre", "'max_iter'"]),
        ("solver=lbgfs", ["'solver'", "lbfgs"]),
        ("excluded=Name", ["excluded", "'exclude'"]),
        ("pipeline=perhaps", ["pipeline", "true or false"]),
        ("_modle&C=1", ["_modle", "'_model'"]),
        ("", ["nothing to change"]),
    ],
)
def test_what_cannot_be_set_is_refused_and_named(client, unchanged, query, words):
    with unchanged(client):
        assert_problem(client.put(f"{URL}?{query}"), 400, *words)


def test_one_wrong_value_among_right_ones_changes_nothing(client, unchanged):
    with unchanged(client):
        assert_problem(client.put(f"{URL}?exclude=Name&C=2&max_iter=many"), 400, "max_iter")


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("exclude=PassengerId&exclude=Name", "exclude", ["PassengerId", "Name"]),
        ("cats=Embarked", "cats", ["Embarked"]),
        ("nums=Age&nums=Fare", "nums", ["Age", "Fare"]),
        ("include=Sex&include=Survived", "include", ["Sex", "Survived"]),
        ("dropna=false", "dropna", False),
        ("dropna=Age", "dropna", ["Age"]),
        ("deduplicate=false", "drop_duplicates", False),
        ("drop_duplicates=Name", "drop_duplicates", ["Name"]),
        ("pipeline=false", "pipeline", False),
        ("target_col=Pclass", "target_col", "Pclass"),
    ],
)
def test_column_options_can_be_changed(client, query, name, value):
    assert client.put(f"{URL}?_model&{query}").status_code == 200
    assert client.get(f"{URL}?_params").json["opts"][name] == value


def test_put_can_retrain(client):
    client.put(f"{URL}?class=DecisionTreeClassifier")
    assert client.put(f"{URL}?_action=retrain").json["score"] > 0.9


@pytest.mark.parametrize("query", ["_model", "delete=model"])
def test_a_deleted_model_is_404_until_the_next_training(client, query):
    assert client.delete(f"{URL}?{query}").json == {"deleted": ["model"]}
    for view in ("?_model", "?_download", "?Sex=male"):
        assert_problem(client.get(URL + view), 404)
    assert client.get(URL).status_code == 200
    assert len(client.get(f"{URL}?_cache").json) == 891
    assert client.post(f"{URL}?_action=retrain").status_code == 200
    assert client.get(URL, query_string=ROW).json == [0]


@pytest.mark.parametrize("query", ["_cache", "delete=cache"])
def test_deleted_training_data_stays_empty_and_the_model_serves(client, query):
    assert client.delete(f"{URL}?{query}").json == {"deleted": ["cache"]}
    assert client.get(f"{URL}?_cache").json == []
    assert client.get(URL, query_string=ROW).json == [0]
    assert_problem(client.post(f"{URL}?_action=retrain"), 400, "no training data")


def test_deleted_options_fall_back_to_the_configuration(client):
    client.put(f"{URL}?include=Sex&exclude=Name&dropna=false")
    assert client.delete(f"{URL}?delete=opts&_opts=include&_opts=exclude").json == {"deleted": ["opts"]}
    options = client.get(f"{URL}?_params").json["opts"]
    assert options["include"] == []
    assert options["exclude"] == ["PassengerId", "Ticket", "Cabin", "Name"]
    assert options["dropna"] is False


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("", "_model"),
        ("delete=modle", "'model'"),
        ("_cahce", "'_cache'"),
        ("delete=opts&_opts=inclde", "'include'"),
        ("delete=opts&_opts=", "known: "),
        ("_model&_opts=include", "delete=opts"),
        ("_cache&_opts=", "delete=opts"),
    ],
)
def test_what_cannot_be_deleted_is_refused_and_nothing_is(client, unchanged, query, word):
    with unchanged(client):
        assert_problem(client.delete(f"{URL}?{query}"), 400, word)
