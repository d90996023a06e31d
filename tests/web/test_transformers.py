"""scikit-learn's transformers: train answers what they learned, predict the transformed rows."""

import io
import json

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.conftest import ROOT
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow

URL = "/iris"
NUMBERS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


@pytest.fixture(scope="session")
def iris():
    return pd.read_csv(ROOT / "data" / "iris.csv").drop_duplicates().reset_index(drop=True)


@pytest.fixture
def make(make_client):
    """A client of an endpoint that is trained with this class, and the training's answer."""

    def make(name, **model):
        kwargs = {"data": "data/iris.csv", "model": {"class": name, "exclude": ["species"]} | model}
        client = make_client({"iris": {"pattern": URL, "handler": "MLHandler", "kwargs": kwargs}})
        answer = client.post(f"{URL}?_action=retrain")
        assert answer.status_code == 200
        return client, answer.json

    return make


def rows_of(iris, count=5):
    return json.loads(iris[NUMBERS].head(count).to_json(orient="records"))


@pytest.mark.parametrize(
    ("name", "params", "learned"),
    [
        ("PCA", {"n_components": 2}, ["components_", "explained_variance_ratio_", "singular_values_", "mean_"]),
        ("TruncatedSVD", {"n_components": 2}, ["components_", "singular_values_"]),
        ("StandardScaler", {}, ["mean_", "scale_", "var_"]),
        ("KBinsDiscretizer", {"n_bins": 3}, ["bin_edges_", "n_bins_"]),
        ("PolynomialFeatures", {"degree": 2}, ["n_output_features_", "powers_"]),
        ("MinMaxScaler", {}, ["data_max_", "data_min_"]),
        ("FastICA", {"n_components": 2, "random_state": 0}, ["components_", "mixing_"]),
    ],
)
def test_training_answers_the_learned_attributes(make, name, params, learned):
    client, answer = make(name, params=params)
    assert set(learned) <= answer.keys()
    assert client.get(f"{URL}?_params").json["attrs"] == answer
    assert "score" not in answer


@pytest.mark.parametrize(("cls", "params"), [(PCA, {"n_components": 2}), (TruncatedSVD, {"random_state": 0})])
def test_predictions_are_the_transformed_rows(make, iris, cls, params):
    client, _ = make(cls.__name__, params=params)
    expected = make_pipeline(StandardScaler(), cls(**params)).fit(iris[NUMBERS]).transform(iris[NUMBERS].head())
    values = client.post(URL, json=rows_of(iris)).json
    np.testing.assert_allclose(values, expected, atol=1e-9)
    with client.get(f"{URL}?_download") as answer:
        pipeline = joblib.load(io.BytesIO(answer.get_data()))
    np.testing.assert_allclose(pipeline.transform(iris[NUMBERS].head()), expected, atol=1e-9)


def test_outputs_of_transformed_rows(make, iris):
    client, _ = make("PCA", params={"n_components": 2})
    rows = rows_of(iris, 2)
    values = client.post(URL, json=rows).json
    records = client.post(f"{URL}?_output=records", json=rows).json
    assert records == [row | {"pca0": pair[0], "pca1": pair[1]} for row, pair in zip(rows, values, strict=True)]
    csv = pd.read_csv(io.StringIO(client.post(f"{URL}?_format=csv", json=rows).get_data(as_text=True)))
    assert csv.columns.tolist() == ["pca0", "pca1"]
    np.testing.assert_allclose(csv, values)
    # A processor may multiply one row in another order than two.
    np.testing.assert_allclose(client.get(URL, query_string=rows[0]).json, values[:1], rtol=1e-12)
    assert client.post(URL, json=[]).json == []
    assert_problem(client.post(f"{URL}?_output=proba", json=rows), 400, "PCA has no probabilities")


def test_a_missing_cell_and_a_missing_column(make, iris):
    client, _ = make("PCA", params={"n_components": 2})
    rows = rows_of(iris, 2)
    rows[1]["petal_width"] = None
    assert len(client.post(URL, json=rows).json[1]) == 2
    assert_problem(client.post(URL, json=[{"sepal_length": 1}]), 400, "3 columns are missing", "petal_width")


def test_a_transformer_that_learns_from_a_target(make, iris):
    client, answer = make("SelectKBest", params={"k": 2}, exclude=[], target_col="species")
    assert len(answer["scores_"]) == 4
    rows = rows_of(iris)
    values = np.array(client.post(URL, json=rows).json)
    scaled = StandardScaler().fit(iris[NUMBERS]).transform(iris[NUMBERS].head())
    np.testing.assert_allclose(values, scaled[:, 2:], atol=1e-9)
    assert client.post(URL, json=[row | {"species": "setosa"} for row in rows]).json == values.tolist()


def test_sparse_results_are_answered_in_full(make, iris):
    client, _ = make("KBinsDiscretizer", params={"n_bins": 3})
    values = np.array(client.post(URL, json=rows_of(iris)).json)
    assert values.shape == (5, 12)
    assert values.sum(axis=1).tolist() == [4] * 5
    assert len(client.post(f"{URL}?_output=records", json=rows_of(iris, 1)).json[0]) == 16


def test_without_the_pipeline_rows_are_transformed_as_they_are(make, iris):
    client, answer = make("StandardScaler", pipeline=False)
    assert answer["mean_"] == pytest.approx(iris[NUMBERS].mean().tolist())
    expected = StandardScaler().fit(iris[NUMBERS]).transform(iris[NUMBERS].head())
    np.testing.assert_allclose(client.post(URL, json=rows_of(iris)).json, expected)
    record = client.post(f"{URL}?_output=records", json=rows_of(iris, 1)).json[0]
    np.testing.assert_allclose([record[name] for name in NUMBERS], expected[0])


def test_scores_of_transformers(make, iris):
    client, _ = make("PCA", params={"n_components": 2})
    expected = make_pipeline(StandardScaler(), PCA(2)).fit(iris[NUMBERS]).score(iris[NUMBERS])
    assert client.post(f"{URL}?_action=score").json["score"] == pytest.approx(expected)
    client.put(f"{URL}?class=StandardScaler")
    client.post(f"{URL}?_action=retrain")
    assert_problem(client.post(f"{URL}?_action=score"), 400, "StandardScaler has no score")


def test_a_transform_before_a_transformer(make_client, iris):
    data = {
        "url": "data/iris.csv",
        "transform": "data[['petal_length', 'petal_width']].assign(area=data.petal_length * data.petal_width)",
    }
    kwargs = {"data": data, "model": {"class": "PCA", "params": {"n_components": 1}, "drop_duplicates": False}}
    client = make_client({"iris": {"pattern": URL, "handler": "MLHandler", "kwargs": kwargs}})
    rows = pd.read_csv(ROOT / "data" / "iris.csv")[["petal_length", "petal_width"]]
    rows = rows.assign(area=rows.petal_length * rows.petal_width)
    expected = make_pipeline(StandardScaler(), PCA(1)).fit_transform(rows)[:3]
    np.testing.assert_allclose(client.post(URL, json=rows.head(3).to_dict("records")).json, expected, atol=1e-9)
