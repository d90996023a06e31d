"""Two servers with one store of runs in PostgreSQL and one models_dir see each other's runs and models."""

import time
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from tests.conftest import ROW, titanic_endpoint, write_config
from tests.live.conftest import LiveServer
from tests.waiting import run_once

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(params=["postgresql+psycopg", "postgresql"])
def servers(request, postgres, tmp_path):
    """Two servers; both drivers' spellings of the URL will do."""
    uri = postgres.url().replace("postgresql+psycopg", request.param)
    folders = [tmp_path / name for name in ("one", "other")]
    found = []
    for folder in folders:
        folder.mkdir()
        settings = {"tracking_uri": uri, "models_dir": str(tmp_path / "models")}
        config = write_config(folder, {"url": {"titanic": titanic_endpoint()}, "server": settings})
        found.append(LiveServer(config, folder / "server.log"))
    try:
        for server in found:
            server.start()
        yield found, postgres.url()
    finally:
        for server in found:
            server.end()


def runs(server) -> list[dict]:
    return requests.get(f"{server.url}/titanic?_runs", timeout=60).json()["runs"]


def test_they_see_each_others_runs_and_models(servers):
    (one, other), uri = servers
    answer = requests.post(f"{one.url}/titanic?_action=retrain&class=GaussianNB", timeout=60)
    assert answer.status_code == 200, answer.text
    deadline = time.monotonic() + 60
    # The score on rows held out follows the answer where a fit is slow.
    while not all("held_out_score" in run["metrics"] for run in runs(one)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [run["class"] for run in runs(other)[:2]] == ["GaussianNB", "LogisticRegression"]
    assert runs(one) == runs(other)
    assert runs(other)[0]["serving"]
    first = runs(other)[-1]["run_id"]
    promoted = requests.put(f"{other.url}/titanic?_model&run={first}", timeout=60)
    assert promoted.status_code == 200, promoted.text
    assert "coef_" in requests.get(f"{one.url}/titanic?_params", timeout=60).json()["attrs"]
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("titanic")
    found = {run.info.run_id: run.info.status for run in client.search_runs([experiment.experiment_id])}
    assert {run["run_id"] for run in runs(one)} <= set(found)
    assert set(found.values()) == {"FINISHED"}


def test_one_cancels_what_the_other_trains(servers):
    (one, other), _ = servers
    long = {"_action": "retrain", "class": "RandomForestClassifier", "n_estimators": 5000}
    begun = requests.post(f"{one.url}/titanic", params=long, headers={"Prefer": "respond-async"}, timeout=60)
    location = begun.headers["Location"]
    run_once(other.url + location, "RUNNING")
    cancelled = requests.delete(other.url + location, timeout=60)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "KILLED")
    assert requests.get(one.url + location, timeout=60).json()["status"] == "KILLED"
    assert requests.get(f"{one.url}/titanic", params=ROW, timeout=60).json() in ([0], [1])
    assert requests.delete(one.url + location, timeout=60).status_code == 409


def test_a_store_that_is_gone_refuses_trainings_and_nothing_else(make_live):
    server = make_live({"titanic": titanic_endpoint()})
    path = Path(server.config).parent / "models" / "mlflow.db"
    server.stop()
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    server.start()
    refused = requests.post(f"{server.url}/titanic?_action=retrain", timeout=60)
    assert refused.status_code == 503, refused.text
    assert "server.tracking_uri" in refused.json()["detail"]
    assert requests.get(f"{server.url}/titanic", params=ROW, timeout=60).json() in ([0], [1])
    path.rmdir()
    path.with_suffix(".away").rename(path)
    assert requests.post(f"{server.url}/titanic?_action=retrain", timeout=60).status_code == 200
