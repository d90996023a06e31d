"""A training that another machine carries out, and that begins anew when that machine is lost."""

from dataclasses import replace

import pytest

from server.errors import TrainingFailed
from server.jobs import InlineRunner
from server.jobs.runner import always
from server.service import classifier_training
from server.service.classifier import DocumentClassifier
from server.service.experiment_book import ExperimentBook
from server.service.run_book import RunBook
from server.service.run_folder import active_runs
from server.service.run_log import open_run
from server.service.stores import open_store
from server.service.training import TrainingTask, train
from server.tracking import Status
from server.tracking.mlflow_store import REASON_TAG, MlflowStore
from tests.conftest import titanic_endpoint
from tests.waiting import until
from tests.web.classifying import PAYLOAD, classifier_entry, write_documents

pytestmark = pytest.mark.slow

NAME = PAYLOAD["experiment_name"]


def die(*_):
    """What a signal does to a process, as far as it can be seen from within."""
    raise KeyboardInterrupt


class Try:
    """A run that somebody waits for, and whose training may be tried more than once."""

    def __init__(self, config) -> None:
        self.config = config
        self.active = active_runs(config)
        self.book = InlineRunner().keep(RunBook, config)
        self.store = open_store(config, "titanic")

    def begin(self, key: str = "key") -> TrainingTask:
        with self.active.opened(key):
            run = open_run(self.book, key, "titanic", "LogisticRegression")
        return TrainingTask("titanic", self.config, key, run, folder=self.active.identity())

    def again(self, task: TrainingTask) -> dict:
        return train(task, self.book).result


@pytest.fixture
def tried(make_config):
    return Try(make_config({"url": {"titanic": titanic_endpoint()}}))


def test_a_run_that_was_published_is_answered_and_not_trained_again(tried):
    task = tried.begin()
    answer = tried.again(task)
    before = tried.store.model.signature()
    assert tried.again(task) == answer
    assert tried.store.model.signature() == before
    assert tried.book.run(task.run).status is Status.FINISHED


def test_a_run_whose_process_died_right_after_its_publication_is_finished(tried, monkeypatch):
    task = tried.begin()

    with monkeypatch.context() as dying:
        dying.setattr(RunBook, "end", die)
        with pytest.raises(KeyboardInterrupt):
            tried.again(task)
    before = tried.store.model.signature()
    # Whoever asked for it still works on it.
    with tried.active.opened("key"):
        assert tried.book.run(task.run).status is Status.RUNNING
        assert tried.again(task)["score"] > 0.75
    assert tried.store.model.signature() == before
    assert tried.book.run(task.run).status is Status.FINISHED


def test_a_run_that_was_recorded_but_not_published_is_trained_again(tried, monkeypatch):
    task = tried.begin()

    with monkeypatch.context() as dying:
        dying.setattr(type(tried.store), "publish", die)
        dying.setattr(RunBook, "end", die)
        with pytest.raises(KeyboardInterrupt):
            tried.again(task)
    assert tried.store.model.signature() is None
    assert tried.again(task)["score"] > 0.75
    assert tried.book.run(task.run).status is Status.FINISHED


def test_a_transformer_that_was_published_answers_what_it_learned(make_config):
    model = {"class": "PCA", "include": ["Age", "Fare"]}
    tried = Try(make_config({"url": {"titanic": titanic_endpoint(model=model)}}))
    task = tried.begin()
    answer = tried.again(task)
    assert answer.keys() >= {"components_", "singular_values_"}
    assert tried.again(task).keys() == answer.keys()


def test_a_machine_that_does_not_see_the_models_says_so_and_changes_nothing(tried):
    task = replace(tried.begin(), folder="another machine's")
    with pytest.raises(TrainingFailed, match=r"does not have the server's models_dir, .*/models; it must be the same"):
        tried.again(task)
    assert tried.store.model.signature() is None
    assert tried.active.exists("key")


def test_a_run_whose_client_dies_while_it_is_opened_ends_all_the_same(tried, monkeypatch):
    create = MlflowStore.create_run

    def look_after_it(store, *arguments):
        tried.book.settle("key")
        return create(store, *arguments)

    monkeypatch.setattr(MlflowStore, "create_run", look_after_it)
    with tried.active.opened("key"):
        pass
    run = tried.book.open("key", "titanic", "titanic", "LogisticRegression", {})
    assert tried.active.exists("key")
    tried.book.settle("key")
    assert tried.book.run(run).status is Status.FAILED


def test_a_run_that_was_given_up_fails_with_the_reason(tried):
    task = tried.begin()
    tried.active.give_up("key", "the cluster was lost")
    run = tried.book.run(task.run)
    assert (run.status, run.tags[REASON_TAG]) == (Status.FAILED, "the cluster was lost")


def test_documents_that_were_read_before_their_machine_was_lost_are_read_again(make_config, tmp_path, monkeypatch):
    write_documents(tmp_path)
    config = make_config({"url": {"custom": classifier_entry()}})
    book = InlineRunner().keep(ExperimentBook, config)
    before: list[Status] = []

    class Losing(InlineRunner):
        """Runs a job again whose first process was lost between reading and learning."""

        def run(self, function, *arguments, wanted=always):
            def be_lost(*_):
                before.extend(run.status for run in book.experiment_runs("custom", NAME, 2))
                losing.setattr(RunBook, "end", die)
                raise KeyboardInterrupt

            with monkeypatch.context() as losing:
                losing.setattr(classifier_training, "_train", be_lost)
                with pytest.raises(KeyboardInterrupt):
                    function(*arguments)
            return super().run(function, *arguments)

    run = DocumentClassifier("custom", config, Losing(), book).process(PAYLOAD)
    until(lambda: book.run(run.id).has_ended)
    assert before == [Status.RUNNING, Status.FINISHED]
    assert [one.status for one in book.experiment_runs("custom", NAME, 2)] == [Status.FINISHED, Status.FINISHED]
    assert book.run(run.id).metrics["number_documents_treated"] == 3 * 14
