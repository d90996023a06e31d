"""Behind gunicorn: clients that were written for other servers."""

import importlib
import json
import warnings

import numpy as np
import pandas as pd
import pytest
import requests
from tritonclient.http import InferenceServerClient, InferenceServerException, InferInput, InferRequestedOutput

from server.config import hash_of
from tests.conftest import titanic_endpoint

pytestmark = [pytest.mark.live, pytest.mark.slow]
KEY = {"name": "app", "hash": hash_of("secret"), "scopes": ["predict", "read"]}
TEXTS = ("Sex", "Embarked")


@pytest.fixture(scope="module")
def triton(reading):
    with InferenceServerClient(reading.url.removeprefix("http://")) as client:
        yield client


@pytest.fixture(scope="module")
def scoring(reading):
    """MLflow's own client, whose import warns of MLflow's own types."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = importlib.import_module("mlflow.pyfunc.scoring_server.client")
    return client.ScoringServerClient(*reading.url.removeprefix("http://").split(":"))


def rows(titanic, count=60):
    return titanic.head(count)[["Sex", "Age", "SibSp", "Parch", "Fare", "Pclass", "Embarked"]]


def inputs(table, binary):
    """Missing ages are NaN, missing ports are empty."""
    made = []
    for name in table:
        datatype = "BYTES" if name in TEXTS else "FP64" if table[name].dtype == float else "INT64"
        cells = table[name].fillna("").to_numpy(dtype=object) if datatype == "BYTES" else table[name].to_numpy()
        tensor = InferInput(name, list(cells.shape), datatype)
        tensor.set_data_from_numpy(cells, binary_data=binary)
        made.append(tensor)
    return made


def own(reading, table, output="values"):
    return requests.post(
        f"{reading.url}/titanic?_output={output}",
        json=json.loads(table.to_json(orient="records")),
        timeout=60,
    ).json()


def test_triton_knows_the_server_and_its_models(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert triton.is_model_ready("titanic")
    metadata = triton.get_model_metadata("titanic")
    assert triton.is_model_ready("titanic", metadata["versions"][0])
    assert not triton.is_model_ready("titanic", "1")
    assert {entry["name"] for entry in metadata["inputs"]} > {"Age", "Sex"}


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("count", [1, 60])
def test_triton_gets_what_the_endpoints_own_url_answers(reading, triton, titanic, binary, count):
    table = rows(titanic, count)
    wanted = [InferRequestedOutput(name, binary_data=binary) for name in ("predict", "predict_proba")]
    found = triton.infer("titanic", inputs(table, binary), request_id="7", outputs=wanted)
    assert found.get_response()["id"] == "7"
    assert found.as_numpy("predict").tolist() == own(reading, table)
    probabilities = [list(row.values()) for row in own(reading, table, "proba")]
    assert found.as_numpy("predict_proba").tolist() == probabilities
    usual = triton.infer("titanic", inputs(table, binary), request_compression_algorithm="gzip")
    assert usual.as_numpy("predict").tolist() == own(reading, table)


def test_triton_understands_errors(triton, titanic):
    with pytest.raises(InferenceServerException, match="did you mean 'titanic'"):
        triton.get_model_metadata("titanc")
    with pytest.raises(InferenceServerException, match="1 column is missing: 'Embarked'"):
        triton.infer("titanic", inputs(rows(titanic)[["Sex", "Age", "SibSp", "Parch", "Fare", "Pclass"]], True))


def test_triton_sends_a_key(make_live, titanic):
    live = make_live({"titanic": titanic_endpoint()}, keys=[KEY])
    with InferenceServerClient(live.url.removeprefix("http://")) as client:
        assert client.is_server_ready()
        with pytest.raises(InferenceServerException, match="asks for a key"):
            client.infer("titanic", inputs(rows(titanic), True))
        found = client.infer("titanic", inputs(rows(titanic), True), headers={"X-API-Key": "secret"})
        assert set(found.as_numpy("predict").tolist()) == {0, 1}


def test_mlflows_client_gets_what_the_endpoints_own_url_answers(reading, scoring, titanic):
    scoring.ping()
    assert scoring.get_version()
    table = rows(titanic)
    table = table.assign(Embarked=table["Embarked"].astype(object).where(table["Embarked"].notna(), None))
    assert scoring.invoke(table)["predictions"] == own(reading, table)
    found = pd.DataFrame(scoring.invoke(table, params={"output": "proba"})["predictions"])
    assert np.array_equal(found, pd.DataFrame(own(reading, table, "proba")))
    with pytest.raises(Exception, match="'temperature' is not understood"):
        scoring.invoke(table, params={"temperature": 1})
