"""What this release cannot do is said; it is never left out silently."""

import pytest

from tests.conftest import titanic_endpoint


@pytest.mark.parametrize("kwargs", [{"model": {"class": "NER"}}, {"backend": "transformers", "task": "ner"}])
def test_a_text_model_is_not_ready_and_leaves_the_others_alone(make_client, kwargs):
    text = {"pattern": "/ner", "handler": "MLHandler", "kwargs": kwargs}
    client = make_client({"ner": text, "titanic": titanic_endpoint()}, wait=False)
    answer = client.get("/ner?text=hello")
    assert (answer.status_code, "NER" in answer.get_json()["detail"]) == (503, True)
    assert client.get("/ner").status_code == 200
    assert client.get("/titanic?_params").status_code == 200
