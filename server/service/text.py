"""TextHandler's use case: what a text says, in the words of the configuration."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from server.config import Config, TextHandlerEndpoint
from server.errors import BadRequest
from server.jobs import Runner
from server.service.endpoint import Endpoint
from server.service.prediction import check_one_each
from server.service.run_book import RunBook

DECIMALS = 3


class TextEndpoint(Endpoint):
    """An endpoint that classifies texts; MLHandler's use cases work on it, too."""

    def __init__(self, name: str, config: Config, runner: Runner, book: RunBook) -> None:
        super().__init__(name, config, runner, book)
        entry = config.models[name]
        assert isinstance(entry, TextHandlerEndpoint)
        self.query = entry.kwargs.query
        self.labels = entry.kwargs.labels
        self.text_col = entry.kwargs.model.text_col

    def classify(self, texts: Sequence[Any]) -> list[dict[str, Any]]:
        """For each text the class that is most likely, and the probability of the last class, rounded.

        The confidence is None for a class of model that has no probabilities.

        Raises:
            BadRequest: a text is empty or no text.
            ModelMissing, NotReady: there is no model that could answer.
        """
        for row, text in enumerate(texts):
            if not _is_text(text):
                raise BadRequest(f"{self.query} must be a text to classify, not {text!r} (row {row + 1})")
        if not texts:
            return []
        served = self._served()
        column = served.schema.names[0] if served.schema.features else self.text_col
        features = served.features(pd.DataFrame({column: list(texts)}, dtype="str"))
        predicted = served.estimator.predict(features)
        check_one_each(predicted, features)
        try:
            likely = served.estimator.predict_proba(features).iloc[:, -1]
            last: list[Any] = likely.astype(np.float64).round(DECIMALS).tolist()
        except BadRequest:
            last = [None] * len(predicted)
        return [self._told(*answer) for answer in zip(np.asarray(predicted).tolist(), last, strict=True)]

    def classify_few(self, texts: Sequence[Any]) -> list[dict[str, Any]] | None:
        """What `classify` answers for a few texts, without a table of them; None if they need one.

        Raises:
            NotReady: there is a model that cannot be read.
        """
        served = self._models.current()
        if served is None or not served.schema.features or not all(map(_is_text, texts)):
            return None
        found = served.one_row.instances([{served.schema.names[0]: text} for text in texts])
        return None if found is None else [self._told(label, _last(known)) for label, known in found]

    def _told(self, label: Any, confidence: float | None) -> dict[str, Any]:
        return {"prediction": self._called(label), "confidence": confidence}

    def _called(self, label: Any) -> Any:
        """What the configuration calls a class; 0.0 is the 0 of a target column that once had missing cells."""
        whole = int(label) if isinstance(label, float) and label.is_integer() else label
        return self.labels.get(str(label), self.labels.get(str(whole), label))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _last(known: Mapping[str, float] | None) -> float | None:
    """The probability of the last class, rounded, if there are any."""
    return None if known is None else float(np.float64(list(known.values())[-1]).round(DECIMALS))
