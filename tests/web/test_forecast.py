"""The guide's forecast over HTTP: timestamps in every form, every verb, and what goes wrong."""

import io
import json
from contextlib import contextmanager

import joblib
import numpy as np
import pandas as pd
import pytest

from server.errors import ConfigError
from server.tables.writing import write_table
from tests.web.conftest import assert_problem
from tests.web.forecasting import AHEAD, MODEL, NEXT, PLACE, QUICK, QUIET, URL, forecast, own

pytestmark = [QUIET, pytest.mark.slow]


@pytest.fixture
def client(make_client):
    return make_client(forecast())


@pytest.fixture
def unchanged_forecast():
    """`with unchanged_forecast(client):` fails if the endpoint answers otherwise afterwards."""

    def state(client):
        return tuple(client.get(f"{URL}{query}").json for query in ("?_params", "?_model", "?_cache", PLACE))

    @contextmanager
    def check(client):
        before = state(client)
        yield
        assert state(client) == before

    return check


def test_the_guides_example_answers_what_statsmodels_answers(make_client, inflation):
    client = make_client(forecast(MODEL))
    expected = own(inflation, (7, 1, 0))
    assert client.post(f"{URL}?_action=retrain").json["score"] == pytest.approx(expected.mae)
    ahead = client.post(URL, json=AHEAD).json
    assert ahead == pytest.approx(expected.forecast(3, exog=[[0.01], [0.02], [-0.01]]).tolist())
    within = client.post(URL, json=json.loads(inflation[["index", "Dp"]].to_json(orient="records"))).json
    assert within == pytest.approx(expected.predict().tolist())
    second = make_client(forecast(MODEL))
    assert second.post(URL, json=AHEAD).json == ahead


def test_rows_in_any_order_get_their_own_forecasts(client):
    together = client.post(URL, json=AHEAD).json
    assert client.post(URL, json=AHEAD[::-1]).json == together[::-1]
    query = {"index": [row["index"] for row in AHEAD], "Dp": [row["Dp"] for row in AHEAD]}
    assert client.get(URL, query_string=query).json == together


@pytest.mark.parametrize(
    "index", ["1999-03-31", "1999-03-31T00:00:00", "1999-03-31T00:00:00Z", 922838400000, "922838400000"]
)
def test_a_timestamp_may_be_text_or_epoch_milliseconds(client, index):
    expected = client.get(URL, query_string=NEXT).json
    assert client.get(URL, query_string=NEXT | {"index": index}).json == expected
    assert client.post(URL, json=[NEXT | {"index": index}]).json == expected


@pytest.mark.parametrize("door", ["csv", "json", "jsonl", "xlsx", "parquet"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_files_with_timestamps(client, door, zone):
    rows = pd.DataFrame(AHEAD).assign(index=lambda data: pd.to_datetime(data["index"]))
    if zone and door != "xlsx":
        rows["index"] = rows["index"].dt.tz_localize(zone)
    data = {"file": (io.BytesIO(write_table(rows, door)), f"rows.{door}")}
    assert client.post(URL, data=data).json == client.post(URL, json=AHEAD).json


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (AHEAD[1:], ["2 rows", "none for 1999-03-31"][1:]),
        ([AHEAD[0], AHEAD[2]], ["up to 1999-09-30", "none for 1999-06-30"]),
        ([*AHEAD, NEXT], ["row 4", "1999-03-31 stands more than once"]),
        ([NEXT | {"index": "1999-04-01"}], ["row 1", "1999-04-01 is no step of the series", "QE-DEC"]),
        ([NEXT | {"index": "1950-03-31"}], ["lies before the training data, which begin 1972-06-30"]),
        ([NEXT | {"index": "9999-12-31"}], ["every step after 1998-12-31"]),
        ([NEXT | {"index": "soon"}], ["index: 'soon' is not an ISO 8601 date or time"]),
        ([NEXT | {"index": None}], ["index: None is not"]),
        ([NEXT, AHEAD[1] | {"Dp": None}], ["row 2", "Dp: a forecast needs every exogenous value"]),
        ([NEXT | {"Dp": "high"}], ["Dp: 'high' is not a number"]),
        ([{"index": "1999-03-31"}], ["1 column is missing: 'Dp'"]),
        ([{"Dp": 0.01}], ["1 column is missing: 'index'"]),
        ([{"date": "1999-03-31", "Dp": 0.01}], ["'index'"]),
    ],
)
def test_rows_that_do_not_fit_the_series_are_named(client, unchanged_forecast, rows, words):
    with unchanged_forecast(client):
        assert_problem(client.post(URL, json=rows), 400, *words)


def test_outputs(client):
    value = client.post(URL, json=[NEXT]).json
    assert client.post(f"{URL}?_output=records", json=[NEXT]).json == [NEXT | {"R": value[0]}]
    csv = client.post(f"{URL}?_format=csv&_output=records", json=[NEXT]).get_data(as_text=True)
    assert csv.splitlines()[1].endswith(str(value[0]))
    assert_problem(client.post(f"{URL}?_output=proba", json=[NEXT]), 400, "SARIMAX has no probabilities")
    assert client.post(URL, json=[]).json == []


def test_scores(client, inflation):
    rows = json.loads(inflation.tail(10).to_json(orient="records"))
    predictions = np.array(client.post(URL, json=[{"index": row["index"], "Dp": row["Dp"]} for row in rows]).json)
    error = np.abs(predictions - inflation["R"].tail(10)).mean()
    assert client.post(f"{URL}?_action=score", json=rows).json["score"] == pytest.approx(error)
    metric = client.post(f"{URL}?_action=score&_metric=neg_mean_absolute_error", json=rows)
    assert metric.json["score"] == pytest.approx(-error)
    assert client.post(f"{URL}?_action=score&_metric=r2").json["score"] > 0.5
    assert client.post(f"{URL}?_action=score").json == client.post(f"{URL}?_action=retrain").json
    assert_problem(client.post(f"{URL}?_action=score&_metric=accuracy"), 400, "accuracy cannot be had")
    assert_problem(client.post(f"{URL}?_action=score", json=[NEXT]), 400, "target column 'R' is missing")


def test_the_descriptions_hold_the_fit_and_no_nan(client, inflation):
    text = client.get(f"{URL}?_params").get_data(as_text=True)
    assert "NaN" not in text
    described = json.loads(text)
    assert described["params"] == {"class": "SARIMAX", "params": {"order": [1, 0, 0]}}
    assert (described["opts"]["index_col"], described["opts"]["target_col"]) == ("index", "R")
    assert described["attrs"]["params"] == pytest.approx(own(inflation).params.to_dict(), rel=1e-3)
    assert described["attrs"]["freq"] == "QE-DEC"
    assert "SARIMAX Results" in described["attrs"]["summary"]
    model = client.get(f"{URL}?_model").json
    assert (model["model"], model["params"]["order"]) == ("SARIMAX", [1, 0, 0])
    assert {"seasonal_order", "trend", "enforce_stationarity", "freq"} <= model["params"].keys()


def test_the_page_of_a_forecast_is_shown(client):
    answer = client.get(URL)
    assert (answer.status_code, "SARIMAX" in answer.get_data(as_text=True)) == (200, True)


def test_appended_quarters_are_learned_by_the_next_training(client):
    quarters = [row | {"R": 0.04} for row in AHEAD]
    assert client.post(f"{URL}?_action=append", json=quarters).json == {"rows": 110, "appended": 3}
    assert_problem(client.post(URL, json=[{"index": "1999-12-31", "Dp": 0.01}]), 400, "none for 1999-03-31")
    assert client.post(f"{URL}?_action=retrain").status_code == 200
    assert len(client.post(URL, json=[{"index": "1999-12-31", "Dp": 0.01}]).json) == 1


def test_the_downloaded_file_forecasts_without_this_server(client):
    with client.get(f"{URL}?_download") as answer:
        results = joblib.load(io.BytesIO(answer.get_data()))
    assert results.forecast(1, exog=[[0.01]]).tolist() == pytest.approx(client.post(URL, json=[NEXT]).json)


def test_deleting_the_model(client):
    assert client.delete(f"{URL}?_model").json == {"deleted": ["model"]}
    assert_problem(client.post(URL, json=[NEXT]), 404)
    assert client.post(f"{URL}?_action=retrain").status_code == 200
    assert len(client.post(URL, json=[NEXT]).json) == 1


def test_from_a_forecast_to_a_regression_and_back(client):
    before = client.post(URL, json=AHEAD).json
    assert client.put(f"{URL}?_model&class=LinearRegression").json["model"] == "LinearRegression"
    assert client.post(URL, json=AHEAD).json == before
    assert client.post(f"{URL}?_action=retrain").json["score"] < 1
    assert len(client.get(f"{URL}?Dp=0.01").json) == 1
    assert client.put(f"{URL}?_model&class=SARIMAX&order=(1,0,0)").json["params"]["order"] == [1, 0, 0]
    assert client.post(f"{URL}?_action=retrain").status_code == 200
    assert client.post(URL, json=AHEAD).json == pytest.approx(before)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("order=(1,0)", ["'order' of SARIMAX must be 3 whole numbers (p, d, q)"]),
        ("order=many", ["3 whole numbers"]),
        ("seasonal_order=(1,0,0,1)", ["period s of at least 2"]),
        ("trend=up", ["'trend'"]),
        ("freq=quarterly", ["one of pandas' frequencies", "QE"]),
        ("simple_differencing=true", ["must be false"]),
        ("ordr=(1,0,0)", ["did you mean 'order'"]),
        ("C=1", ["SARIMAX has no parameter 'C'"]),
    ],
)
def test_a_wrong_parameter_is_refused_at_once(client, unchanged_forecast, query, words):
    with unchanged_forecast(client):
        assert_problem(client.put(f"{URL}?{query}"), 400, *words)


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"ordr": [1, 0, 0]}, "params.ordr"),
        ({"trend": "up"}, "params.trend"),
        ({"order": [1, 0]}, "params.order"),
        ({"freq": "Q1"}, "params.freq"),
        ({"order": [1, 0, 0], "trend": "c", "seasonal_order": [1, 1, 1, 365]}, "params.seasonal_order"),
        ({"time_varying_regression": True, "mle_regression": True}, "params.time_varying_regression"),
        ({"order": [1, 0], "freq": "Q1"}, "params"),
    ],
)
def test_a_wrong_parameter_stops_the_start(make_client, params, path):
    with pytest.raises(ConfigError, match=f"url.mlhandler-forecast.kwargs.model.{path}: "):
        make_client(forecast(QUICK | {"params": params}))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"index_col": None}, ["SARIMAX needs the column of timestamps", "index_col"]),
        ({"index_col": "indx"}, ["'indx' is not in the training data", "did you mean 'index'"]),
        ({"target_col": None}, ["SARIMAX learns to predict a column", "target_col"]),
        ({"target_col": "Rate"}, ["'Rate' is not in the training data"]),
        ({"index_col": "R", "target_col": "Dp"}, ["is not an ISO 8601 date or time"]),
        ({"params": {"freq": "MS"}}, ["107 timestamps do not lie on the frequency 'MS'"]),
    ],
)
def test_options_that_do_not_fit_the_data_are_told_by_the_training(trained_on, inflation, model, words):
    assert_problem(trained_on(inflation, **model)[1], 400, *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: pd.concat([rows, rows.iloc[[3]].assign(R=9)]), ["1973-03-31 stands more than once"]),
        (lambda rows: rows.assign(word="high"), ["exogenous column 'word' holds text"]),
        (lambda rows: rows.assign(R="high"), ["target holds text"]),
        (lambda rows: rows.head(2), ["three tell a frequency"]),
        (lambda rows: rows.assign(index=rows["index"].str.replace("-", "Q")), ["is not an ISO 8601 date or time"]),
        (lambda rows: rows.drop(index=[20, 21, 50]), ["between 1977-03-31 and 1977-12-31 lie 275 days"]),
    ],
)
def test_rows_that_are_no_series_are_told_by_the_training(trained_on, inflation, change, words):
    assert_problem(trained_on(change(inflation))[1], 400, *words)
