"""A text model whose weights are not on this machine says so, and leaves the other endpoints alone."""

import pytest

from tests.conftest import titanic_endpoint

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
