"""Predictions for tables too large to be held: a part is read, checked and predicted, then the next."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import pandas as pd

from server.config import Limits
from server.errors import InvalidRows, ServerError
from server.schema.findings import Findings, refuse
from server.service.prediction import OUTPUTS, Prediction, answered
from server.service.served_model import ServedModel
from server.tables.formats import Upload
from server.tables.parts import USUAL, NotParted, PartSizes, TypesChanged
from server.tables.reading import parted

Answer = TypeVar("Answer")


def is_answered_in_parts(served: ServedModel) -> bool:
    """Whether the model's answer for a row is the same, whatever rows it is asked about with it."""
    return served.transform is None and served.schema.is_cell_by_cell and served.estimator.is_row_by_row


def predicted_in_parts(
    served: ServedModel,
    upload: Upload,
    limits: Limits,
    output: str,
    target: str | None,
    write: Callable[[Iterator[Prediction]], Answer],
    sizes: PartSizes = USUAL,
) -> Answer | None:
    """What `write` makes of the predictions for each part, in the rows' order; None if the whole must be asked at once.

    `write` is called anew if the types of the first parts turn out to be others in the whole table.

    Raises:
        InvalidRows, NotReady: as `predicted` for the whole table, when all of it was read.
        BadRequest, TooLarge, UnsupportedFormat: as reading the whole table.
    """
    if output not in OUTPUTS or not is_answered_in_parts(served):
        return None
    try:
        with parted(upload, limits, served.text_columns, sizes) as table:
            try:
                return write(_answers(served, table.frames(), output, target))
            except TypesChanged as changed:
                types = changed.types
            return write(_answers(served, table.frames(types), output, target))
    except NotParted:
        return None


def _answers(
    served: ServedModel, parts: Iterator[pd.DataFrame], output: str, target: str | None
) -> Iterator[Prediction]:
    """The prediction for each part; what is wrong is told at the end, first what is wrong with the cells."""
    findings, before = Findings(served.schema.names), 0
    failure: ServerError | None = None
    for rows in parts:
        try:
            features = served.schema.parse_part(rows, findings, before)
        except InvalidRows as error:
            # A column is missing: so it is in every part, and they are only read on for what is wrong with the file.
            failure, features = error, None
        before += len(rows)
        if failure is None and features is not None and not findings:
            try:
                prediction = answered(served, rows, features, output, target)
            except ServerError as error:
                failure = error
                continue
            yield prediction
    refuse(InvalidRows, findings.problems())
    if failure is not None:
        raise failure
