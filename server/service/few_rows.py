"""Few rows or many, for doors that are to answer as a JSON body at the endpoint's own URL does, to the last bit."""

from typing import Any

import pandas as pd

from server.service.endpoint import Endpoint
from server.service.one_row import is_plain
from server.service.prediction import Prediction
from server.service.served_model import ServedModel
from server.tables.writing import records

# As many rows as that URL answers without the pipeline.
FEW = 16


def answered_as_json(
    endpoint: Endpoint, served: ServedModel, rows: pd.DataFrame, output: str | None = None
) -> Prediction:
    """The predictions of this model for the rows.

    Raises:
        InvalidRows, TransformFailed, BadRequest: the rows do not fit, or the model has no such output.
        NotReady: the model does not give one answer for each row.
    """
    form = output or endpoint.entry.kwargs.output
    few = [_plain(row) for row in records(rows)] if 0 < len(rows) <= FEW else []
    found = served.one_row.answers(few, form) if few and all(map(is_plain, few)) else None
    if found is None:
        return endpoint.predicted_by(served, rows, form)
    return Prediction(pd.DataFrame(found)) if form == "proba" else Prediction(pd.DataFrame(), found)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row with null for NaN, which is what a JSON body has for a missing number."""
    return {name: None if isinstance(cell, float) and cell != cell else cell for name, cell in row.items()}
