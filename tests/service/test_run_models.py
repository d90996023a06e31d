"""Models of runs stay in memory while they are asked for, and never more than a few."""

import threading
from types import SimpleNamespace

import joblib
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from server.errors import ModelUnreadable, NoSuchRun
from server.service.run_models import RunModels
from server.storage.trust import ANY
from server.tracking import Run, Status


def run(name: str, **params: str) -> Run:
    numbers = {"label2id": "{'cv': 0, 'non-cv': 1}"} | params
    return Run(name, name, "1", Status.FINISHED, 0, 1, "active", "", "nobody", params=numbers)


@pytest.fixture
def shelf(tmp_path):
    """A shelf of models, called book; it counts what is read, and waits while `held` is cleared."""
    model = make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(["a degree", "a recipe"], ["cv", "non-cv"])
    joblib.dump(model, tmp_path / "model.pkl")
    read: list[str] = []
    held = threading.Event()
    held.set()

    def model_path(run, folder):
        read.append(run.id)
        assert held.wait(20)
        if run.id == "gone":
            raise NoSuchRun("it holds no model")
        return tmp_path / "model.pkl"

    return SimpleNamespace(model_path=model_path, read=read, held=held)


@pytest.fixture
def models(shelf, tmp_path):
    return RunModels(shelf, tmp_path / "cache", ANY, most=2)


def test_a_model_is_read_once(models, shelf):
    assert models.model(run("a")) is models.model(run("a"))
    assert models.model(run("a")).numbers == {"cv": 0, "non-cv": 1}
    assert shelf.read == ["a"]


def test_those_asked_last_are_kept_and_no_more(models, shelf):
    for name in ("a", "b", "a", "c"):
        models.model(run(name))
        assert len(models) <= 2
    models.model(run("a"))
    assert shelf.read == ["a", "b", "c"]
    models.model(run("b"))
    assert shelf.read == ["a", "b", "c", "b"]


def test_what_cannot_be_read_is_told_and_not_kept(models):
    with pytest.raises(NoSuchRun):
        models.model(run("gone"))
    for text in ("", "{'cv': 0", "[1]", "1"):
        with pytest.raises(ModelUnreadable, match="does not tell the numbers"):
            models.model(run("odd", label2id=text))
    assert len(models) == 0


def test_a_model_in_memory_does_not_wait_for_one_that_is_read(models, shelf):
    models.model(run("a"))
    shelf.held.clear()
    threads = [threading.Thread(target=models.model, args=(run("b"),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    models.model(run("a"))
    shelf.held.set()
    for thread in threads:
        thread.join()
    assert shelf.read == ["a", "b"]
