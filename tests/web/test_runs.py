"""Every training is a run: listed, shown, promoted."""

import base64
from pathlib import Path

import pytest
from mlflow import MlflowClient

from server.jobs import InlineRunner
from server.service.run_folder import active_runs
from server.service.run_log import open_run
from tests.conftest import titanic_endpoint, wait_until_ready
from tests.stores import fresh_store
from tests.waiting import until

pytestmark = pytest.mark.slow


def last_run(client, query="/runs") -> dict:
    return client.get(query).json["runs"][0]


def test_a_training_is_a_run(client):
    answer = client.post("/titanic?_action=retrain").json
    run = last_run(client)
    assert client.get(f"/runs/{run['run_id']}").json == run
    assert run["status"] == "FINISHED"
    assert run["endpoint"] == "titanic"
    assert run["class"] == "LogisticRegression"
    assert run["params"]["C"] == 1.0
    assert run["options"]["cats"] == ["Embarked", "SibSp", "Parch", "Pclass", "Sex"]
    assert run["metrics"]["score"] == answer["score"]
    assert run["data"] == {"version": 0, "rows": 674}
    assert run["serving"]
    assert run["progress"] is None


@pytest.mark.parametrize("estimator", ["LogisticRegression", "RandomForestClassifier"])
def test_a_run_has_a_score_on_rows_held_out_and_pictures(make_client, estimator):
    client = make_client({"titanic": titanic_endpoint()}, runner=InlineRunner())
    client.post(f"/titanic?_action=retrain&class={estimator}")
    run = last_run(client)
    assert 0.6 < run["metrics"]["held_out_score"] < run["metrics"]["score"]
    pictures = Path(run["artifact_uri"].removeprefix("file://")) / "pictures"
    assert {"confusion_matrix.svg", "roc_curve.svg"} <= {path.name for path in pictures.iterdir()}


def test_an_earlier_run_serves_again(client):
    first = last_run(client)
    client.post("/titanic?_action=retrain&class=DecisionTreeClassifier")
    second = last_run(client)
    assert [run["serving"] for run in client.get("/titanic?_runs").json["runs"]] == [True, False]
    answer = client.put(f"/titanic?_model&run={first['run_id']}")
    assert answer.status_code == 200, answer.text
    assert [run["serving"] for run in client.get("/titanic?_runs").json["runs"]] == [False, True]
    assert "coef_" in client.get("/titanic?_params").json["attrs"]
    assert second["run_id"] != first["run_id"]


@pytest.mark.parametrize(
    "preference",
    [
        "respond-async",
        "handling=lenient, Respond-Async",
        "respond-async, wait=soon",
        f"respond-async, wait={'9' * 400}",
    ],
)
def test_an_asynchronous_training_tells_where_to_look(client, preference):
    answer = client.post("/titanic?_action=retrain", headers={"Prefer": preference})
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    location = answer.headers["Location"]
    until(lambda: client.get(location).json["status"] not in ("SCHEDULED", "RUNNING"))
    assert client.get(location).json["status"] == "FINISHED"


def test_a_failed_training_is_a_failed_run_that_tells_why(client):
    answer = client.post("/titanic?_action=retrain&target_col=Nothing&C=2.0")
    assert answer.status_code == 400
    run = last_run(client)
    assert (run["status"], run["error"], run["serving"]) == ("FAILED", answer.json["detail"], False)
    assert (run["class"], run["params"], run["data"]["rows"]) == ("LogisticRegression", {"C": 2.0}, 674)
    assert run["options"]["target_col"] == "Nothing"
    assert run["versions"]


def test_a_store_that_cannot_be_reached_is_told_until_it_can(make_client, tmp_path):
    store = tmp_path / "elsewhere"
    store.mkdir()
    client = make_client({"titanic": titanic_endpoint()}, wait=False, tracking_uri=f"sqlite:///{store}")

    def refused():
        # Who asks begins the training again.
        told = client.get("/titanic?Sex=male")
        return told if "could not begin" in told.json["detail"] else None

    told = until(refused)
    assert told.status_code == 503
    assert "server.tracking_uri" in told.json["detail"]
    assert told.headers["Retry-After"]
    store.rmdir()
    fresh_store(store.parent / "new")
    (store.parent / "new" / "mlflow.db").rename(store)
    wait_until_ready(client)
    assert last_run(client)["status"] == "FINISHED"


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("/runs/nothing", 404, "there is no"),
        ("/runs?endpoint=titanik", 400, "did you mean 'titanic'"),
        ("/runs?status=DONE", 400, "known: SCHEDULED"),
        ("/runs?limit=0", 400, "1 to 1000"),
        ("/runs?limit=many", 400, "1 to 1000"),
        (f"/runs?limit={'9' * 5000}", 400, "1 to 1000"),
        ("/runs?page=nonsense", 404, "no such page"),
        ("/runs?endpoints=titanic", 400, "did you mean 'endpoint'"),
        ("/titanic?_runs&_status=DONE", 400, "known: SCHEDULED"),
        ("/titanic?_runs&_limt=3", 400, "did you mean '_limit'"),
    ],
)
def test_what_cannot_be_shown_is_told(client, address, status, told):
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert told in answer.json["detail"]


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("run=nothing", 404, "there is no"),
        ("run=", 404, "there is no"),
        ("run=a&run=b", 400, "one value"),
        ("run=a&C=1", 400, "by itself"),
    ],
)
def test_what_cannot_serve_again_is_told_and_what_serves_goes_on(client, query, status, told):
    before = client.get("/titanic?_params").json
    answer = client.put(f"/titanic?_model&{query}")
    assert (answer.status_code, told in answer.json["detail"]) == (status, True), answer.text
    assert client.get("/titanic?_params").json == before


def test_the_run_of_another_endpoint_or_of_a_failure_does_not_serve(make_client):
    client = make_client({"titanic": titanic_endpoint(), "other": titanic_endpoint() | {"pattern": "/other"}})
    run = last_run(client, "/runs?endpoint=other")["run_id"]
    answer = client.put(f"/titanic?_model&run={run}")
    assert (answer.status_code, "not one of titanic" in answer.json["detail"]) == (404, True)
    client.post("/titanic?_action=retrain&target_col=Nothing")
    failed = last_run(client, "/runs?status=FAILED")["run_id"]
    answer = client.put(f"/titanic?_model&run={failed}")
    assert (answer.status_code, "is FAILED" in answer.json["detail"]) == (409, True)


def test_runs_are_listed_page_by_page(client):
    for strength in (1, 2, 3):
        client.post(f"/titanic?_action=retrain&C={strength}")
    found, address = [], "/runs?limit=3&endpoint=titanic"
    while address:
        page = client.get(address).json
        found += [run["params"]["C"] for run in page["runs"]]
        address = page["next"]
    assert found == [3.0, 2.0, 1.0, 1.0]


def test_a_run_that_has_ended_is_not_cancelled(client):
    run = last_run(client)["run_id"]
    answer = client.delete(f"/runs/{run}")
    assert (answer.status_code, "it is FINISHED" in answer.json["detail"]) == (409, True)
    assert client.post(f"/runs/{run}").status_code == 405


def test_rows_that_came_with_a_training_have_a_version(client, titanic):
    rows = titanic.head(100).to_csv(index=False)
    client.post("/titanic?_action=train", data=rows, content_type="text/csv")
    assert last_run(client)["data"]["version"] == 1
    client.post("/titanic?_action=retrain")
    assert last_run(client)["data"]["version"] == 1


def test_a_run_that_was_deleted_in_the_store_while_it_was_worked_on_is_forgotten(client):
    application = client.application.extensions["restimator"]
    active = active_runs(application.config)
    for name in ("deleted", "gone"):
        with active.opened(name):
            run = open_run(application.book, name, "titanic", "SVC")
        if name == "deleted":
            MlflowClient(application.config.server.tracking_uri).delete_run(run)
        else:
            active.note(name, {"run": "0" * 32})
    assert active.tasks() == ["deleted", "gone"]
    assert [found["class"] for found in client.get("/runs").json["runs"]][-1] == "LogisticRegression"
    assert active.tasks() == []


@pytest.mark.parametrize("page", ["[]", "null", '{"offset": 1e400}', '{"offset": -5}', '{"offset": true}', "{}"])
def test_a_page_that_nobody_named_is_404(client, page):
    token = base64.b64encode(page.encode()).decode()
    assert client.get("/runs", query_string={"page": token}).status_code == 404
    assert client.get("/runs", query_string={"page": "😀"}).status_code == 404
