"""The stored rows at a glance, counted once per version of them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from server.storage.summary import ColumnSummary
from server.storage.training_data import TrainingData

SAMPLE = 10


@dataclass(frozen=True)
class DataSummary:
    """How many rows there are, what their columns hold, and the first SAMPLE of them."""

    rows: int
    columns: tuple[ColumnSummary, ...]
    sample: pd.DataFrame


NOTHING = DataSummary(0, (), pd.DataFrame())


class StoredData:
    """The summary of one endpoint's rows in this process."""

    def __init__(self, data: TrainingData, fill: Callable[[], None]) -> None:
        self._data = data
        self._fill = fill
        self._counting = threading.Lock()
        self._counted: tuple[int, DataSummary] | None = None

    def version(self) -> int | None:
        """The number of the latest version of the rows; None before the first."""
        return self._data.version()

    def summary(self) -> DataSummary:
        """What the rows hold now.

        Raises:
            NotReady: the source of the first rows cannot be read.
        """
        self._fill()
        version = self._data.version()
        if version is None:
            return NOTHING
        # Two readers of one page need not count twice.
        with self._counting:
            if self._counted is None or self._counted[0] != version:
                self._counted = version, self._count(version)
            return self._counted[1]

    def _count(self, version: int) -> DataSummary:
        sample = self._data.head(SAMPLE, version)
        if sample.empty:
            return NOTHING
        return DataSummary(self._data.count(version), tuple(self._data.summary(version)), sample)
