"""Which columns and which rows of the stored data are trained on."""

from collections.abc import Collection, Sequence

import pandas as pd


def select_columns(
    rows: pd.DataFrame, include: Collection[str], exclude: Collection[str], always: Collection[str | None]
) -> pd.DataFrame:
    """The columns to train on, `always` among them; `include` wins over `exclude`."""
    if include:
        kept = [name for name in rows.columns if name in include or name in always]
    else:
        kept = [name for name in rows.columns if name not in exclude or name in always]
    return rows[kept]


def select_rows(
    rows: pd.DataFrame, dropna: bool | Sequence[str], drop_duplicates: bool | Sequence[str]
) -> pd.DataFrame:
    """The rows to train on: without missing cells and repeated rows, as far as the options say.

    A list limits either option to its columns; names that the rows do not have are passed over.
    """
    for option, method in ((dropna, _without_gaps), (drop_duplicates, _without_repeats)):
        if option is True:
            rows = method(rows, list(rows.columns))
        elif option:
            rows = method(rows, [name for name in option if name in rows.columns])
    return rows.reset_index(drop=True)


def _without_gaps(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return rows.dropna(subset=names) if names else rows


def _without_repeats(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    if not names:
        return rows
    try:
        return rows[~rows.duplicated(subset=names)]
    except TypeError:
        # Lists and objects cannot be compared by hash; their text can.
        return rows[~rows[names].astype(str).duplicated()]


def unknown_columns(rows: pd.DataFrame, options: dict[str, object]) -> dict[str, list[str]]:
    """Options that name columns which the rows do not have: option → names."""
    unknown = {}
    for option, value in options.items():
        names = [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
        absent = [name for name in names if name not in rows.columns]
        if absent:
            unknown[option] = absent
    return unknown
