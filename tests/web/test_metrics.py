"""/metrics tells what happened, by labels that no client can make up."""

import os
import time
from errno import ENOSPC

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.config import hash_of
from server.web import counters as module
from server.web.counters import Counters, take_place
from server.web.metrics import Metrics
from server.web.observation import Observation
from tests.conftest import ROW, titanic_endpoint
from tests.waiting import until
from tests.web.conftest import assert_problem
from tests.web.test_observation import answers, asked

pytestmark = pytest.mark.slow
EMPTY = {"pattern": "/empty", "handler": "MLHandler", "kwargs": {}}
DATATYPES = {str: "BYTES", int: "INT64", float: "FP64"}
INPUTS = [
    {"name": name, "shape": [2], "datatype": DATATYPES[type(cell)], "data": [cell] * 2} for name, cell in ROW.items()
]
DURATION = "restimator_request_duration_seconds"


def figures(client, **headers):
    """Everything that is told: {name: {labels: value}}."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return parsed(answer.text)


def parsed(text):
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def value(told, name, **labels):
    return told.get(name, {}).get(frozenset(labels.items()))


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    from tests.web.conftest import build

    endpoints = {"titanic": titanic_endpoint(), "empty": EMPTY}
    return build(tmp_path_factory.mktemp("watched"), endpoints, invocations="titanic")


def growth(client, ask, name, **labels):
    """By how much the figure grows when this is asked."""
    before = value(figures(client), name, **labels) or 0
    ask()
    return (value(figures(client), name, **labels) or 0) - before


@pytest.mark.parametrize(
    ("method", "path", "sent", "labels"),
    [
        ("GET", "/titanic", {"query_string": ROW}, ("/titanic", "GET", "200")),
        ("POST", "/titanic", {"json": [ROW]}, ("/titanic", "POST", "200")),
        ("GET", "/titanic?Age=old", {}, ("/titanic", "GET", "400")),
        ("HEAD", "/healthz", {}, ("/healthz", "HEAD", "200")),
        ("GET", "/runs/none", {}, ("/runs/<run_id>", "GET", "404")),
        ("GET", "/nothing", {}, ("other", "GET", "404")),
        ("BREW", "/titanic", {}, ("other", "other", "405")),
    ],
)
def test_requests_are_counted_by_route_method_and_status(watched, method, path, sent, labels):
    names = dict(zip(("route", "method", "status"), labels, strict=True))
    ask = lambda: watched.open(path, method=method, **sent)  # noqa: E731
    assert growth(watched, ask, "restimator_requests_total", **names) == 1
    assert growth(watched, ask, f"{DURATION}_count", route=labels[0]) == 1


def test_made_up_paths_and_methods_make_no_new_series(watched):
    watched.get("/nothing")
    before = {name: set(samples) for name, samples in figures(watched).items()}
    for number in range(20):
        watched.get(f"/nothing/{number}")
        watched.open(f"/{number}", method=f"METHOD{number}")
        watched.get(f"/runs/{number}", headers={"X-Request-ID": f"id{number}"})
    after = {name: set(samples) for name, samples in figures(watched).items()}
    grown = {name: after[name] - before.get(name, set()) for name in after}
    labels = {label for samples in grown.values() for sample in samples for label in sample}
    assert {text for name, text in labels if name == "method"} <= {"GET", "other"}
    assert {text for name, text in labels if name == "route"} <= {"other", "/runs/<run_id>"}
    assert set().union(*({name for name, _ in sample} for s in after.values() for sample in s)) <= {
        "route", "method", "status", "endpoint", "action", "state", "le",
        "python", "scikit_learn", "statsmodels", "pandas", "numpy", "scipy",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ask", "action", "count"),
    [
        (lambda client: client.get("/titanic", query_string=ROW), "predict", 1),
        (lambda client: client.post("/titanic", json=[ROW] * 3), "predict", 3),
        (lambda client: client.post("/titanic", json=[ROW] * 40), "predict", 40),
        (lambda client: client.post("/titanic", json=[ROW, {"Age": "x"}]), "predict", 0),
        (lambda client: client.post("/titanic?_action=score", json=[ROW | {"Survived": 0}] * 5), "score", 5),
        (lambda client: client.post("/titanic?_action=append", json=[ROW] * 5), "append", 0),
        (lambda client: client.post("/v2/models/titanic/infer", json={"inputs": INPUTS}), "predict", 2),
        (lambda client: client.post("/v2/models/titanic/infer", json={"inputs": INPUTS[:1]}), "predict", 0),
        (lambda client: client.post("/invocations", json={"dataframe_records": [ROW] * 4}), "predict", 4),
        (lambda client: client.post("/empty?_action=append", json=[ROW] * 5), "append", 5),
    ],
)
def test_rows_are_counted_where_they_were_answered(watched, ask, action, count):
    endpoint = "empty" if action == "append" and count else "titanic"
    name = {"endpoint": endpoint, "action": action}
    assert growth(watched, lambda: ask(watched), "restimator_rows_total", **name) == count


def test_a_long_table_counts_all_its_rows(watched, monkeypatch):
    monkeypatch.setattr("server.web.request_data.SPOOLED", 1000)
    content = "\n".join([",".join(ROW), *[",".join(map(str, ROW.values()))] * 3000])
    ask = lambda: watched.post("/titanic", data=content, content_type="text/csv").close()  # noqa: E731
    assert growth(watched, ask, "restimator_rows_total", endpoint="titanic", action="predict") == 3000


def test_models_are_told_as_they_are(watched):
    told = figures(watched)
    assert value(told, "restimator_model_loaded", endpoint="titanic") == 1
    assert value(told, "restimator_model_loaded", endpoint="empty") == 0
    assert value(told, "restimator_endpoint_ready", endpoint="titanic") == 1
    trained = value(told, "restimator_model_trained_timestamp_seconds", endpoint="titanic")
    assert time.time() - 3600 < trained <= time.time()
    assert value(told, "restimator_model_trained_timestamp_seconds", endpoint="empty") is None
    assert value(told, "restimator_requests_in_progress") == 1
    assert list(told["restimator_build_info"].values()) == [1]


def test_trainings_are_counted_by_their_ends(make_client):
    client = make_client({"titanic": titanic_endpoint()})

    def ended(status):
        return value(figures(client), "restimator_training_runs_ended_total", endpoint="titanic", status=status)

    assert (ended("finished"), ended("failed"), ended("killed")) == (1, 0, 0)
    assert client.post("/titanic?_action=train").status_code == 200
    until(lambda: ended("finished") == 2)
    assert client.post("/titanic?_action=train", json=[ROW | {"Survived": 0}] * 5).status_code == 400
    until(lambda: ended("failed") == 1)
    assert ended("finished") == 2
    client.delete("/titanic?_model")
    assert value(figures(client), "restimator_model_loaded", endpoint="titanic") == 0
    running = {"endpoint": "titanic", "state": "running"}
    assert value(figures(client), "restimator_training_runs", **running) == 0


def test_a_model_that_cannot_be_loaded_is_told_as_such(make_client, tmp_path):
    (tmp_path / "bad.pkl").write_bytes(b"no pickle")
    entry = {"pattern": "/bad", "handler": "MLHandler", "kwargs": {"model": {"path": str(tmp_path / "bad.pkl")}}}
    client = make_client({"bad": entry}, wait=False)
    told = figures(client)
    assert value(told, "restimator_model_loaded", endpoint="bad") == 0
    assert value(told, "restimator_endpoint_ready", endpoint="bad") == 0


def test_a_key_for_one_endpoint_sees_the_figures_of_that_one(make_client):
    key = {"hash": hash_of("mine"), "name": "mine", "scopes": ["read", "predict"], "endpoints": ["titanic"]}
    all_ = {"hash": hash_of("all"), "name": "all", "scopes": ["read", "predict"]}
    url = {"titanic": titanic_endpoint(), "empty": EMPTY}
    client = make_client(url, keys=[key, all_])
    for path in ("/titanic", "/empty", "/runs"):
        client.get(path, headers={"X-API-Key": "all"})
    shown = {
        holder: {
            text
            for samples in figures(client, **{"X-API-Key": holder}).values()
            for labels in samples
            for name, text in labels
            if name in ("endpoint", "route")
        }
        for holder in ("mine", "all")
    }
    assert shown["mine"] == {"titanic", "/titanic"}
    assert shown["all"] >= {"titanic", "/titanic", "empty", "/empty", "/runs"}


def test_metrics_can_be_turned_off(make_client):
    client = make_client({"empty": EMPTY}, metrics=False)
    assert client.get("/metrics").status_code == 404
    assert client.get("/empty").headers["X-Request-ID"]


def test_what_cannot_be_counted_is_answered_all_the_same(make_client, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(module.FOLDER, str(tmp_path / "file"))
    client = make_client({"titanic": titanic_endpoint()})
    assert client.get("/titanic", query_string=ROW).json == [0]
    assert_problem(client.get("/metrics"), 503, "cannot be counted")


def count(counters, route, rows=0, *done):
    counters.tally(counters.places(route, "GET", "200", *done), rows)(0.003)


def test_without_room_for_another_route_it_alone_is_not_counted(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv(module.FOLDER, str(tmp_path))
    monkeypatch.setattr(module, "SIZE", 2**13)
    counters = Counters()
    count(counters, "/first")

    def full(*_):
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    monkeypatch.setattr("os.posix_fallocate", full)
    for number in range(10):
        counters.begun()
        count(counters, f"/{number}", 1, f"endpoint {number}", "predict")
    count(counters, "/first")
    monkeypatch.undo()
    monkeypatch.setenv(module.FOLDER, str(tmp_path))
    told = parsed(Metrics(NoFigures(), {}).text().decode())
    assert value(told, "restimator_requests_total", route="/first", method="GET", status="200") == 2
    assert value(told, "restimator_requests_total", route="/9", method="GET", status="200") is None
    assert "No space left" in caplog.text


def test_many_routes_find_room(tmp_path, monkeypatch):
    monkeypatch.setenv(module.FOLDER, str(tmp_path))
    monkeypatch.setattr(module, "SIZE", 2**13)
    counters = Counters()
    # Those that were begun while the files were small go on counting.
    tallies = [counters.tally(counters.places(f"/{number}", "GET", "200")) for number in range(100)]
    for tally in [*tallies, *tallies]:
        tally(0.003)
    told = parsed(Metrics(NoFigures(), {}).text().decode())
    counted = [value(told, f"{DURATION}_count", route=f"/{number}") for number in range(100)]
    assert counted == [2] * 100


def test_more_kinds_of_requests_than_are_remembered_are_counted_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv(module.FOLDER, str(tmp_path))
    monkeypatch.setattr("server.web.observation.MOST_KINDS", 3)
    metrics = Metrics(NoFigures(), {})
    observed = Observation(answers, metrics, False)
    for number in [*range(8), *range(8), 0, 0]:
        asked(observed, **{"PATH_INFO": f"/runs/{number}", "restimator.route": "/runs/<run_id>"})
    told = parsed(metrics.text().decode())
    assert value(told, "restimator_requests_total", route="/runs/<run_id>", method="GET", status="200") == 18
    assert 0 < len(observed._kinds) <= 3


def test_a_folder_that_was_tidied_away_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv(module.FOLDER, str(tmp_path / "gone"))
    count(Counters(), "/titanic")
    assert (tmp_path / "gone" / "counter_0.db").exists()


class NoFigures:
    build: dict[str, str] = {}

    def nothing(self):
        return {}

    models = runs_going_on = runs_ended = nothing


def test_who_takes_the_place_of_another_goes_on_counting_and_places_are_added_up(tmp_path, monkeypatch):
    monkeypatch.setenv(module.FOLDER, str(tmp_path))
    for place in ("1", "2", "1"):
        monkeypatch.setattr(module._Place, "name", "0")
        take_place(place)
        counters = Counters()
        counters.begun()
        count(counters, "/titanic", 10, "titanic", "predict")
    told = parsed(Metrics(NoFigures(), {}).text().decode())
    labels = {"route": "/titanic", "method": "GET", "status": "200"}
    assert value(told, "restimator_requests_total", **labels) == 3
    assert value(told, "restimator_rows_total", endpoint="titanic", action="predict") == 30
    assert value(told, f"{DURATION}_bucket", route="/titanic", le="0.0025") == 0
    assert value(told, f"{DURATION}_bucket", route="/titanic", le="0.005") == 3
    assert value(told, "restimator_requests_in_progress") == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{kind}_{place}.db" for kind in ("counter", "histogram", "gauge_livesum") for place in "12"
    }
