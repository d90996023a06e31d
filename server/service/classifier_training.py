"""One training of a document classifier: the plain function that a training process runs."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from server.config import Config
from server.documents import Document, DocumentLimits, Reading, read_documents
from server.errors import UntrainableRows
from server.estimators.base import Estimator, Progress
from server.estimators.validation import split, validation_metrics
from server.service import document_model
from server.service.capacity import running
from server.service.run_book import MODEL, RunBook
from server.service.run_folder import active_runs
from server.service.run_log import VERSIONS, RunLog, at_work, check_folder, reporter, text_of, this_process
from server.service.stores import open_store
from server.service.versions import versions
from server.storage.endpoint_store import EndpointStore
from server.storage.trust import Trust

logger = logging.getLogger(__name__)
TREATED, UNTREATED = "number_documents_treated", "number_documents_non_treated"
DOCUMENTS = "documents.json"
SEED = 0
# Of each label: one to learn from, and one to hold out.
FEWEST = 2


@dataclass(frozen=True)
class Part:
    """A run of the call, and the key of its lock file."""

    key: str
    run: str


@dataclass(frozen=True)
class ClassifierTask:
    """What to learn: the files of each label below `folder`; `reading` and `training` are the call's two runs.

    `models` is the identity of models_dir, if another machine may train.
    """

    endpoint: str
    config: Config
    folder: Path
    files: Mapping[str, Sequence[Path]]
    validation: bool
    reading: Part
    training: Part
    models: str | None = None
    asked_by: tuple[str, int] = field(default_factory=this_process)


def train_classifier(task: ClassifierTask, book: RunBook) -> None:
    """Read the documents and learn from them; both runs end as their work ends.

    Documents whose reading has ended before are read again: a process whose worker was lost had read them.

    Raises:
        TrainingFailed: this machine does not have the server's models_dir.
        UntrainableRows: too few documents can be read.
        ModelUnreadable: the pretrained weights cannot be had.
        TrainingCancelled: it was cancelled before it began.
    """
    check_folder(task.config, task.models)
    active = active_runs(task.config)
    store = open_store(task.config, task.endpoint)
    parts = [part for part in (task.reading, task.training) if part is task.training or active.exists(part.key)]
    with ExitStack() as working:
        for part in parts:
            working.enter_context(at_work(active, part.key, False, task.asked_by))
        working.enter_context(store.training.held())
        for part in parts:
            working.callback(store.discard, part.run)
        working.enter_context(running(task.config, [part.key for part in parts]))
        reading, log = (RunLog(book, part.key, part.run) for part in (parts[0], task.training))
        working.enter_context(log.ending())
        read = _read(task, store, log) if reading.run == log.run else _read_in_run(task, store, reading)
        _tell(log, store, read)
        counts = _counts(task, read)
        few = [f"{label!r} has {count}" for label, count in counts.items() if count < FEWEST]
        if few:
            raise UntrainableRows(f"{FEWEST} documents of each label must be readable: {', '.join(few)}")
        _train(task, log, store, read.documents)


def _read_in_run(task: ClassifierTask, store: EndpointStore, reading: RunLog) -> Reading:
    with reading.ending():
        read = _read(task, store, reading)
        _tell(reading, store, read)
        reading.record(params={"documents": text_of(_counts(task, read))})
    return read


def _read(task: ClassifierTask, store: EndpointStore, log: RunLog) -> Reading:
    limits = task.config.classifiers[task.endpoint].kwargs.limits
    report = reporter(log, store)
    return read_documents(
        task.files,
        task.folder,
        DocumentLimits(mb=limits.mb, seconds=limits.seconds, characters=limits.characters),
        lambda step, of: report(Progress(step, of)),
    )


def _counts(task: ClassifierTask, read: Reading) -> dict[str, int]:
    """How many documents of each label were read."""
    return {label: sum(one.label == label for one in read.documents) for label in task.files}


def _tell(log: RunLog, store: EndpointStore, read: Reading) -> None:
    """The counts, and which documents were not treated and why."""
    path = store.stage(log.run) / DOCUMENTS
    path.write_text(json.dumps({"not_treated": [asdict(one) for one in read.untreated]}, ensure_ascii=False))
    metrics = {TREATED: float(len(read.documents)), UNTREATED: float(len(read.untreated))}
    log.record(metrics=metrics, files={"": path})


def _train(task: ClassifierTask, log: RunLog, store: EndpointStore, documents: Sequence[Document]) -> None:
    kwargs = task.config.classifiers[task.endpoint].kwargs
    estimator = document_model.untrained(kwargs.model, kwargs.training, task.config.server.classes)
    texts, labels = [one.text for one in documents], [one.label for one in documents]
    train = np.arange(len(texts))
    held_out = train[:0]
    if task.validation:
        train, held_out = split(labels, kwargs.size_train, SEED)
    params = {name: text_of(value) for name, value in estimator.parameters().items()} | {"rows": len(train)}
    log.record(params=params, tags={VERSIONS: json.dumps(versions())})
    began = time.monotonic()
    document_model.fit(estimator, [texts[row] for row in train], [labels[row] for row in train], reporter(log, store))
    metrics = {"fit_seconds": round(time.monotonic() - began, 3)}
    metrics["score"] = _measured(estimator, texts, labels, train)["accuracy"]
    if len(held_out):
        metrics |= _measured(estimator, texts, labels, held_out)
        metrics["held_out_score"] = metrics["accuracy"]
    log.record(metrics=metrics, files={MODEL: _saved(estimator, store.stage(log.run), store.model.trust)})
    logger.info("%s: trained %s on %d documents", task.endpoint, estimator.class_name, len(train))


def _measured(estimator: Estimator, texts: Sequence[str], labels: Sequence[str], rows: np.ndarray) -> dict[str, float]:
    """How well the model does on these of the documents."""
    predicted = np.asarray(estimator.predict(document_model.rows_of([texts[row] for row in rows])))
    return validation_metrics([labels[row] for row in rows], [str(label) for label in predicted])


def _saved(estimator: Estimator, folder: Path, trust: Trust) -> Path:
    """The model, written as a folder or as model.pkl."""
    path: Path = folder / ("model" if estimator.is_folder else "model.pkl")
    if estimator.is_folder:
        path.mkdir()
    estimator.save(path)
    trust.sign(path)
    return path
