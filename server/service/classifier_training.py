"""One training of a document classifier: the plain function that a training process runs."""

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from server.config import Config
from server.documents import Document, DocumentLimits, Reading, read_documents
from server.errors import UntrainableRows
from server.estimators.base import Estimator, Progress, Report
from server.estimators.validation import split, validation_metrics
from server.service import document_model
from server.service.run_book import MODEL, RunBook, active_runs
from server.service.run_log import VERSIONS, RunLog, at_work, reporter, text_of
from server.service.serving import versions
from server.service.stores import open_store
from server.storage.endpoint_store import EndpointStore

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
    """What to learn: the files of each label below `folder`; `reading` and `training` are the call's two runs."""

    endpoint: str
    config: Config
    folder: Path
    files: Mapping[str, Sequence[Path]]
    validation: bool
    reading: Part
    training: Part
    asked_by: int = field(default_factory=os.getpid)


def train_classifier(task: ClassifierTask, book: RunBook) -> None:
    """Read the documents and learn from them; both runs end as their work ends.

    Raises:
        UntrainableRows: too few documents can be read.
        ModelUnreadable: the pretrained weights cannot be had.
        TrainingCancelled: it was cancelled before it began.
    """
    active = active_runs(task.config)
    store = open_store(task.config, task.endpoint)
    reading, log = (RunLog(book, part.key, part.run) for part in (task.reading, task.training))
    with ExitStack() as working:
        for part in (task.reading, task.training):
            working.enter_context(at_work(active, part.key, False, task.asked_by))
        working.enter_context(store.training.held())
        for run in (reading.run, log.run):
            working.callback(store.discard, run)
        working.enter_context(log.ending())
        with reading.ending():
            read = _read(task, reporter(reading, store))
            _tell(reading, store, read)
            counts = {label: sum(one.label == label for one in read.documents) for label in task.files}
            reading.record(params={"documents": text_of(counts)})
        _tell(log, store, read)
        few = [f"{label!r} has {count}" for label, count in counts.items() if count < FEWEST]
        if few:
            raise UntrainableRows(f"{FEWEST} documents of each label must be readable: {', '.join(few)}")
        _train(task, log, store, read.documents)


def _read(task: ClassifierTask, report: Report) -> Reading:
    limits = task.config.classifiers[task.endpoint].kwargs.limits
    return read_documents(
        task.files,
        task.folder,
        DocumentLimits(mb=limits.mb, seconds=limits.seconds, characters=limits.characters),
        lambda step, of: report(Progress(step, of)),
    )


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
    log.record(metrics=metrics, files={MODEL: _saved(estimator, store.stage(log.run))})
    logger.info("%s: trained %s on %d documents", task.endpoint, estimator.class_name, len(train))


def _measured(estimator: Estimator, texts: Sequence[str], labels: Sequence[str], rows: np.ndarray) -> dict[str, float]:
    """How well the model does on these of the documents."""
    predicted = np.asarray(estimator.predict(document_model.rows_of([texts[row] for row in rows])))
    return validation_metrics([labels[row] for row in rows], [str(label) for label in predicted])


def _saved(estimator: Estimator, folder: Path) -> Path:
    """The model, written as a folder or as model.pkl."""
    path: Path = folder / ("model" if estimator.is_folder else "model.pkl")
    if estimator.is_folder:
        path.mkdir()
    estimator.save(path)
    return path
