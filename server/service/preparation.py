"""Stored rows → the rows and columns to train on: transformed, selected, without gaps and repeats."""

import logging
from dataclasses import dataclass

import pandas as pd

from server.errors import TransformFailed, UntrainableRows
from server.schema import Column
from server.service.recipe import Options
from server.tables.preparation import select_columns, select_rows, unknown_columns
from server.tables.transform import Transform

logger = logging.getLogger(__name__)
# Few enough to be choices; the raw columns of a transform are described for forms.
MOST_CHOICES = 50


@dataclass(frozen=True)
class Prepared:
    """The rows and columns to train on, and what they were chosen from.

    Attributes:
        rows: the rows and columns.
        names: the columns there were before some were left out.
        timestamps: the column of them, if any, before rows were left out.
    """

    rows: pd.DataFrame
    names: tuple[str, ...]
    timestamps: pd.Series | None = None


def raw_columns(rows: pd.DataFrame) -> tuple[Column, ...]:
    """The columns as they are before a transform."""
    return tuple(Column.of(name, rows[name], categorical=_few_values(rows[name])) for name in rows.columns)


def _few_values(cells: pd.Series) -> bool:
    try:
        return cells.dtype == "str" and cells.nunique() <= MOST_CHOICES
    except TypeError:
        return False


def prepare(
    rows: pd.DataFrame,
    options: Options,
    endpoint: str,
    transform: Transform | None = None,
    text_col: str | None = None,
) -> Prepared:
    """The rows and columns to train on; of texts, the text and the target.

    Raises:
        TransformFailed: the transform does not take the rows.
        UntrainableRows: no rows are left.
    """
    if transform is not None:
        rows = transform(rows, raw_columns(rows), aligned=False)
        if rows.empty:
            raise TransformFailed(f"the transform {transform.text} left no rows to train on")
    named = {name: value for name, value in options.to_dict().items() if name != "target_col"}
    for option, names in unknown_columns(rows, named).items():
        logger.warning("%s: %s names columns that the data does not have: %s", endpoint, option, ", ".join(names))
    include = options.include if text_col is None else (text_col,)
    selected = select_columns(rows, include, options.exclude, (options.target_col, options.index_col))
    prepared = select_rows(selected, options.dropna, options.drop_duplicates)
    if prepared.empty:
        raise UntrainableRows(
            f"no rows are left of {len(rows)} after dropna and drop_duplicates; "
            "exclude columns with many missing cells, or set dropna=false"
        )
    return Prepared(prepared, tuple(rows.columns), selected.get(options.index_col))
