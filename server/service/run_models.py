"""The trained models of a document classifier's runs, of which those asked last stay in memory."""

import ast
from dataclasses import dataclass
from pathlib import Path

from server.errors import ModelUnreadable
from server.estimators.base import Estimator
from server.service import document_model
from server.service.experiment_book import ExperimentBook
from server.service.last_used import LastUsed
from server.storage.trust import Trust
from server.tracking import Run

MOST = 4


@dataclass(frozen=True)
class RunModel:
    """A run's model, and the numbers of its labels."""

    estimator: Estimator
    numbers: dict[str, int]


class RunModels:
    """The models of at most `most` runs in memory; what another machine keeps is copied below `folder`.

    Safe to call from many threads: who asks for a model in memory never waits for one that is being read.
    """

    def __init__(self, book: ExperimentBook, folder: Path, trust: Trust, most: int = MOST) -> None:
        self._book = book
        self._folder = folder
        self._trust = trust
        self._kept: LastUsed[RunModel] = LastUsed(most)

    def __len__(self) -> int:
        return len(self._kept)

    def model(self, run: Run) -> RunModel:
        """The model of a finished run.

        Raises:
            NoSuchRun: it holds no model.
            ModelUnreadable: its model cannot be read here.
        """
        return self._kept.get(run.id, lambda: self._read(run))

    def _read(self, run: Run) -> RunModel:
        return RunModel(document_model.load(self._book.model_path(run, self._folder), self._trust), _numbers(run))


def _numbers(run: Run) -> dict[str, int]:
    try:
        return dict(ast.literal_eval(run.params["label2id"]))
    except (KeyError, TypeError, ValueError, SyntaxError) as error:
        raise ModelUnreadable(f"run {run.id} does not tell the numbers of its labels") from error
