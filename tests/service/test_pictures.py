"""Pictures are drawn from the stored rows, as the serving model was trained on them, and kept while nothing changes."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from server.errors import BadRequest, InvalidRows
from server.service.pictures import MOST_ROWS, sample
from tests.conftest import titanic_endpoint

pytestmark = pytest.mark.slow

ROWS = [{"a": float(i), "b": float(i % 7), "y": i % 2} for i in range(40)]


def endpoint_of(client, name):
    return client.application.extensions["restimator"].endpoints[name]


@pytest.fixture
def serve(make_client, tmp_path):
    """The endpoint of a model that somebody brought, with the rows stored."""

    def make(model, rows=ROWS, **options):
        joblib.dump(model, tmp_path / "mine.pkl")
        kwargs = {"model": {"path": str(tmp_path / "mine.pkl"), **options}}
        client = make_client({"mine": {"pattern": "/mine", "handler": "MLHandler", "kwargs": kwargs}}, wait=False)
        if rows:
            assert client.post("/mine?_action=append", json=rows).status_code == 200
        return endpoint_of(client, "mine")

    return make


def fitted(columns=("a", "b")):
    frame = pd.DataFrame(ROWS)
    return LogisticRegression().fit(frame[list(columns)], frame["y"])


def test_a_picture_is_drawn_once_and_again_after_a_change(client):
    pictures = endpoint_of(client, "titanic").pictures
    once = pictures.drawn("coefficients")
    assert pictures.drawn("coefficients") is once
    assert client.post("/titanic?_action=retrain&C=0.001").status_code == 200
    again = pictures.drawn("coefficients")
    assert again != once
    assert pictures.drawn("coefficients") is again


def test_appended_rows_are_in_the_next_picture(client, titanic):
    pictures = endpoint_of(client, "titanic").pictures
    once = pictures.drawn("confusion_matrix")
    rows = titanic.assign(Age=titanic["Age"] + 0.5).to_csv(index=False)
    assert client.post("/titanic?_action=append", data=rows, content_type="text/csv").status_code == 200
    assert pictures.drawn("confusion_matrix") != once


def test_pictures_follow_the_options_of_the_serving_model(client):
    pictures = endpoint_of(client, "titanic").pictures
    once = pictures.drawn("confusion_matrix")
    assert client.put("/titanic?include=Sex&dropna=false&target_col=Pclass").status_code == 200
    assert pictures.drawn("confusion_matrix") == once


def test_rows_with_missing_cells_are_drawn_if_they_were_trained_on(make_client, titanic):
    model = titanic_endpoint()["kwargs"]["model"] | {"dropna": False, "drop_duplicates": False}
    client = make_client({"titanic": titanic_endpoint(model=model)})
    assert b"891 stored rows" in endpoint_of(client, "titanic").pictures.drawn("confusion_matrix")


def test_a_model_that_somebody_brought_is_drawn_from_stored_rows(serve):
    endpoint = serve(fitted(), target_col="y")
    assert endpoint.pictures.names() == ("confusion_matrix", "roc_curve", "coefficients")
    for name in endpoint.pictures.names():
        assert endpoint.pictures.drawn(name).startswith(b"<?xml")


def test_a_model_of_unnamed_columns_takes_the_stored_ones_by_position(serve):
    frame = pd.DataFrame(ROWS)
    endpoint = serve(LogisticRegression().fit(frame[["a", "b"]].to_numpy(), frame["y"]), target_col="y")
    assert "confusion_matrix" in endpoint.pictures.names()
    assert b"40 stored rows" in endpoint.pictures.drawn("confusion_matrix")


def test_without_a_target_column_only_the_comparisons_are_missing(serve):
    endpoint = serve(fitted())
    assert endpoint.pictures.names() == ("coefficients",)
    with pytest.raises(
        BadRequest, match="roc_curve compares predictions with a target column; name it with target_col"
    ):
        endpoint.pictures.drawn("roc_curve")


def test_a_target_column_that_is_not_stored_is_named(serve):
    endpoint = serve(fitted(), target_col="why")
    with pytest.raises(BadRequest, match="the stored rows have no column 'why'"):
        endpoint.pictures.drawn("confusion_matrix")


def test_rows_without_the_columns_of_the_model_have_no_pictures(serve):
    endpoint = serve(fitted(), [{"a": 1.0, "c": 2.0, "y": 0}], target_col="y")
    assert endpoint.pictures.names() == ()
    with pytest.raises(InvalidRows, match="'b'"):
        endpoint.pictures.drawn("coefficients")


def test_without_rows_or_model_there_are_no_pictures(serve, make_client):
    assert serve(fitted(), None).pictures.names() == ()
    client = make_client({"empty": {"pattern": "/empty", "handler": "MLHandler"}})
    assert endpoint_of(client, "empty").pictures.names() == ()


def test_clusters_need_no_target(serve):
    endpoint = serve(KMeans(2, n_init=1, random_state=0).fit(pd.DataFrame(ROWS)[["a", "b"]]))
    assert endpoint.pictures.names() == ("clusters",)
    assert b"40 stored rows" in endpoint.pictures.drawn("clusters")


def test_a_transform_goes_before_the_picture(make_client):
    entry = {
        "data": {
            "url": "$YAMLPATH/data/circles.csv",
            "transform": "data.assign(X1=np.exp(-data.X1**2), X2=np.exp(-data.X2**2))",
        },
        "model": {"class": "LogisticRegression", "target_col": "y"},
    }
    client = make_client({"circles": {"pattern": "/circles", "handler": "MLHandler", "kwargs": entry}})
    pictures = endpoint_of(client, "circles").pictures
    assert pictures.names() == ("confusion_matrix", "roc_curve", "coefficients")
    assert b"1, AUC 1.000" in pictures.drawn("roc_curve")


def test_a_target_that_the_transform_makes_is_compared_with(make_client):
    entry = {
        "data": {"url": "$YAMLPATH/data/iris.csv", "transform": "data.assign(wide=data.petal_width > 1)"},
        "model": {"class": "LogisticRegression", "target_col": "wide", "exclude": ["petal_width"]},
    }
    client = make_client({"iris": {"pattern": "/iris", "handler": "MLHandler", "kwargs": entry}})
    pictures = endpoint_of(client, "iris").pictures
    assert "confusion_matrix" in pictures.names()
    assert b">True<" in pictures.drawn("confusion_matrix")


def test_a_forecast_and_texts_have_their_own(make_client):
    series = {
        "data": "$YAMLPATH/data/inflation.csv",
        "model": {"class": "SARIMAX", "index_col": "index", "target_col": "R"},
    }
    reviews = {
        "data": "$YAMLPATH/data/reviews.csv",
        "model": {"class": "MultinomialNB", "text_col": "text", "target_col": "label"},
    }
    client = make_client(
        {
            "forecast": {"pattern": "/forecast", "handler": "MLHandler", "kwargs": series},
            "reviews": {"pattern": "/reviews", "handler": "TextHandler", "kwargs": reviews},
        }
    )
    assert endpoint_of(client, "forecast").pictures.names() == ("forecast",)
    assert b"107 steps" in client.get("/forecast?_picture=forecast").data
    assert endpoint_of(client, "reviews").pictures.names() == ("confusion_matrix", "roc_curve", "terms")
    assert b"engrossing" in client.get("/reviews?_picture=terms").data


def test_a_sample_is_the_same_each_time_in_order_and_from_all_over():
    rows = pd.DataFrame({"row": np.arange(10 * MOST_ROWS), "y": np.arange(10 * MOST_ROWS) % 2})
    drawn = sample(rows, "y")
    assert len(drawn) == MOST_ROWS
    assert drawn.equals(sample(rows, "y"))
    assert drawn["row"].is_monotonic_increasing
    assert (np.histogram(drawn["row"], 10, (0, len(rows)))[0] > MOST_ROWS / 20).all()
    assert 0.4 < drawn["y"].mean() < 0.6


def test_rows_without_a_target_are_left_out():
    rows = pd.DataFrame({"a": [1, 2, 3], "y": [0.0, np.nan, 1.0]})
    assert sample(rows, "y")["a"].tolist() == [1, 3]
    assert len(sample(rows, None)) == 3
    with pytest.raises(BadRequest, match="no stored row has a value in the target column 'y'"):
        sample(rows.assign(y=np.nan), "y")
