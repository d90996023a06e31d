"""One cell grammar for every door: text, JSON, spreadsheet and Parquet cells become the same values."""

import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

BOOLEAN_TEXT = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
# Ten digits and more are epoch milliseconds; fewer may be a date such as 20260131.
EPOCH = re.compile(r"\s*-?\d{10,}\s*$")
NUMBER = re.compile(r"\s*-?\d+(\.0*)?\s*$")
# The years 1 to 9999, as far as text can name them.
FARTHEST = 253_402_300_799_000
# Beyond this, a float no longer tells one integer from the next.
EXACT = 2**53
# Wrong cells of a column that are told.
MOST_WRONG = 10
MIDNIGHT = re.compile(r"[T ]00:00:00(\.0+)?$")


class Kind(StrEnum):
    """What a column holds."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    DATETIME = "datetime"
    NESTED = "nested"
    ANY = "any"  # a model brought by a user does not say


class WrongCells(Exception):
    """Cells that do not fit their column: `rows` are positions, counted from 0, `check` the check that they failed."""

    def __init__(self, rows: np.ndarray, values: list[object], expected: str, check: int = 0) -> None:
        super().__init__(expected)
        self.rows = rows
        self.values = values
        self.expected = expected
        self.check = check


def _refuse(cells: pd.Series, wrong: np.ndarray, expected: str, check: int = 0) -> None:
    if wrong.any():
        rows = np.flatnonzero(wrong)[:MOST_WRONG]
        raise WrongCells(rows, [cells.iloc[row] for row in rows], expected, check)


def _is_blank(cells: pd.Series) -> np.ndarray:
    """Missing, or text of nothing but white space: an empty form field is a missing cell."""
    missing = cells.isna().to_numpy()
    stripped = cells.map(lambda cell: isinstance(cell, str) and not cell.strip(), na_action="ignore")
    return missing | (stripped == True).to_numpy(dtype=bool)  # noqa: E712 - NA compares as False here


def numbers(cells: pd.Series) -> np.ndarray:
    """float64, missing cells as NaN.

    Raises:
        WrongCells: text that is no number, or an infinite value.
    """
    if pd.api.types.is_numeric_dtype(cells.dtype):
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        blank = _is_blank(cells)
        plain = cells.map(lambda cell: cell if isinstance(cell, (str, int, float)) else np.nan)
        values = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        _refuse(cells, np.isnan(values) & ~blank, "a number")
    _refuse(cells, np.isinf(values), "a finite number", check=1)
    return values


def booleans(cells: pd.Series) -> np.ndarray:
    """float64 of 0, 1 and NaN.

    Raises:
        WrongCells: anything but true, false, 1, 0 and missing.
    """
    if pd.api.types.is_numeric_dtype(cells.dtype):
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        _refuse(cells, ~np.isin(values, (0.0, 1.0)) & ~np.isnan(values), "true or false")
        return values
    blank = _is_blank(cells)
    array = np.array([BOOLEAN_TEXT.get(str(cell).strip().lower(), np.nan) for cell in cells], dtype=np.float64)
    _refuse(cells, np.isnan(array) & ~blank, "true or false")
    return array


def _cell_text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def texts(cells: pd.Series) -> np.ndarray:
    """object array of str, missing cells as NaN; 3.0 reads '3' and midnight reads as its date.

    Empty text is a missing cell: a CSV or a form cannot tell the two apart.
    """
    if isinstance(cells.dtype, pd.StringDtype):
        # Each distinct text becomes one Python object, not one per row; the code of a missing cell is -1.
        codes, distinct = pd.factorize(cells)
        return np.array([*(text or np.nan for text in distinct), np.nan], dtype=object)[codes]
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return _datetime_texts(cells)
    nested = cells.map(lambda cell: isinstance(cell, (list, dict, np.ndarray)))
    _refuse(cells, nested.to_numpy(dtype=bool), "text")
    values = cells.map(_cell_text, na_action="ignore").astype(object)
    return values.where(cells.notna() & (values != ""), np.nan).to_numpy(dtype=object)


def _datetime_texts(cells: pd.Series) -> np.ndarray:
    values = cells.map(lambda moment: MIDNIGHT.sub("", moment.isoformat()), na_action="ignore")
    return values.astype(object).where(cells.notna(), np.nan).to_numpy(dtype=object)


def datetimes(cells: pd.Series, epoch: re.Pattern[str] = EPOCH) -> pd.Series:
    """datetime64 without a zone (UTC where the text names one); integers, and text like `epoch`, are milliseconds.

    Raises:
        WrongCells: text that is no ISO 8601 date or time, or a number beyond the calendar.
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        moments = cells
    elif pd.api.types.is_numeric_dtype(cells.dtype):
        moments = _epoch(cells, numbers(cells))
    else:
        epochs = cells.map(lambda cell: float(cell) if epoch.match(str(cell)) else np.nan).astype(np.float64)
        rest = cells.where(~_is_blank(cells) & epochs.isna().to_numpy())
        moments = pd.to_datetime(rest, errors="coerce", format="ISO8601", utc=True).dt.tz_convert(None)
        _refuse(cells, moments.isna().to_numpy() & rest.notna().to_numpy(), "an ISO 8601 date or time")
        moments = moments.fillna(_epoch(cells, epochs.to_numpy()))
    return moments.dt.tz_convert(None) if getattr(moments.dt, "tz", None) is not None else moments


def _epoch(cells: pd.Series, milliseconds: np.ndarray) -> pd.Series:
    _refuse(cells, np.abs(milliseconds) > FARTHEST, "a time in epoch milliseconds")
    moments = pd.to_datetime(pd.Series(milliseconds, index=cells.index).round(), unit="ms")
    return moments.astype("datetime64[us]")


def timestamps(cells: pd.Series, epochs: bool) -> pd.Series:
    """datetime64 of a time index.

    `epochs` says that all of its numbers are milliseconds. Otherwise only those of ten digits and more
    are, and shorter ones are years or dates such as 1972 or 20260131, as they are in text.

    Raises:
        WrongCells: a cell is missing, or no date or time.
    """
    if not epochs and pd.api.types.is_numeric_dtype(cells.dtype):
        cells = pd.Series(texts(cells), index=cells.index, dtype="str")
    moments = datetimes(cells, NUMBER if epochs else EPOCH)
    _refuse(cells, moments.isna().to_numpy(), "an ISO 8601 date or time, or epoch milliseconds")
    return moments


def _anything(cells: pd.Series) -> np.ndarray:
    """Numbers where every cell is one, text otherwise."""
    try:
        return numbers(cells)
    except WrongCells:
        return texts(cells)


# What an estimator is given: float64 or text, never a pandas extension type, so that a fitted
# pipeline treats training rows and later rows alike.
FOR_ESTIMATOR: dict[Kind, Callable[[pd.Series], np.ndarray]] = {
    Kind.INTEGER: numbers,
    Kind.NUMBER: numbers,
    Kind.BOOLEAN: booleans,
    Kind.TEXT: texts,
    Kind.DATETIME: lambda cells: _datetime_texts(datetimes(cells)),
    Kind.NESTED: lambda cells: cells.to_numpy(dtype=object),
    Kind.ANY: _anything,
}


def _plain_integers(cells: pd.Series) -> pd.Series:
    if pd.api.types.is_integer_dtype(cells.dtype) and not cells.hasnans:
        return cells.astype(np.int64).reset_index(drop=True)
    values = pd.Series(numbers(cells))
    whole = bool((values == values.round()).all())
    return values.astype(np.int64) if whole else values


def _plain_booleans(cells: pd.Series) -> pd.Series:
    values = pd.Series(booleans(cells))
    return values.astype(object).map(bool, na_action="ignore") if values.hasnans else values.astype(bool)


# What pandas.read_csv would give, which is what a user's function expects: int64 as long as nothing is
# missing, float64, bool, str, datetime64.
FOR_FUNCTIONS: dict[Kind, Callable[[pd.Series], pd.Series]] = {
    Kind.INTEGER: _plain_integers,
    Kind.NUMBER: lambda cells: pd.Series(numbers(cells)),
    Kind.BOOLEAN: _plain_booleans,
    Kind.TEXT: lambda cells: pd.Series(texts(cells), dtype="str"),
    Kind.DATETIME: lambda cells: datetimes(cells).reset_index(drop=True),
    Kind.NESTED: lambda cells: cells.reset_index(drop=True),
    Kind.ANY: lambda cells: cells.reset_index(drop=True),
}


def _stored_integers(cells: pd.Series) -> pd.Series:
    if pd.api.types.is_integer_dtype(cells.dtype):
        return cells.astype("Int64").reset_index(drop=True)
    whole = [_whole(cell) for cell in cells]
    blank = _is_blank(cells)
    _refuse(
        cells, np.array([number is None for number in whole], dtype=bool) & ~blank, "a whole number of at most 64 bits"
    )
    return pd.Series(whole, dtype="Int64")


def _whole(cell: Any) -> int | None:
    """The integer that a cell stands for, exactly; None if it stands for none."""
    try:
        value = Decimal(cell.strip() if isinstance(cell, str) else cell)
    except (ArithmeticError, TypeError, ValueError):
        return None
    if isinstance(cell, float) and abs(cell) >= EXACT:
        return None
    if not value.is_finite() or value.adjusted() > 20 or value != value.to_integral_value():
        return None
    number = int(value)
    return number if -(2**63) <= number < 2**63 else None


# What training data is stored as: pandas' nullable types, exact.
FOR_STORAGE: dict[Kind, Callable[[pd.Series], pd.Series]] = {
    Kind.INTEGER: _stored_integers,
    Kind.NUMBER: lambda cells: pd.Series(numbers(cells)),
    Kind.BOOLEAN: lambda cells: pd.Series(booleans(cells)).astype("boolean"),
    Kind.TEXT: lambda cells: pd.Series(texts(cells), dtype="str"),
    Kind.DATETIME: lambda cells: datetimes(cells).reset_index(drop=True),
    Kind.NESTED: lambda cells: cells.reset_index(drop=True),
    Kind.ANY: lambda cells: cells.reset_index(drop=True),
}
