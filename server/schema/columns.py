"""Columns by name, kind and order; parsing rows through them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from server.errors import InvalidRows, Problem, SchemaConflict, did_you_mean
from server.schema.conversion import FOR_ESTIMATOR, FOR_FUNCTIONS, FOR_STORAGE, Kind, WrongCells, timestamps
from server.schema.findings import Findings, pointer, problems_of, refuse

MAX_CATEGORIES = 1000
# Numbers below are no epoch milliseconds of our times, but years, or dates such as 20260131.
LEAST_EPOCH = 10**9
NUMERIC = frozenset({Kind.INTEGER, Kind.NUMBER})
# What a cell of these means depends on no other row. Of kind ANY it does; of times, the unit depends on all.
CELL_BY_CELL = NUMERIC | {Kind.BOOLEAN, Kind.TEXT}


def kind_of(cells: pd.Series) -> Kind:
    """The kind of a column read from a table."""
    dtype = cells.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return Kind.BOOLEAN
    if pd.api.types.is_integer_dtype(dtype):
        return Kind.INTEGER
    if pd.api.types.is_float_dtype(dtype):
        return Kind.NUMBER
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return Kind.DATETIME
    if isinstance(dtype, pd.StringDtype):
        return Kind.TEXT
    return Kind.NESTED if cells.map(lambda cell: isinstance(cell, (list, dict, np.ndarray))).any() else Kind.TEXT


@dataclass(frozen=True)
class Column:
    """One column: its name, what it holds, and what training saw in it."""

    name: str
    kind: Kind
    nullable: bool = True
    categories: tuple[Any, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None

    @classmethod
    def of(cls, name: str, cells: pd.Series, categorical: bool = False) -> Self:
        """Describe the cells of a training column."""
        kind = kind_of(cells)
        present = cells.dropna()
        numeric = kind in NUMERIC and len(present) > 0
        categories = None
        if categorical and kind is not Kind.NESTED:
            distinct = present.drop_duplicates()
            if len(distinct) <= MAX_CATEGORIES:
                categories = tuple(sorted(_plain(value) for value in distinct))
        return cls(
            name=name,
            kind=kind,
            nullable=bool(cells.isna().any()),
            categories=categories,
            minimum=float(present.min()) if numeric else None,
            maximum=float(present.max()) if numeric else None,
        )


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def _convert(column: Column, cells: pd.Series, parse: Callable[[pd.Series], Any]) -> tuple[Any, list[Problem]]:
    try:
        return parse(cells), []
    except WrongCells as wrong:
        return None, problems_of(column.name, wrong)


def _parsed(
    rows: pd.DataFrame, columns: Sequence[Column], findings: Findings, before: int = 0
) -> dict[str, np.ndarray]:
    """The cells of each column as an estimator takes them; a column with wrong cells is left out, and found."""
    arrays = {}
    for column in columns:
        try:
            arrays[column.name] = FOR_ESTIMATOR[column.kind](rows[column.name])
        except WrongCells as wrong:
            findings.add(column.name, wrong, before)
    return arrays


def _features(arrays: dict[str, np.ndarray], index: pd.Index) -> pd.DataFrame:
    # Series keep object arrays as they are; a DataFrame of arrays would convert their text once more.
    cells = {name: pd.Series(array, index=index, dtype=array.dtype) for name, array in arrays.items()}
    return pd.DataFrame(cells, columns=list(arrays), index=index)


@dataclass(frozen=True)
class Schema:
    """The features a model takes, in order, its target, and the column of timestamps of a time series.

    `positional` is set for a model that was fitted on unnamed columns, which are called x0, x1, …: rows
    with other names are then taken by position, if they have the right number of columns.
    """

    features: tuple[Column, ...]
    target: Column | None = None
    positional: bool = False
    index: Column | None = None

    @property
    def names(self) -> list[str]:
        """The feature names in the order of training."""
        return [column.name for column in self.features]

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that rows to predict must have: the timestamps, if any, and the features."""
        return (self.index, *self.features) if self.index else self.features

    @property
    def is_cell_by_cell(self) -> bool:
        """Whether the features of a row can be told from that row only."""
        return bool(self.features) and self.index is None and all(part.kind in CELL_BY_CELL for part in self.features)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`."""

        def column(entry: dict[str, Any]) -> Column:
            categories = entry.get("categories")
            return Column(
                **{
                    **entry,
                    "kind": Kind(entry["kind"]),
                    "categories": None if categories is None else tuple(categories),
                }
            )

        target, index = values.get("target"), values.get("index")
        return cls(
            features=tuple(column(entry) for entry in values["features"]),
            target=column(target) if target else None,
            positional=values.get("positional", False),
            index=column(index) if index else None,
        )

    def parse_features(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The features of the rows as an estimator takes them: float64 and text, missing cells as NaN.

        Shape (n_rows, n_features), in the rows' order; columns that are no features are left out. The rows
        of a time series are indexed by their timestamps, all others are numbered.

        Raises:
            InvalidRows: a column is missing or a cell does not fit; both are named.
        """
        rows = self._arranged(rows)
        columns = self._for(rows)
        findings = Findings([column.name for column in columns])
        arrays = _parsed(rows, columns, findings)
        index, wrong = self._row_labels(rows)
        refuse(InvalidRows, wrong + findings.problems())
        return _features(arrays, index)

    def parse_part(self, rows: pd.DataFrame, findings: Findings, before: int) -> pd.DataFrame | None:
        """The features of a part of a table; None if cells of it are wrong, which the findings then hold.

        Args:
            rows: the part, with the same columns in the same types as all others.
            findings: those of the whole table, of `self.names`.
            before: how many rows of the table come before the part.

        Raises:
            InvalidRows: a column is missing.
        """
        arrays = _parsed(self._arranged(rows), self.features, findings, before)
        complete = len(arrays) == len(self.features)
        return _features(arrays, pd.RangeIndex(len(rows))) if complete else None

    def _arranged(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows with their columns under the names of the features, all of which are there."""
        rows = self._by_position(rows)
        self._refuse_missing(list(rows.columns))
        return rows

    def _row_labels(self, rows: pd.DataFrame) -> tuple[pd.Index, list[Problem]]:
        if self.index is None:
            return pd.RangeIndex(len(rows)), []
        epochs = self.index.maximum is not None and self.index.maximum >= LEAST_EPOCH
        moments, wrong = _convert(self.index, rows[self.index.name], lambda cells: timestamps(cells, epochs))
        return pd.RangeIndex(0) if wrong else pd.DatetimeIndex(moments, name=self.index.name), wrong

    def _by_position(self, rows: pd.DataFrame) -> pd.DataFrame:
        # As scikit-learn itself does; but rows that use some of the model's own names mean all of them.
        unnamed = self.positional and not set(rows.columns) & set(self.names)
        if unnamed and len(rows.columns) == len(self.features):
            return rows.set_axis(self.names, axis=1)
        return rows

    def _for(self, rows: pd.DataFrame) -> Sequence[Column]:
        # A model that names no columns at all takes what comes.
        if self.features or self.index:
            return self.features
        return [Column(name, Kind.ANY) for name in rows.columns]

    def _refuse_missing(self, present: Sequence[str]) -> None:
        needed = [column.name for column in self.inputs]
        missing = [name for name in needed if name not in present]
        if missing:
            unused = [name for name in present if name not in needed]
            problems = [Problem(pointer(name), f"missing{did_you_mean(name, unused)}") for name in missing]
            names = ", ".join(repr(name) for name in missing[:20])
            hint = did_you_mean(missing[0], unused) if len(missing) == 1 else ""
            if self.positional:
                hint = (
                    "; the model was fitted on unnamed columns: call them x0, x1, …, or send just as many in its order"
                )
            verb = "column is" if len(missing) == 1 else "columns are"
            raise InvalidRows(f"{len(missing)} {verb} missing: {names}{hint}", problems[:20])

    def parse_target(self, rows: pd.DataFrame) -> np.ndarray:
        """The true target values of the rows, shape (n_rows,).

        Raises:
            InvalidRows: the target column or one of its cells is missing or wrong.
        """
        assert self.target is not None
        name = self.target.name
        if name not in rows.columns:
            near = did_you_mean(name, rows.columns)
            raise InvalidRows(f"the target column {name!r} is missing{near}", [Problem(pointer(name), "missing")])
        cells = rows[name]
        if self.target.kind is Kind.INTEGER and pd.api.types.is_integer_dtype(cells.dtype) and not cells.hasnans:
            return cells.to_numpy(dtype=np.int64)  # exact also where a float is not
        values, problems = _convert(self.target, cells, FOR_ESTIMATOR[self.target.kind])
        refuse(InvalidRows, problems)
        absent = np.flatnonzero(pd.isna(values))[:20]
        refuse(InvalidRows, [Problem(pointer(row, name), f"the target {name} is missing") for row in absent])
        return target_values(self.target.kind, values)


def target_values(kind: Kind, values: np.ndarray) -> np.ndarray:
    """Target values in the type that predictions are answered in: int64, bool, float64 or text."""
    types = {Kind.INTEGER: np.int64, Kind.BOOLEAN: np.bool_}
    if kind not in types or (values != np.round(values)).any():
        return values
    return values.astype(types[kind])


def conform(rows: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Rows in the stored types and column order of a table, exact or not at all.

    Raises:
        SchemaConflict: another set of columns, or a cell that does not fit; both are named.
    """
    names = [column.name for column in columns]
    problems = [Problem(pointer(name), f"the column {name!r} is missing") for name in names if name not in rows]
    problems += [
        Problem(pointer(name), f"the column {name!r} is not in the stored data{did_you_mean(name, names)}")
        for name in rows.columns
        if name not in names
    ]
    refuse(SchemaConflict, problems)
    stored = {}
    for column in columns:
        stored[column.name], wrong = _convert(column, rows[column.name], FOR_STORAGE[column.kind])
        problems += wrong
    refuse(SchemaConflict, problems)
    return pd.DataFrame(stored, columns=names)


def typed(rows: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The rows as pandas.read_csv would give them, numbered; cells of other columns stay as they came.

    Raises:
        InvalidRows: a cell does not fit its column.
    """
    known = {column.name: column for column in columns}
    cells, problems = {}, []
    for name in rows.columns:
        column = known.get(name, Column(name, Kind.ANY))
        cells[name], wrong = _convert(column, rows[name], FOR_FUNCTIONS[column.kind])
        problems += wrong
    refuse(InvalidRows, problems)
    return pd.DataFrame(cells, columns=rows.columns, index=pd.RangeIndex(len(rows)))
