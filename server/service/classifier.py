"""A classifier of documents: experiments that users name, each with trainings on folders of documents."""

import logging
import os
import threading
import uuid
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.config import Config
from server.documents import Dataset, datasets, documents_folder, label_folders
from server.errors import BadRequest, NoSuchRun, NotReady, RunConflict, ServerError, TooLarge
from server.jobs import Runner
from server.service import document_model
from server.service.capacity import admitted
from server.service.classifier_fields import Process, check_known, text_field
from server.service.classifier_training import ClassifierTask, Part, train_classifier
from server.service.experiment_book import CALL, ExperimentBook
from server.service.run_book import ENDPOINT
from server.service.run_folder import active_runs, kept_models, shared_folder
from server.service.run_models import RunModels
from server.service.stores import open_store, trust_of
from server.tracking import Run, Status

logger = logging.getLogger(__name__)
READING, TRAINING = "dataset_info", "training_classifier"
KIND = "restimator.kind"
# What MLflow keeps of a parameter; it cuts off the rest.
LONGEST_PARAM = 6000


class DocumentClassifier:
    """The use cases of one ClassifierHandler endpoint; safe to call from many threads and processes."""

    def __init__(self, name: str, config: Config, runner: Runner, book: ExperimentBook) -> None:
        self.name = name
        self.entry = config.classifiers[name]
        self._config = config
        self._runner = runner
        self._book = book
        self._active = active_runs(config)
        self._store = open_store(config, name)
        self._weights = document_model.weights(self.entry.kwargs.model)
        self._models = RunModels(book, kept_models(config), trust_of(config))

    def process(self, given: Mapping[str, Any]) -> Run:
        """Begin to read the documents of a folder and to learn their labels; the run of the training.

        Raises:
            BadRequest: a field is wrong, or the folder does not hold what it should; nothing is begun.
            RunConflict: the name of the experiment cannot be had.
            NotReady: the pretrained weights are not on this machine, or the store of runs cannot be reached.
        TooMany: as many trainings wait as may.
        """
        kwargs = self.entry.kwargs
        asked = Process.of(given, bool(kwargs.validation))
        if asked.experiment in self._config.url or asked.experiment == "Default":
            raise RunConflict(f"the experiment {asked.experiment!r} belongs to the server; choose another name")
        folder = documents_folder(Path(str(kwargs.documents)), asked.path)
        files = label_folders(folder, asked.labels, kwargs.min_size_label)
        named = len(_label2id(files))
        if named > LONGEST_PARAM:
            raise BadRequest(f"the labels take {named:,} characters in all; a run keeps {LONGEST_PARAM:,}")
        if self._weights is not None:
            # What would only fail for want of them is not begun.
            self._weights.fetch_soon()
            self._weights.folder()
        return self._begin(asked, folder, files)

    def predict(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The label of a text by the model of a run, the label's number, and its probability.

        Raises:
            BadRequest: a field is wrong.
            NoSuchRun, RunConflict: there is no such run, or it has no model (yet).
            TooLarge: the text is longer than a document may be.
            ModelUnreadable: the model cannot be read here.
        """
        check_known(given, ("runid", "text"))
        run_id, text = text_field(given, "runid"), text_field(given, "text")
        most = self.entry.kwargs.limits.characters
        if len(text) > most:
            raise TooLarge(f"the text has {len(text):,} characters; {most:,} can be classified (limits.characters)")
        run = self._book.run(run_id)
        if run.tags.get(ENDPOINT) != self.name or run.tags.get(KIND) != TRAINING:
            raise NoSuchRun(f"run {run_id} is no training of {self.name}")
        if run.status is not Status.FINISHED:
            raise RunConflict(f"run {run_id} is {run.status}; only the model of a finished one can predict")
        model = self._models.model(run)
        label, score = document_model.classified(model.estimator, text)
        return {"label": label, "prediction": model.numbers[label], "score": score}

    def last_runs(self, experiment: str, limit: int = 3) -> list[Run]:
        """The latest runs of an experiment, newest first.

        Raises:
            NoSuchRun: there is no such experiment, or it was deleted.
        """
        return self._book.experiment_runs(self.name, experiment, limit)

    def latest_runs(self, limit: int) -> list[tuple[str, Run]]:
        """The latest run of each experiment, with the experiment's name; newest first."""
        return self._book.latest_runs(self.name, limit)

    def datasets(self) -> list[Dataset]:
        """What there is to learn from."""
        return datasets(Path(str(self.entry.kwargs.documents)))

    def delete_run(self, run_id: str) -> None:
        """Mark a run as deleted.

        Raises:
            NoSuchRun, RunConflict: it cannot be; the word says why.
        """
        self._book.delete_run(self.name, run_id)

    def delete_experiment(self, experiment: str, for_good: bool = False) -> None:
        """Mark an experiment as deleted, or remove it and all that it holds.

        Raises:
            NoSuchRun, RunConflict: it cannot be; the word says why.
        """
        self._book.delete_experiment(self.name, experiment, for_good)

    def prepare(self) -> None:
        """Clear what dead trainings left."""
        self._store.recover()

    def _begin(self, asked: Process, folder: Path, files: Mapping[str, list[Path]]) -> Run:
        keys = {kind: uuid.uuid4().hex for kind in (READING, TRAINING)}
        parts: dict[str, Part] = {}
        with ExitStack() as working:
            working.enter_context(admitted(self._config, keys[TRAINING]))
            working.enter_context(self._active.opened(keys[READING]))
            for key in keys.values():
                self._active.note(key, {CALL: keys[TRAINING]})
            try:
                self._open(asked.experiment, keys, parts)
                reading, training = parts[READING], parts[TRAINING]
                self._describe(training, asked, folder, files)
                if not self._is_busy_beside(keys.values()):
                    self._book.begin(training.run)
                run = self._book.run(training.run)
            except ServerError as error:
                self._give_up(parts.values(), error)
                raise
            shared = shared_folder(self._config)
            task = ClassifierTask(
                self.name, self._config, folder, dict(files), asked.validation, reading, training, shared
            )
            thread = threading.Thread(
                target=self._carry_out, args=(task, working.pop_all()), name=f"run {run.id}", daemon=True
            )
            thread.start()
        return run

    def _open(self, experiment: str, keys: Mapping[str, str], parts: dict[str, Part]) -> None:
        """Begin both runs, the training last, so that it is the latest of the experiment."""
        now = datetime.now(UTC)
        names = {READING: f"{READING} {now:%Y-%m-%d_%H%M%S}", TRAINING: f"{TRAINING}{now:%Y-%m-%d_%H%M%S}"}
        for kind, key in keys.items():
            run = self._book.open_in(experiment, key, self.name, names[kind], {KIND: kind})
            parts[kind] = Part(key, run)

    def _describe(self, training: Part, asked: Process, folder: Path, labels: Iterable[str]) -> None:
        kwargs = self.entry.kwargs
        self._book.record(
            training.run,
            {
                "class": kwargs.model.class_,
                "path": os.path.relpath(folder, Path(str(kwargs.documents)).resolve()),
                "validation": int(asked.validation),
                "label2id": _label2id(labels),
                "id2label": str(dict(enumerate(labels))),
            },
        )

    def _is_busy_beside(self, keys: Collection[str]) -> bool:
        """Whether another training of this endpoint goes on, or waits."""
        others = (task for task in self._active.tasks() if task not in keys)
        return any(
            self._active.facts(task).get("endpoint") == self.name and self._active.is_held(task) for task in others
        )

    def _give_up(self, parts: Iterable[Part], error: ServerError) -> None:
        for part in parts:
            with suppress(NotReady):
                self._book.end(part.key, part.run, Status.FAILED, error.detail)

    def _carry_out(self, task: ClassifierTask, working: ExitStack) -> None:
        key = task.training.key
        with working:
            try:
                self._runner.run(train_classifier, task, self._book, wanted=lambda: not self._active.is_cancelled(key))
            except ServerError as error:
                # The runs tell it to those who ask; the process of a lost cluster may still work on them.
                logger.info("%s: run %s: %s", self.name, task.training.run, error.detail)
                for part in (task.reading, task.training):
                    self._active.give_up(part.key, error.detail)
            finally:
                for part in (task.reading, task.training):
                    self._store.discard(part.run)
        for part in (task.reading, task.training):
            if self._active.exists(part.key):
                # What cannot be recorded now is so by whoever looks next.
                with suppress(NotReady):
                    self._book.settle(part.key)


def _label2id(labels: Iterable[str]) -> str:
    """Each label's number, as a run keeps it: as the text of Python's dict, which earlier clients read."""
    return str({label: number for number, label in enumerate(labels)})
