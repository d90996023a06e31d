"""An experiment that is removed for good takes nothing of others with it."""

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from server.errors import NoSuchRun
from server.tracking.mlflow_store import MlflowStore
from tests.stores import fresh_store


@pytest.fixture
def store(tmp_path):
    fresh_store(tmp_path)
    return MlflowStore(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlruns", tmp_path / "lock")


@pytest.fixture
def client(store, tmp_path):
    return MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")


def with_run(store, name, tmp_path):
    """An experiment of this name with one run, which has a metric and an artifact."""
    experiment = store.ensure_experiment(name, {"restimator.endpoint": "any"})
    run = store.create_run(experiment, "first", {"a": "b"})
    store.log(run.id, {"p": "1"}, {"m": 1.0}, {})
    (tmp_path / "file.txt").write_text("kept")
    store.log_artifact(run.id, tmp_path / "file.txt", "folder")
    return experiment, run


def test_only_the_experiment_goes(store, client, tmp_path):
    victim, lost = with_run(store, "victim", tmp_path)
    marked, kept = with_run(store, "marked", tmp_path)
    active, deleted = with_run(store, "active", tmp_path)
    store.delete_experiment(marked)
    store.delete_run(deleted.id)
    store.delete_run(lost.id)
    logged = client.create_logged_model(active.id, name="of somebody else")
    client.delete_logged_model(logged.model_id)
    store.purge_experiment(victim)
    assert store.experiment("victim") is None
    with pytest.raises(NoSuchRun):
        store.run(lost.id)
    assert {run.id for run in (store.run(kept.id), store.run(deleted.id))} == {kept.id, deleted.id}
    client.restore_experiment(marked.id)
    assert [run.info.run_id for run in client.search_runs([marked.id])] == [kept.id]
    assert store.artifacts(kept.id, "folder") == store.artifacts(deleted.id, "folder") == ["folder/file.txt"]
    assert client._tracking_client.store._get_deleted_logged_models() == [logged.model_id]
    left = {path.name.rpartition("-")[0] for path in (tmp_path / "mlruns").iterdir()}
    assert left == {"marked", "active"}


def test_many_runs_go_and_a_removal_that_was_interrupted_is_finished(store, client, tmp_path, monkeypatch):
    victim, _ = with_run(store, "victim", tmp_path)
    for number in range(5):
        store.create_run(victim, f"run {number}", {})
    sql = type(client._tracking_client.store)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("server.tracking.purge.PAGE", 2)
    with monkeypatch.context() as dying:
        dying.setattr(sql, "_hard_delete_experiment", die)
        with pytest.raises(KeyboardInterrupt):
            store.purge_experiment(victim)
    assert store.experiment("victim").is_deleted
    store.purge_experiment(store.experiment("victim"))
    assert store.experiment("victim") is None
    assert not client.search_runs([victim.id], run_view_type=ViewType.ALL)
    assert not list((tmp_path / "mlruns").iterdir())
