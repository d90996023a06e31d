"""server.trust_models: what this server wrote serves, and a file of somebody else is never unpickled."""

import os

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from server.cli import effective_yaml
from server.errors import ConfigError
from tests.conftest import ROW, titanic_endpoint, wait_until_ready
from tests.registering import API, flower, registry, write_models
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow
URL = "/titanic"
SECRET = "a secret of this server"
REASON = "server.trust_models: digest"


class Marker:
    """Leaves a folder where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def trusting(make_client):
    return lambda url=None, **server: make_client(
        url or {"titanic": titanic_endpoint()}, wait=url is None, trust_models="digest", **server
    )


@pytest.mark.parametrize("server", [{}, {"model_secret": SECRET}])
def test_own_models_serve_and_a_file_that_somebody_put_there_is_503_and_not_unpickled(trusting, tmp_path, server):
    client = trusting(**server)
    before = client.get(URL, query_string=ROW).json
    file = tmp_path / "models" / "titanic" / "model.pkl"
    own = file.read_bytes()
    joblib.dump(Marker(tmp_path / "unpickled"), file)
    answer = client.get(URL, query_string=ROW)
    assert_problem(answer, 503, "titanic/model.pkl", REASON)
    assert_problem(client.post(URL, json=ROW), 503, REASON)
    assert REASON in client.get("/readyz").json["endpoints"]["titanic"]
    # Also with the facts and the digest of a model behind it.
    file.write_bytes(file.read_bytes() + own[-2000:])
    assert_problem(client.get(URL, query_string=ROW), 503, "digest does not match")
    assert not (tmp_path / "unpickled").exists()
    file.write_bytes(own)
    assert client.get(URL, query_string=ROW).json == before
    assert client.post(f"{URL}?_action=retrain").status_code == 200


def test_a_training_takes_the_place_of_a_file_that_is_refused(trusting, tmp_path):
    client = trusting()
    joblib.dump(LogisticRegression(), tmp_path / "models" / "titanic" / "model.pkl")
    assert client.get(URL, query_string=ROW).status_code == 503
    assert client.post(f"{URL}?_action=retrain").status_code == 200
    assert client.get(URL, query_string=ROW).status_code == 200


def test_an_earlier_run_serves_again(trusting):
    client = trusting(model_secret=SECRET)
    run = client.get("/runs").json["runs"][0]["run_id"]
    client.post(f"{URL}?_action=retrain&C=2.0")
    assert client.put(f"{URL}?_model&run={run}").status_code == 200
    assert client.get(URL, query_string=ROW).status_code == 200


def test_pickles_of_the_registry_and_vectorizers_are_refused_too(trusting, tmp_path):
    write_models(tmp_path)
    text = {"path": "logistic.pkl", "vectorizer": "linear.pkl"}
    url = {"api": registry(), "texts": {"pattern": "/texts", "handler": "TextHandler", "kwargs": {"model": text}}}
    client = trusting(url)
    answer = client.post(f"{API}/iris/predict", json=flower())
    assert answer.status_code >= 400
    assert REASON in answer.json["message"]
    assert_problem(client.get("/texts?query=x"), 503, REASON)
    client.application.registry.database.close()


def test_a_damaged_file_is_told_whatever_is_trusted(client, tmp_path):
    file = tmp_path / "models" / "titanic" / "model.pkl"
    content = bytearray(file.read_bytes())
    content[500] ^= 1
    file.write_bytes(content)
    assert_problem(client.get(URL, query_string=ROW), 503, "titanic/model.pkl", "digest does not match")


def test_a_model_is_signed_anew_by_the_next_training_after_a_secret_was_set(make_client, make_config, tmp_path):
    make_client({"titanic": titanic_endpoint()})
    client = make_client({"titanic": titanic_endpoint()}, wait=False, trust_models="digest", model_secret=SECRET)
    assert_problem(client.get(URL, query_string=ROW), 503, "server.model_secret")
    assert client.post(f"{URL}?_action=retrain").status_code == 200
    wait_until_ready(client)


def test_the_secret_is_never_shown(make_config):
    url = {"titanic": titanic_endpoint()}
    environment = {"RESTIMATOR_SERVER__MODEL_SECRET": SECRET}
    config = make_config({"url": url}, environment)
    assert config.server.model_secret.get_secret_value() == SECRET
    assert SECRET not in effective_yaml(config) + repr(config)
    with pytest.raises(ConfigError, match=r"server\.model_secret: a secret has 16 characters") as refused:
        make_config({"url": url}, {"RESTIMATOR_SERVER__MODEL_SECRET": "tooshort"})
    assert "tooshort" not in str(refused.value)
