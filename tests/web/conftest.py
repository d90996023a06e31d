"""A client that no test changes, and what `nothing changes` compares."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import pytest

from server.app import create_app
from server.config import load_config
from tests import registering
from tests.conftest import ROOT, ROW, BriefRunner, titanic_endpoint, wait_until_ready, write_config
from tests.reviews import text_endpoint
from tests.waiting import until
from tests.web import forecasting

FORM = "application/x-www-form-urlencoded"
URL = "/titanic"


def build(folder: Path, url: dict[str, Any], **server: Any) -> Any:
    """A client of a server that outlives a test; the titanic endpoint among its endpoints is trained."""
    app = create_app(load_config(write_config(folder, {"url": url, "server": server}), {}), BriefRunner())
    client = app.test_client()
    client.get("/readyz")
    wait_until_ready(client, f"{URL}?{urlencode(ROW)}")
    # The run of the training ends a moment after its model answers.
    until(lambda: client.get(f"{URL}?_params").json["training"] is None)
    return client


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    """The guide's titanic endpoint, trained once; only for requests that change nothing."""
    return build(tmp_path_factory.mktemp("reader"), {"titanic": titanic_endpoint()})


@pytest.fixture(scope="session")
def text_reader(tmp_path_factory, tiny_models):
    """Pretrained text models, served as they are; only for requests that change nothing."""
    sentiment, entities = str(tiny_models / "sentiment"), str(tiny_models / "ner")
    own_names = {"text_col": "review", "target_col": "verdict"}
    endpoints = [
        text_endpoint("sentiment", sentiment),
        text_endpoint("pipeline", sentiment, task="sentiment-analysis"),
        text_endpoint("told", sentiment, output="proba"),
        text_endpoint("own", sentiment, options=own_names),
        text_endpoint("ner", entities, options={"class": "NER"}),
        text_endpoint("task", entities, task="ner"),
        text_endpoint("own-ner", entities, options={"class": "NER"} | own_names),
    ]
    url = {"titanic": titanic_endpoint()} | {entry["pattern"][1:]: entry for entry in endpoints}
    return build(tmp_path_factory.mktemp("text_reader"), url)


def state_of(client: Any, url: str = URL) -> dict[str, Any]:
    """Everything that a failed request must leave as it was."""
    answers = {view: client.get(f"{url}?{view}") for view in ("_params", "_model", "_cache")}
    answers["predictions"] = client.get(url, query_string=ROW)
    return {name: (answer.status_code, answer.get_data()) for name, answer in answers.items()}


@pytest.fixture
def unchanged():
    """`with unchanged(client):` fails if parameters, training data or predictions differ afterwards."""

    @contextmanager
    def check(client: Any, url: str = URL) -> Iterator[None]:
        before = state_of(client, url)
        yield
        assert state_of(client, url) == before

    return check


def assert_problem(answer: Any, status: int, *words: str) -> dict[str, Any]:
    """An RFC 9457 document of this status whose sentences hold the words; answers the document."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.content_type == "application/problem+json"
    document = json.loads(answer.get_data())
    said = document["detail"] + "".join(part["pointer"] + part["detail"] for part in document["errors"])
    for word in words:
        assert word.lower() in said.lower()
    assert "Traceback" not in said
    assert 'File "' not in said
    return document


@pytest.fixture(scope="session")
def inflation() -> pd.DataFrame:
    """The quarters of the guide's forecast."""
    return pd.read_csv(ROOT / "data" / "inflation.csv")


@pytest.fixture
def trained_on(make_client, tmp_path):
    """A client whose forecast was trained on these rows, and the answer of a training on them."""

    def trained_on(rows: pd.DataFrame, **model: Any) -> tuple[Any, Any]:
        (tmp_path / "data").mkdir(exist_ok=True)
        rows.to_csv(tmp_path / "data" / "rows.csv", index=False)
        client = make_client(forecasting.forecast(forecasting.QUICK | model, "rows.csv"), wait=False)
        return client, client.post(f"{forecasting.URL}?_action=retrain")

    return trained_on


@pytest.fixture
def make_registry(make_client, tmp_path):
    """A client of a server with a registry; `algorithms` as `add_algorithm` takes them are added to it."""
    clients = []

    def make(endpoints: Any = None, algorithms: Any = (), others: Any = None, **server: Any) -> Any:
        registering.write_models(tmp_path)
        client = make_client({"api": registering.registry(endpoints)} | (others or {}), wait=False, **server)
        for algorithm in algorithms:
            client.application.registry.add_algorithm(**algorithm)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.application.registry.database.close()


@pytest.fixture
def registered(make_registry):
    """Two classifiers of flowers, two regressors of patients; the first of each in production."""
    return make_registry()
