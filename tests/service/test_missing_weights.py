"""A text model whose weights are not on this machine says so, and leaves the other endpoints alone."""

import pytest

from tests.conftest import titanic_endpoint

pytestmark = pytest.mark.slow

GONE = "$YAMLPATH/no/such/folder"


@pytest.mark.parametrize(
    "kwargs",
    [
        {"model": {"class": "NER", "params": {"model": GONE}}},
        {"backend": "transformers", "task": "ner", "model": {"params": {"model": GONE}}},
    ],
)
def test_a_text_model_without_weights_is_not_ready_and_leaves_the_others_alone(make_client, kwargs):
    text = {"pattern": "/ner", "handler": "MLHandler", "kwargs": kwargs}
    client = make_client({"ner": text, "titanic": titanic_endpoint()}, wait=False)
    answer = client.get("/ner?text=hello")
    assert (answer.status_code, "such/folder" in answer.get_json()["detail"]) == (503, True)
    assert client.get("/ner").status_code == 200
    assert client.get("/titanic?_params").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, "such/folder" in ready.get_json()["endpoints"]["ner"]) == (503, True)


def test_weights_that_are_not_here_fail_a_training_at_once_and_the_check(make_client, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = {"class": "SentimentAnalysis", "params": {"model": "nobody/nothing-of-this-name"}}
    client = make_client({"text": {"pattern": "/text", "handler": "MLHandler", "kwargs": {"model": model}}}, wait=False)
    answer = client.post("/text?_action=train", json=[{"text": "good", "label": 1}, {"text": "bad", "label": 0}])
    assert (answer.status_code, answer.get_json()["title"]) == (503, "Not ready")
    assert client.get("/text?_model").status_code == 503
    endpoint = client.application.extensions["restimator"].endpoints["text"]
    assert "nobody/nothing-of-this-name" in endpoint.readiness.defect()


@pytest.mark.parametrize("value", [True, "true"])
def test_a_truth_value_is_no_training_argument(make_client, value):
    model = {"class": "NER", "params": {"model": GONE}}
    client = make_client({"ner": {"pattern": "/ner", "handler": "MLHandler", "kwargs": {"model": model}}}, wait=False)
    assert client.put("/ner", json={"num_train_epochs": value}).status_code == 400
