"""A classifier of documents: experiments that users name, each with trainings on folders of documents."""

import ast
import os
import re
import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.config import Config
from server.documents import documents_folder, label_folders
from server.errors import BadRequest, ModelUnreadable, NoSuchRun, RunConflict, ServerError, TooLarge, did_you_mean
from server.estimators.base import Estimator
from server.jobs import Runner
from server.service import document_model
from server.service.classifier_training import ClassifierTask, Part, train_classifier
from server.service.experiment_book import ExperimentBook
from server.service.run_book import ENDPOINT, active_runs
from server.service.stores import open_store
from server.tracking import Run, Status

TRAINING, READING = "training_classifier", "dataset_info"
KIND = "restimator.kind"
FIELDS = ("labels", "path", "experiment_name", "validation")
# How many trained models are kept in memory.
LOADED = 4
LONGEST_NAME = 250
NAME = re.compile(r"[^\x00-\x1f\x7f/\\]+")


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
        self._loaded: OrderedDict[str, tuple[Estimator, dict[str, int]]] = OrderedDict()
        self._loading = threading.Lock()

    def process(self, given: Mapping[str, Any]) -> Run:
        """Begin to read the documents of a folder and to learn their labels; the run of the training.

        Raises:
            BadRequest: a field is wrong, or the folder does not hold what it should; nothing is begun.
            RunConflict: the name of the experiment cannot be had.
        """
        for field in given:
            if field not in FIELDS:
                raise BadRequest(f"unknown field {field!r}{did_you_mean(field, FIELDS)}; known: {', '.join(FIELDS)}")
        experiment = self._experiment_name(given)
        kwargs = self.entry.kwargs
        validation = given.get("validation", kwargs.validation)
        if isinstance(validation, str) and validation in ("0", "1"):
            validation = int(validation)
        if validation not in (0, 1):
            raise BadRequest(f"validation must be 0 or 1, not {validation!r}")
        labels = given.get("labels")
        if not isinstance(labels, list):
            raise BadRequest('labels must be a list of names of folders, such as ["cv", "non-cv"]')
        root = Path(str(kwargs.documents))
        folder = documents_folder(root, _text(given, "path"))
        files = label_folders(folder, labels, kwargs.min_size_label)
        self._check_weights()
        if self._book.is_deleted(experiment):
            raise RunConflict(f"the experiment {experiment!r} was deleted; delete it for good to use its name again")
        return self._begin(experiment, folder, files, bool(validation))

    def predict(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The label of a text by the model of a run, the label's number, and its probability.

        Raises:
            BadRequest: a field is wrong.
            NoSuchRun, RunConflict: there is no such run, or it has no model (yet).
            TooLarge: the text is longer than a document may be.
        """
        for field in given:
            if field not in ("runid", "text"):
                raise BadRequest(f"unknown field {field!r}; known: runid, text")
        run_id, text = _text(given, "runid"), _text(given, "text")
        most = self.entry.kwargs.limits.characters
        if len(text) > most:
            raise TooLarge(f"the text has {len(text):,} characters; {most:,} can be classified (limits.characters)")
        run = self._book.run(run_id)
        if run.tags.get(ENDPOINT) != self.name or run.tags.get(KIND) != TRAINING:
            raise NoSuchRun(f"run {run_id} is no training of {self.name}")
        if run.status is not Status.FINISHED:
            raise RunConflict(f"run {run_id} is {run.status}; only the model of a finished one can predict")
        estimator, numbers = self._model(run)
        label, score = document_model.classified(estimator, text)
        return {"label": label, "prediction": numbers[label], "score": score}

    def last_runs(self, experiment: str, limit: int = 3) -> list[Run]:
        """The latest runs of an experiment, newest first.

        Raises:
            NoSuchRun: there is no such experiment, or it was deleted.
        """
        return self._book.experiment_runs(self.name, experiment, limit)

    def latest_runs(self, limit: int) -> list[tuple[str, Run]]:
        """The latest run of each experiment, with the experiment's name; newest first."""
        return self._book.latest_runs(self.name)[:limit]

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

    def _begin(self, experiment: str, folder: Path, files: Mapping[str, list[Path]], validation: bool) -> Run:
        keys = [uuid.uuid4().hex for _ in (READING, TRAINING)]
        with ExitStack() as working:
            for key in keys:
                working.enter_context(self._active.opened(key))
            now = datetime.now(UTC)
            reading = self._open(keys[0], experiment, f"{READING} {now:%Y-%m-%d_%H%M%S}", READING)
            training = self._open(keys[1], experiment, f"{TRAINING}{now:%Y-%m-%d_%H%M%S}", TRAINING)
            numbers = {label: number for number, label in enumerate(files)}
            names = {number: label for label, number in numbers.items()}
            kwargs = self.entry.kwargs
            own = {
                "class": kwargs.model.class_,
                "path": os.path.relpath(folder, Path(str(kwargs.documents)).resolve()),
                "validation": int(validation),
            }
            self._book.record(training.run, own | {"label2id": str(numbers), "id2label": str(names)})
            if not self._store.training.is_held():
                self._book.begin(training.run)
            task = ClassifierTask(self.name, self._config, folder, dict(files), validation, reading, training)
            threading.Thread(target=self._carry_out, args=(task, working.pop_all()), daemon=True).start()
        return self._book.run(training.run)

    def _open(self, key: str, experiment: str, name: str, kind: str) -> Part:
        return Part(key, self._book.open(key, self.name, experiment, name, {KIND: kind}))

    def _carry_out(self, task: ClassifierTask, working: ExitStack) -> None:
        try:
            with working:
                self._runner.run(train_classifier, task, self._book)
        except ServerError:
            # The runs tell it.
            pass
        finally:
            for part in (task.reading, task.training):
                if self._active.exists(part.key):
                    self._book.settle(part.key)

    def _experiment_name(self, given: Mapping[str, Any]) -> str:
        name = _text(given, "experiment_name")
        if len(name) > LONGEST_NAME or not NAME.fullmatch(name) or name != name.strip():
            raise BadRequest(
                f"experiment_name must be at most {LONGEST_NAME} characters without slashes, line breaks or "
                "blanks around them"
            )
        if name in self._config.url or name == "Default":
            raise RunConflict(f"the experiment {name!r} belongs to the server; choose another name")
        return name

    def _check_weights(self) -> None:
        """Raise WeightsMissing before anything is begun that would only fail for it."""
        pretrained = document_model.weights(self.entry.kwargs.model)
        if pretrained is not None:
            pretrained.fetch_soon()
            pretrained.folder()

    def _model(self, run: Run) -> tuple[Estimator, dict[str, int]]:
        """The loaded model of the run, and the numbers of its labels."""
        with self._loading:
            if run.id not in self._loaded:
                path = self._book.model_path(run, Path(self._config.server.models_dir) / ".runs" / "models")
                numbers = _numbers(run)
                self._loaded[run.id] = document_model.load(path), numbers
                while len(self._loaded) > LOADED:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(run.id)
            return self._loaded[run.id]


def _numbers(run: Run) -> dict[str, int]:
    try:
        found = ast.literal_eval(run.params["label2id"])
    except (KeyError, ValueError, SyntaxError) as error:
        raise ModelUnreadable(f"run {run.id} does not tell the numbers of its labels") from error
    return dict(found)


def _text(given: Mapping[str, Any], field: str) -> str:
    value = given.get(field)
    if not isinstance(value, str) or not value.strip():
        raise BadRequest(f"{field} must be a text" + ("" if field in given else "; it is missing"))
    return value
