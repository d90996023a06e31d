"""The stored rows at a glance: the same numbers as pandas counts."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from server.service.stored import StoredData
from server.storage.files import Lock
from server.storage.training_data import TrainingData


@pytest.fixture
def data(tmp_path):
    return TrainingData(tmp_path / "training_data", Lock(tmp_path / "data.lock"))


def by_name(data):
    return {column.name: column for column in data.summary()}


def test_columns_are_counted_as_pandas_counts_them(data, titanic):
    data.replace(titanic.head(400))
    data.append(titanic.tail(491).reset_index(drop=True))
    for name, column in by_name(data).items():
        cells = titanic[name]
        assert column.missing == cells.isna().sum()
        assert column.distinct == cells.nunique()
        if pd.api.types.is_numeric_dtype(cells.dtype):
            assert (column.minimum, column.maximum) == (cells.min(), cells.max())
        else:
            assert column.frequent[0][1] == cells.value_counts().iloc[0]


def test_dates_lists_and_columns_without_any_value_are_told(data):
    day = datetime(2026, 1, 2, 3, 4)
    data.replace(pd.DataFrame({"day": [day, None], "list": [[1], [2]], "none": [np.nan, np.nan], "flag": [True, None]}))
    columns = by_name(data)
    assert (columns["day"].minimum, columns["day"].missing) == (day, 1)
    assert (columns["list"].kind, columns["list"].distinct) == ("nested", None)
    assert (columns["none"].missing, columns["none"].minimum, columns["none"].distinct) == (2, None, 0)
    assert columns["flag"].frequent == ((True, 1),)


def test_the_first_rows_are_the_first_that_came(data, titanic):
    data.replace(titanic.head(3))
    data.append(titanic.iloc[3:20].reset_index(drop=True))
    assert data.head(10)["PassengerId"].tolist() == list(range(1, 11))


def test_rows_are_counted_once_per_version(data, titanic, monkeypatch):
    data.replace(titanic)
    counted = []
    monkeypatch.setattr(data, "summary", lambda version: counted.append(version) or [])
    stored = StoredData(data, lambda: None)
    assert stored.summary().rows == 891
    stored.summary()
    assert len(counted) == 1
    data.append(titanic.head(1))
    assert stored.summary().rows == 892
    assert len(counted) == 2


def test_nothing_stored_and_nothing_left_are_an_empty_summary(data, titanic):
    stored = StoredData(data, lambda: None)
    assert stored.summary().rows == 0
    data.replace(titanic)
    data.clear()
    assert stored.summary().rows == 0
    assert stored.summary().columns == ()
