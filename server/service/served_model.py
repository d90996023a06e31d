"""A model that is loaded: what it takes, and what is known of its training."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from server.errors import InvalidRows, NotReady
from server.estimators.base import Estimator
from server.schema import Column, Kind, Schema
from server.service.one_row import OneRow
from server.storage.model_store import Signature
from server.tables.reading import type_cells
from server.tables.transform import Transform, find_transform


def text_names(columns: Iterable[Column]) -> list[str]:
    """The names of the columns that hold text."""
    return [column.name for column in columns if column.kind in (Kind.TEXT, Kind.DATETIME)]


@dataclass(frozen=True)
class ServedModel:
    """A loaded model, its schema and the facts of its training (empty for a model that a user brought).

    Its rows are transformed as those were that it was trained on: `transform` is that of the training, or
    the configuration's for a model that a user brought. `raw` are the columns before the transform.
    `pretrained` names the weights that serve as they are, and that a training would begin with.
    `one_row` answers rows that come one or a few at a time, as far as it can.
    """

    estimator: Estimator
    schema: Schema
    signature: Signature
    facts: dict[str, Any] = field(default_factory=dict)
    transform: str | None = None
    raw: tuple[Column, ...] = ()
    folder: Path = Path()
    pretrained: str | None = None
    one_row: OneRow = OneRow()

    @property
    def is_pretrained(self) -> bool:
        """Whether these are the weights that a training would begin with."""
        return self.pretrained is not None

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that rows to predict have, as far as they are known."""
        if not self.transform or not self.raw:
            return self.schema.inputs
        target = self.schema.target.name if self.schema.target else None
        return tuple(column for column in self.raw if column.name != target)

    def names_by_position(self, count: int) -> list[str]:
        """The columns that so many cells without names are of, in the order of `inputs`.

        Raises:
            InvalidRows: the model takes another number of columns, or nobody knows which.
        """
        if self.transform and not self.raw:
            raise InvalidRows("the columns before the transform are not known; send rows with the names of columns")
        names = [column.name for column in self.inputs] or [str(index) for index in range(count)]
        if len(names) != count or not count:
            listed = ", ".join(map(repr, names[:20])) + (", …" if len(names) > 20 else "")
            raise InvalidRows(f"the model takes {len(names)} columns, in this order: {listed}; the rows have {count}")
        return names

    @property
    def text_columns(self) -> list[str]:
        """Columns known to hold text, in which '007' must stay '007'."""
        return text_names([*self.inputs, *([self.schema.target] if self.schema.target else [])])

    def find_transform(self) -> Transform | None:
        """The function that the rows go through first, if any.

        Raises:
            NotReady: it cannot be found any more.
        """
        if self.transform is None:
            return None
        try:
            return find_transform(self.transform, self.folder)
        except NotReady as error:
            raise NotReady(f"the model was trained with a transform that is gone: {error.detail}") from error

    def transformed(self, rows: pd.DataFrame, with_target: bool = True) -> pd.DataFrame:
        """The rows after the transform, each in its place; a target is parsed only if it is asked for.

        Raises:
            TransformFailed, InvalidRows: it does not take these rows.
        """
        transform = self.find_transform()
        if transform is None or rows.columns.empty:
            return rows
        if not self.raw and (rows.dtypes == "str").all():
            # Nothing says what these columns hold: they are read as a CSV's would be.
            rows = type_cells(rows)
        raw = self.raw
        if not with_target and self.schema.target is not None:
            unparsed = Column(self.schema.target.name, Kind.ANY)
            raw = tuple(unparsed if column.name == unparsed.name else column for column in raw)
        return transform(rows, raw, aligned=True)

    def features(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What the estimator takes of raw rows, shape (n_rows, n_features).

        Raises:
            InvalidRows, TransformFailed: the rows do not fit.
        """
        return self.schema.parse_features(self.transformed(rows, with_target=False))
