"""What this release cannot do is said; it is never left out silently."""

import pytest

from tests.conftest import ROW, titanic_endpoint


def test_a_transform_is_never_left_out_even_with_a_trained_model(make_client):
    trained = make_client({"titanic": titanic_endpoint()})
    assert trained.get("/titanic", query_string=ROW).get_json() == [0]
    data = {"url": "$YAMLPATH/data/titanic.csv", "transform": "mymodule.transform"}
    client = make_client({"titanic": titanic_endpoint(data=data)}, wait=False)
    answer = client.get("/titanic", query_string=ROW)
    assert (answer.status_code, "transform" in answer.get_json()["detail"]) == (503, True)
    assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize("kwargs", [{"model": {"class": "NER"}}, {"backend": "transformers", "task": "ner"}])
def test_a_text_model_is_not_ready_and_leaves_the_others_alone(make_client, kwargs):
    text = {"pattern": "/ner", "handler": "MLHandler", "kwargs": kwargs}
    client = make_client({"ner": text, "titanic": titanic_endpoint()}, wait=False)
    answer = client.get("/ner?text=hello")
    assert (answer.status_code, "NER" in answer.get_json()["detail"]) == (503, True)
    assert client.get("/ner").status_code == 200
    assert client.get("/titanic?_params").status_code == 200
