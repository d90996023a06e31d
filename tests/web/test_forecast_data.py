"""Which data a forecast learns from: frequencies, gaps, columns, transforms, and models that a user brings."""

import joblib
import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.statespace import sarimax as statespace

from tests.web.conftest import assert_problem
from tests.web.forecasting import AHEAD, NEXT, QUICK, QUIET, URL, forecast, own

pytestmark = [QUIET, pytest.mark.slow]


def walk(index):
    """A random walk on these timestamps."""
    random = np.random.default_rng(0)
    values = {"Dp": random.normal(size=len(index)), "R": np.cumsum(random.normal(size=len(index)))}
    return pd.DataFrame({"index": index, **values})


@pytest.mark.parametrize(
    ("index", "following", "freq"),
    [
        (range(1972, 2012), [2012, "2012", "2012-01-01"], "YS-JAN"),
        (pd.date_range("2000-01-31", periods=40, freq="ME"), ["2003-05-31"], "ME"),
        (pd.date_range("2000-01-01", periods=40, freq="MS").strftime("%Y-%m"), ["2003-05", "2003-05-01"], "MS"),
        (pd.date_range("2000-01-01", periods=40, freq="QS"), ["2010-01-01"], "QS-JAN"),
        (
            pd.date_range("2000-01-01", periods=40, freq="D").strftime("%Y%m%d").astype(int),
            [20000210, "2000-02-10"],
            "D",
        ),
        (pd.date_range("2000-01-01", periods=40, freq="h"), ["2000-01-02T16:00:00", "2000-01-02 16:00"], "h"),
        (pd.bdate_range("2000-01-03", periods=40), ["2000-02-28"], "B"),
        (range(946684800000, 946684800000 + 40 * 86400000, 86400000), [950140800000, "2000-02-10"], "D"),
    ],
    ids=["years", "month ends", "months as text", "quarters", "numbers of days", "hours", "business days", "epoch"],
)
def test_timestamps_of_every_kind(trained_on, index, following, freq):
    rows = walk(list(index))
    client, answer = trained_on(rows)
    assert answer.status_code == 200
    assert client.get(f"{URL}?_params").json["attrs"]["freq"] == freq
    answers = [client.post(URL, json=[{"index": moment, "Dp": 0.5}]) for moment in following]
    answers += [client.get(URL, query_string={"index": moment, "Dp": 0.5}) for moment in following]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    assert len({str(answer.json) for answer in answers}) == 1
    exogenous = rows[["Dp"]].to_numpy()
    plain = statespace.SARIMAX(rows["R"].to_numpy(), exogenous, order=(1, 0, 0)).fit(disp=False)
    assert answers[0].json == pytest.approx(plain.forecast(1, exog=[[0.5]]).tolist(), rel=1e-4)


@pytest.mark.parametrize(
    ("index", "moments"),
    [
        (range(0, 40 * 86400000, 86400000), [345600000, "345600000", "1970-01-05"]),
        (range(1972, 2012), [1980, "1980", "1980-01-01"]),
        (pd.date_range("1972-01-01", periods=40, freq="YS").strftime("%Y-%m-%d"), [1980, "1980", "1980-01-01"]),
    ],
    ids=["epoch of 1970", "years", "text"],
)
def test_a_short_number_is_the_same_moment_by_every_door(trained_on, index, moments):
    client, _ = trained_on(walk(list(index)))
    answers = [client.post(URL, json=[{"index": moment, "Dp": 1}]) for moment in moments]
    answers += [client.get(URL, query_string={"index": moment, "Dp": 1}) for moment in moments]
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({str(answer.json) for answer in answers}) == 1


@pytest.mark.parametrize("freq", ["D", "MS", "QS"])
def test_local_times_with_offsets_are_told_to_come_without(trained_on, freq):
    local = pd.date_range("2022-01-01", periods=200, freq=freq, tz="Europe/Berlin")
    client, answer = trained_on(walk([moment.isoformat() for moment in local]))
    assert_problem(answer, 400, "in UTC they lie at 22:00 and 23:00", "without zone or offset")
    rows = walk([moment.tz_localize(None).isoformat() for moment in local]).to_dict("records")
    assert client.post(f"{URL}?_action=train", json=rows).status_code == 200


def test_local_hours_with_offsets_are_a_series(trained_on):
    local = pd.date_range("2022-03-20", periods=400, freq="h", tz="Europe/Berlin")
    client, answer = trained_on(walk([moment.isoformat() for moment in local]))
    assert answer.status_code == 200
    following = local[-1] + pd.Timedelta(hours=1)
    answers = [
        client.post(URL, json=[{"index": moment.isoformat(), "Dp": 1}])
        for moment in (following, following.tz_convert("UTC"))
    ]
    assert answers[0].json == answers[1].json


def test_training_rows_in_any_order(trained_on, inflation):
    client, answer = trained_on(inflation.sample(frac=1, random_state=2))
    assert answer.json["score"] == pytest.approx(own(inflation).mae, rel=1e-3)
    assert client.post(URL, json=[NEXT]).json == pytest.approx(
        own(inflation).forecast(1, exog=[[0.01]]).tolist(), rel=1e-3
    )


@pytest.mark.parametrize("column", ["R", "Dp"])
def test_rows_that_dropna_leaves_out_are_missing_observations(trained_on, inflation, column):
    rows = inflation.assign(**{column: inflation[column].where(inflation.index != 20)})
    client, answer = trained_on(rows, params={"order": [1, 0, 0], "freq": "QE"})
    expected = own(inflation.assign(R=inflation["R"].where(inflation.index != 20)))
    assert answer.status_code == 200
    assert client.post(URL, json=[NEXT]).json == pytest.approx(expected.forecast(1, exog=[[0.01]]).tolist(), rel=1e-3)


@pytest.mark.parametrize("column", ["R", "Dp"])
def test_a_missing_cell_does_not_hide_the_frequency(trained_on, inflation, column):
    rows = inflation.assign(**{column: inflation[column].where(inflation.index != 20)})
    client, answer = trained_on(rows)
    assert answer.status_code == 200
    attributes, params = (client.get(f"{URL}?_params").json[name] for name in ("attrs", "params"))
    assert (attributes["freq"], attributes["nobs"]) == ("QE-DEC", 107)
    assert params["params"] == {"order": [1, 0, 0]}
    assert client.post(f"{URL}?_action=score").json["score"] == pytest.approx(answer.json["score"])


def test_a_remark_below_the_table_is_left_out(trained_on, inflation):
    assert trained_on(pd.concat([inflation, pd.DataFrame({"index": ["Source: statsmodels"]})]))[1].status_code == 200


def test_without_dropna_a_missing_exogenous_value_is_told(trained_on, inflation):
    rows = inflation.assign(Dp=inflation["Dp"].where(inflation.index != 20))
    assert_problem(trained_on(rows, dropna=False)[1], 400, "exogenous column 'Dp' has missing cells", "dropna=true")


def test_quarters_without_a_value_yet_are_left_out(trained_on, inflation):
    client, _ = trained_on(pd.concat([inflation, pd.DataFrame(AHEAD)]))
    assert client.post(URL, json=[NEXT]).json == pytest.approx(
        own(inflation).forecast(1, exog=[[0.01]]).tolist(), rel=1e-3
    )


@pytest.mark.parametrize("model", [{"exclude": ["Dp"]}, {"include": ["R"]}])
def test_without_exogenous_columns_only_timestamps_are_sent(trained_on, inflation, model):
    client, _ = trained_on(inflation, **model)
    far = client.get(f"{URL}?index=2010-03-31").json
    assert client.get(f"{URL}?index=2010-03-31&index=1999-03-31").json[0] == far[0]
    assert client.get(f"{URL}?index=2010-03-31&Dp=5").json == far


def test_include_chooses_the_exogenous_columns(trained_on, inflation):
    client, _ = trained_on(inflation.assign(noise=1, word="high"), include=["Dp"])
    assert client.get(f"{URL}?_params").json["attrs"]["params"].keys() == {"Dp", "ar.L1", "sigma2"}
    assert len(client.post(URL, json=[NEXT]).json) == 1


def test_the_index_column_may_be_named_with_the_data(make_client, inflation):
    model = {name: value for name, value in QUICK.items() if name != "index_col"}
    client = make_client(forecast(model, index_col="index"))
    assert client.get(f"{URL}?_params").json["opts"]["index_col"] == "index"
    assert client.post(URL, json=[NEXT]).json == pytest.approx(
        own(inflation).forecast(1, exog=[[0.01]]).tolist(), rel=1e-3
    )


def test_a_transform_may_make_exogenous_columns(make_client, inflation):
    text = "data.assign(quarter=pd.to_datetime(data['index']).dt.quarter)"
    client = make_client(forecast(transform=text))
    assert "quarter" in client.get(f"{URL}?_params").json["attrs"]["params"]
    rows = inflation.assign(quarter=pd.to_datetime(inflation["index"]).dt.quarter)
    indexed = rows.set_index(pd.DatetimeIndex(rows["index"], freq="QE"))
    results = statespace.SARIMAX(indexed["R"], indexed[["Dp", "quarter"]], order=(1, 0, 0)).fit(disp=False)
    expected = results.forecast(3, exog=[[0.01, 1], [0.02, 2], [-0.01, 3]])
    assert client.post(URL, json=AHEAD).json == pytest.approx(expected.tolist(), rel=1e-3)
    assert client.post(URL, json=AHEAD[::-1]).json == pytest.approx(expected.tolist()[::-1], rel=1e-3)
    assert client.post(f"{URL}?_action=score").json == client.post(f"{URL}?_action=retrain").json


# Results that a user pickled.


@pytest.fixture
def brought(make_client, tmp_path):
    """A client that serves these results."""

    def brought(results, **model):
        joblib.dump(results, tmp_path / "own.pkl")
        entry = {"pattern": URL, "handler": "MLHandler", "kwargs": {"model": {"path": "own.pkl"} | model}}
        return make_client({"own": entry}, wait=False)

    return brought


def test_results_that_a_user_brings(brought, inflation):
    results = own(inflation)
    client = brought(results, target_col="R", index_col="index")
    assert client.post(URL, json=AHEAD).json == pytest.approx(
        results.forecast(3, exog=[[0.01], [0.02], [-0.01]]).tolist()
    )
    assert client.get(f"{URL}?_model").json["params"]["order"] == [1, 0, 0]
    assert client.post(f"{URL}?_action=score", json=inflation.to_dict("records")).json["score"] == pytest.approx(
        results.mae
    )
    answer = client.post(f"{URL}?_action=train", json=inflation.to_dict("records"))
    assert answer.json["score"] == pytest.approx(results.mae, rel=1e-3)


def test_results_without_timestamps_are_not_ready_and_say_so(brought, inflation):
    results = statespace.SARIMAX(inflation["R"], inflation[["Dp"]]).fit(disp=False)
    client = brought(results)
    assert_problem(client.post(URL, json=[NEXT]), 503, "fitted without timestamps at a fixed frequency")
    assert client.get("/readyz").status_code == 503
    assert client.get(URL).status_code == 200


def test_the_configuration_names_the_timestamps_of_results_that_do_not(brought, inflation):
    indexed = inflation.set_index(pd.DatetimeIndex(inflation["index"], freq="QE").rename(None))
    client = brought(statespace.SARIMAX(indexed["R"], indexed[["Dp"]]).fit(disp=False), index_col="quarter")
    assert client.post(URL, json=[{"quarter": "1999-03-31", "Dp": 0.01}]).status_code == 200


def test_results_that_lack_their_data_do_not_stop_the_start(brought, inflation):
    results = own(inflation)
    results.remove_data()
    assert_problem(brought(results).post(URL, json=[NEXT]), 503)


def test_the_pointer_of_a_wrong_row_escapes_the_columns_name(trained_on, inflation):
    client, _ = trained_on(inflation.rename(columns={"index": "when/at", "Dp": "D/p"}), index_col="when/at")
    document = assert_problem(client.post(URL, json=[{"when/at": "1999-03-31", "D/p": None}]), 400, "exogenous value")
    assert document["errors"][0]["pointer"] == "/0/D~1p"
    document = assert_problem(client.get(f"{URL}?when/at=1999-03-30&D/p=0.1"), 400, "is no step of the series")
    assert document["errors"][0]["pointer"] == "/0/when~1at"
