"""When the server is ready, and what it says when it is not."""

import threading

import pytest

from server.jobs import InlineRunner
from tests.conftest import titanic_endpoint
from tests.waiting import until

GOOD = {"pattern": "/good", "handler": "MLHandler", "kwargs": {}}
MISSING = titanic_endpoint(data={"url": "$YAMLPATH/data/gone.csv"})
FAILING = titanic_endpoint(model={"class": "LogisticRegression", "target_col": "Nothing"})
DRAINING = "the server is draining"


class Held(InlineRunner):
    """Trains once it is let."""

    def __init__(self):
        self.let = threading.Event()

    def run(self, function, *arguments, **named):
        self.let.wait(30)
        return super().run(function, *arguments, **named)


@pytest.fixture
def held():
    runner = Held()
    yield runner
    runner.let.set()


def settled(client, name):
    """The answer, if the endpoint's first training is over."""
    answer = client.get("/readyz")
    return None if "is running" in answer.json["endpoints"][name] else answer


@pytest.mark.parametrize(
    ("url", "trains", "drains", "status", "reasons"),
    [
        ({"good": GOOD}, True, False, 200, {"good": "ready"}),
        ({"a": titanic_endpoint(), "good": GOOD}, True, False, 200, {"a": "ready", "good": "ready"}),
        ({"a": MISSING}, True, False, 503, {"a": "does not exist, and there is no model yet"}),
        ({"a": titanic_endpoint()}, False, False, 503, {"a": "the first training is running"}),
        ({"a": FAILING}, True, False, 503, {"a": "the first training failed"}),
        ({"a": FAILING, "good": GOOD}, True, False, 503, {"a": "the first training failed", "good": "ready"}),
        ({"a": titanic_endpoint(), "good": GOOD}, True, True, 503, {"a": "ready", "good": "ready"}),
        ({"a": FAILING, "good": GOOD}, True, True, 503, {"a": "the first training failed", "good": "ready"}),
    ],
    ids=["nothing configured", "all ready", "no model", "loading", "failed", "one of two failed", "draining", "both"],
)
def test_the_readiness_table(make_client, held, url, trains, drains, status, reasons):
    if trains:
        held.let.set()
    client = make_client(url, wait=False, runner=held)
    application = client.application.extensions["restimator"]
    answer = until(lambda: settled(client, next(iter(url)))) if trains else client.get("/readyz")
    if drains:
        application.draining.begin()
        answer = client.get("/readyz")
    assert answer.status_code == status
    assert answer.json["ready"] is (status == 200)
    assert reasons.keys() == answer.json["endpoints"].keys()
    for name, reason in reasons.items():
        assert reason in answer.json["endpoints"][name]
    assert (DRAINING in answer.json.get("reason", "")) == drains
    assert client.get("/healthz").status_code == 200


def test_while_it_drains_the_server_answers(reader):
    draining = reader.application.extensions["restimator"].draining
    draining.begin()
    try:
        assert reader.get("/titanic?_model").status_code == 200
        assert reader.get("/readyz").status_code == 503
    finally:
        draining._memory[0] = 0
