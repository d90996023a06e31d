"""Where algorithms come from: pickles, trainings of an MLHandler endpoint, objects that code adds."""

import json

import joblib
import numpy as np
import pytest

from server.app import create_app
from server.config import load_config
from server.errors import ConfigError
from tests.conftest import ROW, BriefRunner, titanic_endpoint, wait_until_ready
from tests.registering import API, algorithm, fitted, flower, iris
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow

TITANIC = {"titanic": [{"name": "survival", "type": "classifier", "status": "production", "endpoint": "titanic"}]}


class Answering:
    """Answers what it was made with, or raises it."""

    def __init__(self, answer):
        self.answer = answer

    def compute_prediction(self, input_data):
        input_data["seen"] = True
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def added(answer, **changes):
    return {
        "endpoint_name": "income", "algorithm_object": Answering(answer), "algorithm_name": "own",
        "algorithm_type": "classifier", "algorithm_status": "production", "algorithm_version": "0.0.1",
        "owner": "anna", "algorithm_description": "of our own", "algorithm_code": "def …",
    } | changes  # fmt: skip


def test_an_object_answers_with_all_that_it_tells(make_registry):
    client = make_registry({}, [added({"label": np.str_("<=50K"), "probability": np.float64(0.25), "why": [1, 2]})])
    answer = client.post(f"{API}/income/predict", json={"age": 37})
    assert answer.json == {"status": "OK", "label": "<=50K", "probability": 0.25, "why": [1, 2], "request_id": 1}
    assert client.get(f"{API}/mlrequests/1").json["input_data"] == {"age": 37}
    told = client.get(f"{API}/mlalgorithms/1").json
    assert {name: told[name] for name in ("name", "version", "owner", "description", "code", "current_status")} == {
        "name": "own", "version": "0.0.1", "owner": "anna", "description": "of our own", "code": "def …",
        "current_status": "production",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": "Error", "message": "no such job"}, "no such job"),
        ({"status": "OK"}, "its answer has no 'label'"),
        ([1], "it answered a list"),
        (None, "it answered a NoneType"),
        (ValueError("bad age"), "own 0.0.1 failed: ValueError: bad age"),
        (SystemExit(3), "own 0.0.1 failed: SystemExit: 3"),
        ({"label": 10**30}, "own 0.0.1 failed: TypeError"),
    ],
)
def test_what_is_no_answer_is_an_error_that_is_written_down(make_registry, caplog, answer, words):
    client = make_registry({}, [added(answer)])
    failed = client.post(f"{API}/income/predict", json={"age": 37})
    assert (failed.status_code, failed.json["status"], failed.json["request_id"]) == (400, "Error", 1)
    assert words in failed.json["message"]
    assert client.get(f"{API}/mlrequests/1").json["full_response"] == failed.json
    assert ("Traceback" in caplog.text) == ("failed: " in words)


def test_an_error_that_no_text_can_hold_is_written_down_all_the_same(make_registry, monkeypatch):
    # A test whose log holds such a sign cannot be reported by one process to another.
    monkeypatch.setattr("server.service.registry.logger.disabled", True)
    client = make_registry({}, [added(ValueError("bad \ud800 age"))])
    failed = client.post(f"{API}/income/predict", json={"age": 37})
    assert (failed.status_code, failed.json["message"]) == (400, "own 0.0.1 failed: ValueError: bad ? age")
    assert client.get(f"{API}/mlrequests/1").json["full_response"] == failed.json


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"algorithm_type": "clusterer"}, "type: input should be"),
        ({"algorithm_status": "ab_testing"}, "status: input should be"),
        ({"endpoint_name": "mlrequests"}, "is a list of the registry itself"),
        ({"algorithm_object": object()}, "no method compute_prediction"),
    ],
)
def test_an_algorithm_that_cannot_be_added_is_told_at_once(make_registry, changes, words):
    with pytest.raises(ConfigError) as told:
        make_registry({}, [added(1, **changes)])
    assert words in told.value.detail


def test_an_algorithm_is_added_once(make_registry):
    with pytest.raises(ConfigError, match=r"own 0\.0\.1 already"):
        make_registry({}, [added(1), added(2)])


def test_without_a_registry_nothing_can_be_added(client):
    with pytest.raises(ConfigError, match="there is no registry"):
        client.application.registry.add_algorithm(**added(1))


def test_an_algorithm_that_cannot_be_loaded_leaves_the_rest_working(make_registry, tmp_path, caplog):
    (tmp_path / "broken.pkl").write_bytes(b"no pickle")
    (tmp_path / "folder.pkl").mkdir()
    client = make_registry(
        {
            "iris": [
                algorithm("broken", "classifier", status="production"),
                algorithm("folder", "classifier", status="production"),
                algorithm("missing", "classifier", status="production"),
                algorithm("linear", "classifier", status="production"),
                algorithm("logistic", "classifier", status="production"),
            ]
        }
    )
    assert client.post(f"{API}/iris/predict", json=flower()).json["label"] == "setosa"
    problems = [row["problem"] for row in client.get(f"{API}/mlalgorithms").json]
    assert "broken.pkl" in problems[0]
    assert "folder.pkl cannot be read: Is a directory" in problems[1]
    assert "missing.pkl does not exist" in problems[2]
    assert "is a regressor, and not a classifier" in problems[3]
    assert problems[4] is None
    ready = client.get("/readyz")
    assert ready.status_code == 503
    for words in ("iris: missing 1.0 cannot be used", "missing.pkl does not exist"):
        assert words in ready.json["endpoints"]["api"]
        assert words in caplog.text
    joblib.dump(fitted()["stump"], tmp_path / "missing.pkl")
    assert client.post(f"{API}/iris/predict", json=flower()).json["probability"] == 1.0


def test_where_only_broken_ones_could_answer_the_reason_is_told(make_registry):
    client = make_registry({"iris": [algorithm("missing", "classifier", status="production")]})
    answer = client.post(f"{API}/iris/predict", json=flower())
    assert answer.status_code == 400
    assert "missing.pkl does not exist" in answer.json["message"]


def test_starting_again_adds_nothing_and_keeps_what_was_set(registered, tmp_path):
    registered.post(f"{API}/mlalgorithmstatuses", json={"status": "production", "parent_mlalgorithm": 2})
    names = ("endpoints", "mlalgorithms", "mlalgorithmstatuses")
    before = {name: registered.get(f"{API}/{name}").json for name in names}
    again = create_app(load_config(tmp_path / "config.yaml", {}), BriefRunner())
    assert {name: again.test_client().get(f"{API}/{name}").json for name in names} == before
    again.registry.database.close()


def test_an_algorithm_that_left_the_configuration_stays_and_tells_it(registered, tmp_path):
    registered.post(f"{API}/iris/predict", json=flower())
    text = (tmp_path / "config.yaml").read_text().replace("name: logistic", "name: another")
    (tmp_path / "config.yaml").write_text(text)
    again = create_app(load_config(tmp_path / "config.yaml", {}), BriefRunner())
    client = again.test_client()
    assert "neither in the configuration" in client.get(f"{API}/mlalgorithms/1").json["problem"]
    assert client.post(f"{API}/iris/predict", json=flower()).json["label"] == "setosa"
    assert client.get(f"{API}/mlrequests/2").json["parent_mlalgorithm"] == 5
    again.registry.database.close()


@pytest.fixture
def passengers(make_registry):
    client = make_registry(TITANIC, others={"titanic": titanic_endpoint()})
    wait_until_ready(client)
    return client


def versions(client):
    return [(row["version"], row["current_status"]) for row in client.get(f"{API}/mlalgorithms").json]


def train(client, class_):
    assert client.post(f"/titanic?_action=retrain&class={class_}").status_code == 200


def test_each_training_of_an_endpoint_is_a_version(passengers):
    assert versions(passengers) == [("1", "production")]
    expected = passengers.get("/titanic", query_string=ROW | {"_output": "proba"}).json[0]
    train(passengers, "DecisionTreeClassifier")
    assert versions(passengers) == [("1", "production"), ("1+1", "testing")]
    train(passengers, "GaussianNB")
    assert versions(passengers) == [("1", "production"), ("1+1", "testing"), ("1+2", "testing")]
    answers = [
        passengers.post(f"{API}/titanic/predict", query_string=query, json=ROW).json
        for query in ({}, {"status": "testing", "version": "1+1"}, {"status": "testing", "version": "1+2"})
    ]
    assert answers[0]["probability"] == pytest.approx(expected[str(answers[0]["label"])])
    assert len({answer["probability"] for answer in answers}) == 3
    runs = [row["run"] for row in passengers.get(f"{API}/mlalgorithms").json]
    assert passengers.put(f"/titanic?_model&run={runs[0]}").status_code == 200
    assert len(versions(passengers)) == 3


def test_trainings_that_nobody_looked_for_are_versions_too(passengers):
    versions(passengers)
    for class_ in ("DecisionTreeClassifier", "GaussianNB", "DummyClassifier"):
        train(passengers, class_)
    assert [version for version, _ in versions(passengers)] == ["1", "1+1", "1+2", "1+3"]
    runs = [row["run"] for row in passengers.get(f"{API}/mlalgorithms").json]
    assert [passengers.get(f"/runs/{run}").json["class"] for run in runs[1:]] == [
        "DecisionTreeClassifier", "GaussianNB", "DummyClassifier"
    ]  # fmt: skip


def test_rows_are_checked_as_the_endpoint_checks_them(passengers):
    row = {name: value for name, value in ROW.items() if name != "Sex"}
    answer = passengers.post(f"{API}/titanic/predict", json=row)
    refused = assert_problem(passengers.post("/titanic", json=row), 400)
    assert answer.json["message"] == refused["detail"]


def test_trainings_of_an_endpoint_are_compared(passengers):
    versions(passengers)
    train(passengers, "DummyClassifier")
    versions(passengers)
    made = passengers.post(f"{API}/abtests", json={"title": "t", "parent_mlalgorithm1": 1, "parent_mlalgorithm2": 2})
    assert made.status_code == 201
    train(passengers, "GaussianNB")
    labels = {passengers.post(f"{API}/titanic/predict?status=ab_testing", json=ROW).json["status"] for _ in range(20)}
    assert labels == {"OK"}
    assert {row["parent_mlalgorithm"] for row in passengers.get(f"{API}/mlrequests").json} == {1, 2}


def test_before_the_first_training_the_reason_is_told(make_registry):
    client = make_registry(TITANIC, others={"titanic": titanic_endpoint(data=None)})
    answer = client.post(f"{API}/titanic/predict", json=ROW)
    assert answer.status_code == 400
    assert "no trained model" in answer.json["message"]
    assert versions(client) == [("1", "production")]


def test_a_database_that_is_down_is_503_and_the_others_go_on(make_registry):
    client = make_registry(
        others={"titanic": titanic_endpoint()}, database="postgresql+psycopg://owner:secret@127.0.0.1:1/registry"
    )
    wait_until_ready(client, "/titanic?_model")
    answer = client.post(f"{API}/iris/predict", json=flower())
    assert (answer.status_code, answer.json["status"]) == (503, "Error")
    assert "server.database" in answer.json["message"]
    assert_problem(client.get(f"{API}/mlrequests"), 503, "server.database")
    assert_problem(client.get(f"{API}/mlrequests?_format=csv"), 503, "server.database")
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "server.database" in ready.json["endpoints"]["api"]
    assert "secret" not in json.dumps(ready.json) + answer.text
    assert client.get("/titanic", query_string=ROW).json == [0]


def test_a_model_of_another_shape_takes_effect_when_its_file_is_replaced(registered, tmp_path):
    rows, species = iris()
    model = fitted()["logistic"].__class__(max_iter=1000).fit(rows[["petal width (cm)"]], species)
    joblib.dump(model, tmp_path / "new.pkl")
    (tmp_path / "new.pkl").replace(tmp_path / "logistic.pkl")
    assert registered.post(f"{API}/iris/predict", json={"petal width (cm)": 0.2}).json["label"] == "setosa"
