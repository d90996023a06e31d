"""A model, its transform and its raw columns belong together, whatever the configuration says later."""

import pandas as pd
import pytest

from tests.conftest import wait_until_ready
from tests.waiting import until

pytestmark = pytest.mark.slow

TEXT = "data.assign(X1=np.exp(-data.X1 ** 2), X2=np.exp(-data.X2 ** 2))"


def circles(transform=None, **kwargs):
    data = {"url": "data/circles.csv"} | ({"transform": transform} if transform else {})
    model = {"class": "LogisticRegression", "target_col": "y"}
    return {
        "circles": {"pattern": "/circles", "handler": "MLHandler", "kwargs": {"data": data, "model": model} | kwargs}
    }


@pytest.fixture
def endpoint_of(make_client):
    def endpoint_of(entries):
        return make_client(entries).application.extensions["restimator"].endpoints["circles"]

    return endpoint_of


def test_the_serving_model_remembers_the_raw_columns(endpoint_of):
    endpoint = endpoint_of(circles("data.assign(radius=np.hypot(data.X1, data.X2))[['radius', 'y']]"))
    served = endpoint.served()
    assert served.schema.names == ["radius"]
    assert [column.name for column in served.inputs] == ["X1", "X2"]
    assert endpoint.text_columns() == []


def test_the_answer_of_a_training_is_the_score_on_the_stored_rows(endpoint_of):
    endpoint = endpoint_of(circles(TEXT))
    assert endpoint.train(None, {}) == endpoint.score(None, None, None)


def test_the_rows_given_are_left_as_they_are(endpoint_of, tmp_path):
    (tmp_path / "mymodule.py").write_text("def change(data):\n    data['X1'] = 0\n    data.pop('X2')\n")
    endpoint = endpoint_of(circles("mymodule.change"))
    rows = endpoint.stored_rows()
    kept = rows.copy()
    endpoint.predict(rows)
    endpoint.score(rows, None, None)
    pd.testing.assert_frame_equal(rows, kept)


def test_a_changed_transform_retrains_at_start_where_that_is_wished(make_client):
    before = make_client(circles()).post("/circles?_action=score").json["score"]
    client = make_client(circles(TEXT, retrain_on_change=True))
    until(lambda: not client.get("/circles?_params").json["stale"])
    assert client.post("/circles?_action=score").json["score"] > before + 0.3


def test_a_file_that_is_back_makes_the_endpoint_ready_again(make_client, tmp_path):
    path = tmp_path / "mymodule.py"
    path.write_text("def transform(data):\n    return data\n")
    client = make_client(circles("mymodule.transform"))
    path.write_text("def transform(data:\n")
    assert client.get("/readyz").status_code == 503
    path.write_text("def transform(data):\n    return data\n")
    wait_until_ready(client)
