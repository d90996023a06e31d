"""What params.model names: here, on its way, or not to be had, and nobody waits for it but a training."""

import shutil
import threading

import pytest
from huggingface_hub import constants

from server.errors import ModelUnreadable
from server.estimators import pretrained
from server.estimators.pretrained import DEFAULTS, REVISIONS, Pretrained


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No hub, and an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


def refusal(weights):
    """What asking for the folder fails with."""
    with pytest.raises(ModelUnreadable) as caught:
        weights.folder()
    return caught.value


def wait(weights):
    """Wait for the fetch that is under way."""
    for thread in threading.enumerate():
        if thread.name == f"fetch {weights.name}":
            thread.join(30)


def fetches():
    return [thread for thread in threading.enumerate() if thread.name.startswith("fetch ")]


def test_an_absolute_path_is_a_folder(model, offline):
    weights = Pretrained(str(model))
    assert weights.folder().path == weights.need().path == model
    weights.fetch_soon()
    assert fetches() == []


def test_the_signature_of_a_folder_follows_its_files(model):
    weights = Pretrained(str(model))
    before = weights.signature()
    assert before == weights.signature()
    shutil.copy(model / "model.safetensors", model / "new")
    (model / "new").replace(model / "model.safetensors")
    assert weights.signature() not in (None, before)
    shutil.rmtree(model)
    assert weights.signature() is None


def test_a_folder_that_is_missing_is_named(tmp_path):
    weights = Pretrained(str(tmp_path / "texts" / "nowhere"))
    assert refusal(weights).detail == "texts/nowhere is not there"
    with pytest.raises(ModelUnreadable, match="texts/nowhere is not there"):
        weights.need()


def test_a_name_that_is_neither_folder_nor_model_is_named(offline):
    words = "'models/a/b' is neither the absolute path of a folder nor a name of the hub (org/name)"
    assert refusal(Pretrained("models/a/b")).detail == words
    assert Pretrained("../..").signature() is None


def test_the_defaults_are_pinned_as_transformers_pins_them():
    transformers = pytest.importorskip("transformers")
    tasks = {"SentimentAnalysis": "text-classification", "NER": "token-classification"}
    for name, task in tasks.items():
        assert transformers.pipelines.SUPPORTED_TASKS[task]["default"]["model"] == DEFAULTS[name]
        hub_name, revision = DEFAULTS[name]
        assert (Pretrained(hub_name).revision, REVISIONS[hub_name]) == (revision, revision)


def test_a_model_that_nobody_fetched_yet_is_to_come(offline):
    weights = Pretrained("org/tiny")
    assert weights.signature() is None
    found = refusal(weights)
    assert found.detail == "'org/tiny' is no folder, and is yet to be fetched from the hub; ask again soon"
    assert (found.status, found.retry_after) == (503, 5)


def test_a_failed_fetch_is_remembered_with_its_remedy(offline):
    weights = Pretrained("org/tiny")
    weights.fetch_soon()
    wait(weights)
    assert refusal(weights).detail == (
        "the model is not on this machine: 'org/tiny' cannot be fetched from the hub: HF_HUB_OFFLINE is set; "
        "on a machine with a connection run `flask --app wsgi text fetch org/tiny DIR`, copy DIR here "
        "and set params.model to it"
    )


def test_a_model_is_fetched_in_the_background(hub):
    weights = Pretrained("org/tiny")
    hub.held.clear()
    weights.fetch_soon()
    found = refusal(weights)
    assert found.detail == "'org/tiny' is no folder, and is being fetched from the hub; ask again soon"
    assert found.retry_after == 5
    assert weights.signature() is None
    hub.held.set()
    wait(weights)
    assert weights.folder().labels == ("NEGATIVE", "POSITIVE")
    assert weights.signature() is not None
    assert weights.signature() == Pretrained("org/tiny").signature()


def test_one_fetch_at_a_time(hub):
    weights = Pretrained("org/tiny")
    hub.held.clear()
    callers = [threading.Thread(target=weights.fetch_soon) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(fetches()) == 1
    hub.held.set()
    wait(weights)
    weights.fetch_soon()
    assert fetches() == []
    assert len([path for path in hub.asked if path == "GET api/models/org/tiny"]) == 1


def test_a_failed_fetch_is_not_repeated_at_once(hub, monkeypatch):
    del hub.repositories["org/tiny"]
    weights = Pretrained("org/tiny")
    for _ in range(3):
        weights.fetch_soon()
        wait(weights)
    assert hub.asked == ["GET api/models/org/tiny"]
    monkeypatch.setattr(pretrained, "PAUSE", 0)
    weights.fetch_soon()
    wait(weights)
    assert len(hub.asked) == 2


def test_a_model_that_comes_after_a_failure_is_served(hub, monkeypatch, model):
    monkeypatch.setattr(pretrained, "PAUSE", 0)
    del hub.repositories["org/tiny"]
    weights = Pretrained("org/tiny")
    weights.fetch_soon()
    wait(weights)
    assert "there is no such model" in refusal(weights).detail
    hub.repositories["org/tiny"] = model
    weights.fetch_soon()
    wait(weights)
    assert weights.folder().model_type == "bert"


def test_a_training_waits_for_its_model(hub):
    assert Pretrained("org/tiny").need().model_type == "bert"
    asked = len(hub.asked)
    assert Pretrained("org/tiny").need().model_type == "bert"
    assert len(hub.asked) == asked


def test_a_training_says_why_there_is_no_model(offline):
    with pytest.raises(ModelUnreadable, match="'org/tiny' cannot be fetched from the hub: HF_HUB_OFFLINE is set"):
        Pretrained("org/tiny").need()


def test_a_model_that_leaves_the_cache_is_gone(hub, tmp_path):
    weights = Pretrained("org/tiny")
    weights.need()
    assert weights.signature() is not None
    shutil.rmtree(tmp_path / "cache")
    assert weights.signature() is None
