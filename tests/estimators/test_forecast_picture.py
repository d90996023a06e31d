"""The picture of a time series."""

import numpy as np
import pandas as pd
import pytest

from server.estimators.pictures import picture_names
from server.estimators.timeseries import TimeSeriesEstimator
from tests.conftest import ROOT
from tests.estimators.samples import drawn


@pytest.fixture(scope="module")
def series():
    """A fitted SARIMAX with an exogenous column, and the features that it was fitted on."""
    rows = pd.read_csv(ROOT / "data" / "inflation.csv")
    features = pd.DataFrame({"Dp": rows["Dp"].to_numpy()}, index=pd.DatetimeIndex(rows["index"], name="index"))
    estimator = TimeSeriesEstimator.create({"order": (2, 1, 0)})
    estimator.fit(features, rows["R"].to_numpy())
    return estimator, features


def test_a_forecast_shows_what_was_observed_and_what_comes(series):
    estimator, features = series
    assert picture_names(estimator, has_target=True) == ("forecast",)
    texts = drawn(estimator, "forecast", features)
    assert {"observed", "predicted", "95 % interval"} <= set(texts)
    assert "107 steps (QE-DEC) and 17 ahead; exogenous columns stay at their last values" in texts


def test_of_a_long_time_series_the_end_is_shown():
    moments = pd.date_range("2000-01-01", periods=400, name="day")
    estimator = TimeSeriesEstimator.create({"order": (1, 0, 0)})
    estimator.fit(pd.DataFrame(index=moments), np.sin(np.arange(400)))
    texts = drawn(estimator, "forecast", pd.DataFrame(index=moments))
    assert "the last 150 of 400 steps (D) and 24 ahead" in texts
