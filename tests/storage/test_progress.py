"""How far a training is, as others read it."""

import pytest

from server.errors import StorageFull
from server.storage.endpoint_store import EndpointStore

UNTOLD = {"run": None, "step": None, "of": None, "loss": None}


def test_nothing_is_told_while_no_training_runs(tmp_path):
    store = EndpointStore(tmp_path)
    assert store.progress() is None
    store.save_progress("dead", {"step": 1, "of": 2, "loss": 0.5})
    assert store.progress() is None


def test_a_training_that_tells_no_steps_is_known_to_run(tmp_path):
    store = EndpointStore(tmp_path)
    with store.training.held():
        assert EndpointStore(tmp_path).progress() == UNTOLD
        store.save_progress("sklearn", {})
        assert EndpointStore(tmp_path).progress() == UNTOLD | {"run": "sklearn"}
    assert store.progress() is None


def test_the_newest_is_told_and_not_what_a_killed_training_left(tmp_path):
    store = EndpointStore(tmp_path)
    store.save_progress("killed", {"step": 9, "of": 9, "loss": 0.1})
    with store.training.held():
        store.save_progress("new", {})
        assert store.progress() == UNTOLD | {"run": "new"}
        store.save_progress("new", {"step": 1, "of": 4, "loss": 1.5})
        assert store.progress() == {"run": "new", "step": 1, "of": 4, "loss": 1.5}


def test_a_training_whose_model_serves_is_over_for_who_looks(tmp_path):
    store, other = EndpointStore(tmp_path), EndpointStore(tmp_path)
    assert not other.is_training()
    for _ in range(2):
        with store.training.held():
            store.begin_training()
            assert other.is_training()
            store.end_training()
            assert not other.is_training()
    assert not other.is_training()


def test_without_room_a_report_says_so(tmp_path, monkeypatch):
    def full(self, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(StorageFull):
        EndpointStore(tmp_path).save_progress("r", {"step": 1, "of": 2, "loss": 0.5})
