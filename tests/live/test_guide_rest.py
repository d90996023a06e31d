"""The rest of the guide and the article's clients against a real server: transforms, forecasts, templates, texts."""

import json
import shutil
import subprocess
import urllib.parse

import joblib
import numpy as np
import pandas as pd
import pytest
import requests
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB

from tests.conftest import ROOT
from tests.live.conftest import serving

pytestmark = [pytest.mark.live, pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")]
QUERY = "that movie was boring"
# As the guide prints it.
MYMODULE = """
def transform(df, *args, **kwargs):
    df[['X1', 'X2']] = np.exp(-df[['X1', 'X2']].values ** 2)
    return df
"""
TEMPLATE = """<h1>{{ handler.model.__class__.__name__ }}</h1>
<p>{{ handler.model.get_params() }}</p>
{{ data.head(2).to_html() | safe }}
"""


def circles(transform=None):
    data = {"url": "$YAMLPATH/data/circles.csv"} | ({"transform": transform} if transform else {})
    return {"xsrf_cookies": False, "data": data, "model": {"class": "LogisticRegression", "target_col": "y"}}


FORECAST = {
    "data": {"url": "$YAMLPATH/data/inflation.csv"},
    "model": {"index_col": "index", "target_col": "R", "class": "SARIMAX", "params": {"order": [7, 1, 0]}},
}
PICKLES = {
    "model": {"path": "$YAMLPATH/SentimentClassifier.pkl", "vectorizer": "$YAMLPATH/TFIDFVectorizer.pkl"},
    "labels": {0: "Negative", 1: "Positive"},
}
TRAINED = {"data": "$YAMLPATH/data/reviews.csv", "labels": {0: "Negative", 1: "Positive"}}
ENDPOINTS = {
    "circles-basic": {"pattern": "/circlebasic", "handler": "MLHandler", "kwargs": circles()},
    "circles-transformed": {
        "pattern": "/circletransformed",
        "handler": "MLHandler",
        "kwargs": circles("mymodule.transform"),
    },
    "mlhandler-forecast": {"pattern": "/$YAMLURL/forecast", "handler": "MLHandler", "kwargs": FORECAST},
    "mlhandler/tutorial": {
        "pattern": "/$YAMLURL/ml",
        "handler": "MLHandler",
        "template": "$YAMLPATH/template.html",
        "kwargs": {
            "data": "$YAMLPATH/data/iris.csv",
            "model": {"class": "LogisticRegression", "target_col": "species"},
        },
    },
    "sentiment": {"pattern": "/", "handler": "TextHandler", "kwargs": PICKLES},
    "reviews": {"pattern": "/reviews", "handler": "TextHandler", "kwargs": TRAINED},
}


def write_pickles(folder, rows, vectorizer=None):
    """The article's two files; the pair."""
    vectorizer = vectorizer or TfidfVectorizer()
    classifier = MultinomialNB().fit(vectorizer.fit_transform(rows["text"]), rows["label"])
    for name, thing in (("TFIDFVectorizer", vectorizer), ("SentimentClassifier", classifier)):
        joblib.dump(thing, folder / f"{name}.new")
        (folder / f"{name}.new").replace(folder / f"{name}.pkl")
    return vectorizer, classifier


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the configuration lies, and all that it names."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "mymodule.py").write_text(MYMODULE)
    (folder / "template.html").write_text(TEMPLATE)
    write_pickles(folder, pd.read_csv(ROOT / "data" / "reviews.csv"))
    return folder


@pytest.fixture(scope="module")
def server(folder):
    """All endpoints behind two workers; only for requests that change nothing."""
    with serving(folder, ENDPOINTS) as server:
        yield server


def curl(line, folder=None):
    done = subprocess.run(["bash", "-c", f"curl -s {line}"], cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def answer():
    """What the article's own lines answer."""
    rows = pd.read_csv(ROOT / "data" / "reviews.csv")
    vectorizer = TfidfVectorizer()
    classifier = MultinomialNB().fit(vectorizer.fit_transform(rows["text"]), rows["label"])
    confidence = round(classifier.predict_proba(vectorizer.transform(np.array([QUERY])))[0, -1], 3)
    return {"prediction": "Negative", "confidence": confidence}


def test_the_guides_circles(server):
    basic, transformed = (
        requests.post(f"{server.url}/{name}?_action=score", timeout=60).json()["score"]
        for name in ("circlebasic", "circletransformed")
    )
    assert basic == pytest.approx(0.5, abs=0.1)
    assert transformed >= 0.99


def test_the_circles_of_a_file(server, folder):
    url = f"{server.url}/circletransformed"
    assert curl(f"-X POST -F file=@data/circles.csv '{url}?_action=score'", folder)["score"] >= 0.99
    predictions = curl(f"-F file=@data/circles.csv {url}", folder)
    assert np.mean(predictions == pd.read_csv(folder / "data" / "circles.csv")["y"]) >= 0.99
    assert curl(f"'{url}?X1=0.1&X2=-0.2'") == [1]
    assert len(curl(f"'{url}?_cache'")) == 500


def test_the_guides_forecast(server, folder):
    rows = pd.DataFrame({"index": ["1999-03-31", "1999-06-30", "1999-09-30"], "Dp": [0.01, 0.02, -0.01]})
    rows.to_json(folder / "exogenous.json", orient="records")
    url = f"{server.url}/forecast"
    forecast = curl(f"-X POST -d @exogenous.json {url}", folder)
    assert len(forecast) == 3
    assert all(0 < value < 0.1 for value in forecast)
    rows.iloc[::-1].to_csv(folder / "exogenous.csv", index=False)
    assert curl(f"-F file=@exogenous.csv {url}", folder) == forecast[::-1]
    missing = requests.post(url, json=rows.tail(1).to_dict("records"), timeout=60)
    assert (missing.status_code, "1999-03-31, 1999-06-30" in missing.json()["detail"]) == (400, True)
    assert "SARIMAX Results" in requests.get(f"{url}?_params", timeout=60).json()["attrs"]["summary"]


def test_the_guides_template(server):
    page = requests.get(f"{server.url}/ml", timeout=60)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<h1>LogisticRegression</h1>" in page.text
    assert "&#39;C&#39;: 1.0" in page.text
    assert page.text.count("setosa") == 2


@pytest.mark.parametrize("path", ["/", "/reviews"])
def test_the_articles_python_client(server, answer, path):
    params = {"query": QUERY}
    assert requests.get(server.url + path, params, timeout=60).json() == answer


@pytest.mark.parametrize("path", ["/", "/reviews"])
def test_the_articles_curl(server, answer, path):
    assert curl(f"-X GET {server.url}{path} -d query='{QUERY}'") == answer


@pytest.mark.parametrize("path", ["/", "/reviews"])
def test_the_articles_httpie(server, answer, path):
    # `query==…` is HTTPie's way to write an argument of the URL.
    headers = {"User-Agent": "HTTPie/3.2", "Accept": "*/*"}
    response = requests.get(
        f"{server.url}{path}?{urllib.parse.urlencode({'query': QUERY})}", headers=headers, timeout=60
    )
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert response.json() == answer


def test_both_workers_see_files_that_are_replaced(make_live, tmp_path):
    rows = pd.read_csv(ROOT / "data" / "reviews.csv")
    (tmp_path / "mymodule.py").write_text(MYMODULE)
    (tmp_path / "template.html").write_text("one")
    write_pickles(tmp_path, rows)
    live = make_live({name: ENDPOINTS[name] for name in ("sentiment", "circles-transformed", "mlhandler/tutorial")})
    vectorizer, classifier = write_pickles(tmp_path, rows, TfidfVectorizer(ngram_range=(1, 2)))
    (tmp_path / "template.html").write_text("another")
    (tmp_path / "mymodule.py").write_text(MYMODULE + "\n# changed\n")
    confidence = round(classifier.predict_proba(vectorizer.transform([QUERY]))[0, -1], 3)
    # A connection for each request, so that both workers are asked.
    answers = [requests.get(live.url, {"query": QUERY}, timeout=60).json() for _ in range(12)]
    assert answers == [{"prediction": "Negative", "confidence": confidence}] * 12
    assert {requests.get(f"{live.url}/ml", timeout=60).text for _ in range(12)} == {"another"}
    url = f"{live.url}/circletransformed"
    assert [requests.get(f"{url}?_params", timeout=60).json()["stale"] for _ in range(6)] == [True] * 6
    assert requests.post(f"{url}?_action=retrain", timeout=60).json()["score"] >= 0.99
    assert [requests.get(f"{url}?_params", timeout=60).json()["stale"] for _ in range(6)] == [False] * 6


def test_a_forecast_outlives_a_restart_and_learns_new_quarters(make_live):
    live = make_live({"mlhandler-forecast": ENDPOINTS["mlhandler-forecast"]})
    url = f"{live.url}/forecast"
    rows = [{"index": "1999-03-31", "Dp": 0.01}, {"index": "1999-06-30", "Dp": 0.02}]
    before = requests.post(url, json=rows, timeout=60).json()
    live.restart()
    assert requests.post(url, json=rows, timeout=60).json() == before
    quarter = [rows[0] | {"R": before[0]}]
    assert requests.post(f"{url}?_action=append", json=quarter, timeout=60).json() == {"rows": 108, "appended": 1}
    assert requests.post(f"{url}?_action=retrain", timeout=60).json()["score"] < 0.01
    for _ in range(6):
        assert len(requests.post(url, json=rows[1:], timeout=60).json()) == 1
