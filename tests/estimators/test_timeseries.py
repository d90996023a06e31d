"""SARIMAX behind the interface answers what statsmodels itself answers, whatever the order of the rows."""

import joblib
import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.statespace import sarimax as statespace

from server.errors import BadRequest, InvalidParameter, InvalidRows, ModelUnreadable, UntrainableRows
from server.estimators.loading import load_estimator
from server.estimators.sarimax import SARIMAX
from server.estimators.timeseries import TimeSeriesEstimator
from tests.conftest import ROOT

# statsmodels' own fits beside ours warn of hard starts; the numbers are compared.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.ModelWarning"),
]
ORDER = (2, 1, 0)


@pytest.fixture(scope="module")
def inflation():
    """The quarters, indexed by their timestamps."""
    rows = pd.read_csv(ROOT / "data" / "inflation.csv", parse_dates=["index"], index_col="index")
    return rows.asfreq("QE")


@pytest.fixture(scope="module")
def fitted(inflation):
    return fit(inflation)


@pytest.fixture(scope="module")
def expected(inflation):
    """statsmodels' own results."""
    return statespace.SARIMAX(inflation["R"], inflation[["Dp"]], order=ORDER).fit(disp=False)


def fit(rows, target="R", **params):
    estimator = TimeSeriesEstimator.create({"order": ORDER} | params)
    estimator.fit(rows.drop(columns=target).set_axis(pd.DatetimeIndex(rows.index)), rows[target].to_numpy())
    return estimator


def later(periods, values=0.01, freq="QE", after="1998-12-31"):
    index = pd.date_range(after, periods=periods + 1, freq=freq)[1:]
    return pd.DataFrame({"Dp": np.broadcast_to(values, periods)}, index=index)


def series(index, seed=0):
    """A random walk with one exogenous column on these timestamps."""
    random = np.random.default_rng(seed)
    values = {"Dp": random.normal(size=len(index)), "R": np.cumsum(random.normal(size=len(index)))}
    return pd.DataFrame(values, index=index)


def test_the_parameters_are_those_of_statsmodels(fitted, expected):
    np.testing.assert_allclose(fitted.results.params, expected.params)
    attributes = fitted.attributes()
    assert attributes["params"] == pytest.approx(expected.params.to_dict())
    assert attributes["aic"] == pytest.approx(expected.aic)
    assert attributes["freq"] == "QE-DEC"
    assert "SARIMAX Results" in attributes["summary"]


def test_the_summary_tells_all_but_the_time_of_the_day(fitted):
    own = str(fitted.results.summary())
    told = fitted.attributes()["summary"]
    words = set(own.split()) - set(told.split())
    assert {"Date:", "Time:"} <= words
    assert not words & {"AIC", "BIC", "HQIC", "Sample:", "Covariance", "opg"}
    assert len(own.splitlines()) - len(told.splitlines()) == 2


def test_a_constant_series_is_described_without_warnings(recwarn):
    rows = pd.DataFrame(index=pd.date_range("2000-01-01", periods=40, freq="D"))
    estimator = TimeSeriesEstimator.create({"order": (1, 1, 1)})
    estimator.fit(rows, np.full(40, 3.0))
    recwarn.clear()
    assert "nan" in estimator.attributes()["summary"]
    assert not recwarn.list


def test_predictions_within_the_training_are_statsmodels_own(fitted, expected, inflation):
    np.testing.assert_allclose(fitted.predict(inflation[["Dp"]]), expected.predict())


def test_predictions_beyond_it_are_statsmodels_own(fitted, expected):
    ahead = later(6, [0.01, 0.02, -0.01, 0.0, 0.03, 0.005])
    np.testing.assert_allclose(fitted.predict(ahead), expected.get_forecast(6, exog=ahead).predicted_mean)


def test_rows_of_both_ranges_in_any_order(fitted, expected, inflation):
    ahead = later(3, [0.01, 0.02, -0.01])
    rows = pd.concat([inflation[["Dp"]].tail(4), ahead]).sample(frac=1, random_state=4)
    both = pd.concat([expected.predict(), expected.get_forecast(3, exog=ahead).predicted_mean])
    np.testing.assert_allclose(fitted.predict(rows), both[rows.index])


def test_training_rows_in_any_order_give_the_same_model(expected, inflation):
    shuffled = fit(inflation.sample(frac=1, random_state=1))
    np.testing.assert_allclose(shuffled.results.params, expected.params)


def test_the_score_is_the_mean_absolute_error(fitted, expected, inflation):
    score = fitted.score(inflation[["Dp"]], inflation["R"].to_numpy())
    assert score == pytest.approx(np.abs(inflation["R"] - expected.predict()).mean())
    assert score == pytest.approx(expected.mae)
    negative = fitted.score(inflation[["Dp"]], inflation["R"].to_numpy(), "neg_mean_absolute_error")
    assert negative == pytest.approx(-score)


def test_saved_and_loaded_it_forecasts_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "model.pkl")
    loaded = load_estimator(tmp_path / "model.pkl")
    np.testing.assert_array_equal(loaded.predict(later(4)), fitted.predict(later(4)))
    assert loaded.timeline.freq == "QE-DEC"
    assert loaded.parameters()["order"] == list(ORDER)


def test_the_file_forecasts_without_this_server(fitted, tmp_path):
    fitted.save(tmp_path / "model.pkl")
    results = joblib.load(tmp_path / "model.pkl")
    assert type(results).__module__.startswith("statsmodels.")
    np.testing.assert_allclose(results.forecast(4, exog=later(4)), fitted.predict(later(4)))
    assert results.forecast(1, exog=[[0.1]]).index[0] == pd.Timestamp("1999-03-31")


FREQUENCIES = ["MS", "ME", "QS", "QE", "YS", "YE", "D", "B", "W", "h", "5min", "s", "BME", "2D", "QE-NOV"]


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_the_frequency_is_found_out_and_kept(freq, tmp_path):
    rows = series(pd.date_range("2001-01-01", periods=30, freq=freq))
    estimator = fit(rows, order=(1, 0, 0))
    estimator.save(tmp_path / "model.pkl")
    loaded = load_estimator(tmp_path / "model.pkl")
    ahead = later(3, freq=freq, after=rows.index[-1])
    own = statespace.SARIMAX(rows["R"], rows[["Dp"]], order=(1, 0, 0)).fit(disp=False)
    np.testing.assert_allclose(loaded.predict(ahead), own.forecast(3, exog=ahead), rtol=1e-5)


def test_a_frequency_can_be_given_where_none_is_to_be_found(inflation):
    gaps = inflation.drop(index=inflation.index[[20, 50]])
    with pytest.raises(UntrainableRows, match=r"between 1977-03-31 and 1977-09-30 lie 183 days.*params: \{freq"):
        fit(gaps)
    estimator = fit(gaps, freq="QE")
    missing = inflation["R"].where(inflation.index.isin(gaps.index))
    own = statespace.SARIMAX(missing, inflation[["Dp"]], order=ORDER).fit(disp=False)
    np.testing.assert_allclose(estimator.predict(later(3)), own.forecast(3, exog=later(3)), rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: pd.concat([rows, rows.iloc[[3]]]), "1973-03-31 stands more than once"),
        (lambda rows: rows.head(2), "there are 2 of them, and three tell a frequency"),
        (lambda rows: rows.head(1), "there are 1 of them"),
        (lambda rows: rows.assign(Dp="high"), "exogenous column 'Dp' holds text"),
        (lambda rows: rows.assign(Dp=np.nan), "exogenous column 'Dp' has missing cells"),
        (lambda rows: rows.assign(R="high"), "the target holds text"),
    ],
)
def test_rows_that_are_no_series_are_refused(inflation, change, words):
    with pytest.raises(UntrainableRows, match=words):
        fit(change(inflation).astype({"Dp": object} if "text" in words and "Dp" in words else {}))


@pytest.mark.parametrize(
    ("freq", "words"),
    [
        ("MS", "107 timestamps do not lie on the frequency 'MS', the first is 1972-06-30"),
        ("s", "too far apart"),
        ("1000000YE", "the steps of the frequency '1000000YE' are longer than the calendar"),
        ("9999999999D", "longer than the calendar"),
    ],
)
def test_a_frequency_that_does_not_fit_is_refused(inflation, freq, words):
    with pytest.raises(UntrainableRows, match=words):
        fit(inflation, freq=freq)


def test_without_exogenous_columns_steps_may_be_left_out(inflation):
    estimator = fit(inflation[["R"]])
    own = statespace.SARIMAX(inflation["R"], order=ORDER).fit(disp=False).forecast(8)
    rows = later(8).iloc[[7, 2]][[]]
    np.testing.assert_allclose(estimator.predict(rows), own[rows.index])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (later(3).drop(index="1999-06-30"), r"every step after 1998-12-31 up to 1999-09-30 .* none for 1999-06-30"),
        (later(40).tail(1), r"39 rows .* 1999-03-31, 1999-06-30, 1999-09-30, 1999-12-31, 2000-03-31, …"),
        (pd.concat([later(1), later(1)]), "row 2, index: 1999-03-31 stands more than once"),
        (later(1).set_axis(pd.DatetimeIndex(["1999-03-30"])), "row 1, index: 1999-03-30 is no step of the series"),
        (later(1).set_axis(pd.DatetimeIndex(["1999-03-31T12:00"])), "1999-03-31T12:00:00 is no step"),
        (later(1).set_axis(pd.DatetimeIndex(["1960-03-31"])), "lies before the training data, which begin 1972-06-30"),
        (later(1).set_axis(pd.DatetimeIndex(["1975-01-31"])), "is no step of the series"),
        (later(2, [0.01, np.nan]), "row 2, Dp: a forecast needs every exogenous value"),
    ],
)
def test_rows_that_do_not_fit_the_series_are_refused(fitted, rows, words):
    with pytest.raises(InvalidRows, match=words):
        fitted.predict(rows)


def test_a_far_future_is_refused_before_it_costs_time():
    estimator = fit(series(pd.date_range("2001-01-01", periods=30, freq="h"))[["R"]], order=(1, 0, 0))
    with pytest.raises(InvalidRows, match="more than 100000 steps after"):
        estimator.predict(pd.DataFrame(index=pd.DatetimeIndex(["2101-01-01"])))


def test_how_far_a_forecast_reaches_depends_on_the_size_of_the_model():
    rows = series(pd.date_range("2001-01-01", periods=60, freq="h"))[["R"]]
    estimator = fit(rows, order=(1, 0, 0), seasonal_order=(1, 0, 0, 24))
    reached = rows.index[-1] + pd.Timedelta(hours=16_000)
    with pytest.raises(InvalidRows, match="more than 16000 steps after the training data, too far for this model"):
        estimator.predict(pd.DataFrame(index=[reached + pd.Timedelta(hours=1)]))
    assert np.isfinite(estimator.predict(pd.DataFrame(index=[rows.index[-1] + pd.Timedelta(hours=100)]))).all()


def test_how_many_steps_are_learned_depends_on_the_size_of_the_model():
    rows = series(pd.date_range("2001-01-01", periods=700, freq="D"))[["R"]]
    with pytest.raises(UntrainableRows, match="700 steps are too many for a model of 120 states, .* from 694 at most"):
        fit(rows, order=(1, 0, 0), seasonal_order=(1, 0, 0, 119))


def test_other_exogenous_values_within_the_training_take_the_place_of_the_trained(fitted, inflation):
    rows = inflation[["Dp"]].tail(1) + 1
    own = statespace.SARIMAX(inflation["R"], pd.concat([inflation[["Dp"]].head(-1), rows]), order=ORDER)
    np.testing.assert_allclose(fitted.predict(rows), own.filter(fitted.results.params).predict().tail(1))
    np.testing.assert_allclose(fitted.predict(later(1)), fitted.results.forecast(1, exog=[[0.01]]))


@pytest.mark.parametrize(
    "params",
    [
        {"order": (1, 0, 0), "seasonal_order": (1, 0, 0, 4)},
        {"order": (0, 1, 1), "trend": "t"},
        {"order": (1, 0, 0), "trend": "c"},
        {"order": ([1, 0, 1], 0, 0)},
        {"order": (1, 0, 0), "mle_regression": False},
        {"order": (1, 0, 1), "enforce_stationarity": False, "enforce_invertibility": False},
    ],
)
def test_parameters_mean_what_they_mean_to_statsmodels(inflation, params):
    estimator = fit(inflation, **params)
    own = statespace.SARIMAX(inflation["R"], inflation[["Dp"]], **params).fit(disp=False)
    np.testing.assert_allclose(estimator.predict(later(3)), own.forecast(3, exog=later(3)), rtol=1e-5)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"order": (1, 0)}, r"'order' of SARIMAX must be 3 whole numbers \(p, d, q\)"),
        ({"order": (-1, 0, 0)}, "3 whole numbers"),
        ({"order": (1.5, 0, 0)}, "3 whole numbers"),
        ({"order": "many"}, "3 whole numbers"),
        ({"seasonal_order": (1, 0, 0)}, "4 whole numbers"),
        ({"seasonal_order": (1, 0, 0, 1)}, "period s of at least 2"),
        ({"trend": "up"}, "'trend' parameter of SARIMAX"),
        ({"freq": "quarterly"}, "one of pandas' frequencies"),
        ({"simple_differencing": True}, "must be false"),
        ({"trend_offset": 1.5}, "whole number"),
        ({"seasonal_order": (0, 0, 0, 1)}, "period s of at least 2"),
        ({"freq": "0D"}, "'freq' of SARIMAX must lead from one timestamp to a later one, not '0D'"),
        ({"freq": "-1D"}, "to a later one"),
        ({"freq": "99999999999999999999D"}, "one of pandas' frequencies"),
        ({"order": (31, 0, 0)}, "31 terms to estimate; 30 are allowed"),
        ({"order": (9, 0, 9), "seasonal_order": (9, 0, 9, 2)}, "36 terms"),
        ({"trend": [1] * 31}, "32 terms"),
        ({"order": (1, 0, 10**9)}, "terms"),
        ({"order": (1, 10**9, 0)}, "states; 120 are allowed"),
        ({"order": (1, 0, 0), "seasonal_order": (0, 1, 1, 168)}, "a model of 337 states"),
        ({"order": ([0] * 120 + [1], 0, 0)}, "a model of 121 states"),
    ],
)
def test_wrong_parameters_are_named(params, words):
    with pytest.raises(InvalidParameter, match=words):
        TimeSeriesEstimator.create(params)


@pytest.mark.parametrize(
    "params",
    [
        {"order": (0, 0, 0)},
        {"order": (2, 1, 3)},
        {"order": ([1, 0, 1, 0], 0, [0, 1])},
        {"order": (1, 1, 1), "seasonal_order": (1, 1, 1, 12)},
        {"order": (0, 1, 0), "seasonal_order": ([0, 1], 1, [1, 0], 4)},
        {"order": (0, 0, 0), "mle_regression": False},
        {"order": (0, 0, 0), "mle_regression": False, "time_varying_regression": True},
        {"order": (1, 1, 0), "mle_regression": False, "time_varying_regression": True},
    ],
)
def test_the_states_are_counted_as_statsmodels_does(inflation, params):
    assert (
        SARIMAX(**params).states(exogenous=1)
        == statespace.SARIMAX(inflation["R"], inflation[["Dp"]], **params).k_states
    )


def test_a_constant_exogenous_column(inflation):
    constant = inflation.assign(Dp=1.0)
    assert np.isfinite(fit(constant, order=(1, 0, 0)).predict(later(2, 1.0))).all()
    with pytest.raises(UntrainableRows, match="column of constants"):
        fit(constant, order=(1, 0, 0), trend="c")


def test_there_are_no_probabilities(fitted, inflation):
    with pytest.raises(BadRequest, match="SARIMAX has no probabilities"):
        fitted.predict_proba(inflation[["Dp"]])


def test_no_rows_give_no_predictions(fitted, inflation):
    assert fitted.predict(inflation[["Dp"]].head(0)).shape == (0,)


# Results that somebody else pickled.


def foreign(rows, **params):
    return statespace.SARIMAX(rows["R"], rows[["Dp"]], **({"order": (1, 0, 0)} | params)).fit(disp=False)


def test_a_foreign_model_tells_its_columns_and_parameters(inflation):
    estimator = TimeSeriesEstimator.of(foreign(inflation, trend="c"))
    assert estimator.parameters() == SARIMAX(order=[1, 0, 0], seasonal_order=[0, 0, 0, 0], trend="c").get_params() | {
        "freq": "QE-DEC"
    }
    schema = estimator.schema(None)
    assert [column.name for column in schema.inputs] == ["index", "Dp"]
    assert schema.target.name == "R"


def test_a_foreign_model_whose_frequency_statsmodels_found_out(inflation):
    rows = inflation.set_axis(pd.DatetimeIndex(inflation.index.to_numpy(), name="index"))
    assert rows.index.freq is None
    own = foreign(rows)
    np.testing.assert_allclose(TimeSeriesEstimator.of(own).predict(later(2)), own.forecast(2, exog=later(2)))


def test_a_foreign_model_without_timestamps_is_refused(inflation):
    with pytest.raises(ModelUnreadable, match="without timestamps"):
        TimeSeriesEstimator.of(foreign(inflation.reset_index(drop=True)))


def test_a_foreign_model_of_differences_is_refused(inflation):
    with pytest.raises(ModelUnreadable, match="predictions are differences, not values"):
        TimeSeriesEstimator.of(foreign(inflation, order=(1, 1, 0), simple_differencing=True))


def test_a_foreign_model_of_periods_is_refused(inflation):
    with pytest.raises(ModelUnreadable, match="fitted on periods"):
        TimeSeriesEstimator.of(foreign(inflation.to_period()))


def test_another_time_series_model_of_statsmodels_is_refused(inflation, tmp_path):
    joblib.dump(ARIMA(inflation["R"], order=(1, 0, 0)).fit(), tmp_path / "model.pkl")
    with pytest.raises(ModelUnreadable, match="ARIMAResultsWrapper is not served; .* SARIMAX is"):
        load_estimator(tmp_path / "model.pkl")


def test_a_foreign_model_without_its_data_is_refused(inflation, tmp_path):
    results = foreign(inflation)
    results.remove_data()
    joblib.dump(results, tmp_path / "model.pkl")
    with pytest.raises(ModelUnreadable, match="lacks its data"):
        load_estimator(tmp_path / "model.pkl")
