"""Trainings of a ClassifierHandler that wait, fail, or lose what they were begun with; models out of the ordinary."""

import threading
import time

import pytest

from server.errors import TrackingUnavailable
from tests.web.classifying import (
    LABELS,
    PAYLOAD,
    SPACE,
    URL,
    assert_refused,
    begun,
    classifier_entry,
    finished,
    post,
    write_documents,
)

pytestmark = pytest.mark.slow

TWO = ["business", "space"]
NAME = {"experiment_name": PAYLOAD["experiment_name"]}


@pytest.fixture
def make_classifier(make_client, tmp_path):
    """A client whose classifier has these kwargs; the documents lie there."""
    write_documents(tmp_path)
    return lambda server=None, **kwargs: make_client({"custom": classifier_entry(**kwargs)}, wait=False, **server or {})


@pytest.fixture
def busy():
    """`with busy(client):` another training of the endpoint goes on."""

    def hold(client):
        return client.application.extensions["restimator"].classifiers["custom"]._store.training.held()

    return hold


def test_what_waits_for_another_training_cannot_be_used_or_deleted(make_classifier, busy):
    client = make_classifier()
    with busy(client):
        first = begun(client, labels=TWO)
        second = begun(client, labels=TWO)
        assert client.get(f"/runs/{second}").json["status"] == "SCHEDULED"
        assert_refused(post(client, "predict", {"runid": second, "text": SPACE}), 409, "is SCHEDULED")
        for route in ("soft_delete", "hard_delete"):
            answer = post(client, f"experiment/{route}", NAME)
            assert (answer.status_code, answer.json["status"].split(". Status ")[0]) == (
                409, "Problem deleting Experiment Custom_Classifier10",
            )  # fmt: skip
            assert answer.json["status"].endswith(("RUNNING", "SCHEDULED"))
        answer = post(client, "run/soft_delete", {"run_id": first})
        assert (answer.status_code, answer.json) == (409, {"status": f"Problem deleting run {first}. Status RUNNING"})
    assert {run["status"] for run in finished(client)} == {"FINISHED"}
    assert {client.get(f"/runs/{run}").json["status"] for run in (first, second)} == {"FINISHED"}


def test_two_may_begin_in_the_same_new_experiment_at_once(make_classifier):
    client = make_classifier()
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(client, "process", PAYLOAD | {"labels": TWO})))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.json["data"]["info"]["run_id"] for answer in answers}) == 2
    assert len({answer.json["data"]["info"]["experiment_id"] for answer in answers}) == 1
    deadline = time.monotonic() + 60
    runs = client.get("/runs").json["runs"]
    while {run["status"] for run in runs} != {"FINISHED"} and time.monotonic() < deadline:
        time.sleep(0.1)
        runs = client.get("/runs").json["runs"]
    assert [run["status"] for run in runs] == ["FINISHED"] * 4


def test_a_label_of_which_nothing_can_be_read_fails_the_training_and_is_told(make_classifier, tmp_path):
    client = make_classifier()
    for path in (tmp_path / "documents" / "dataset1" / "space").iterdir():
        path.write_bytes(b"")
    run_id = begun(client)
    training, reading = finished(client)
    assert (training["status"], reading["status"]) == ("FAILED", "FINISHED")
    run = client.get(f"/runs/{run_id}").json
    assert "'space' has 0" in run["error"]
    for told in (run, client.get(f"/runs/{reading['run_id']}").json):
        assert (told["number_documents_treated"], told["number_documents_non_treated"]) == (28, 15)
        empty = [one for one in told["list_id_not_treated"] if one["label"] == "space"]
        assert {one["reason"] for one in empty} == {"holds no text"}
    assert_refused(post(client, "predict", {"runid": run_id, "text": SPACE}), 409, "is FAILED")


def test_a_document_that_vanishes_before_it_is_read_is_not_treated(make_classifier, busy, tmp_path):
    client = make_classifier()
    with busy(client):
        run_id = begun(client)
        (tmp_path / "documents" / "dataset1" / "space" / "space000.txt").unlink()
    assert {run["status"] for run in finished(client)} == {"FINISHED"}
    names = [one["name"] for one in client.get(f"/runs/{run_id}").json["list_id_not_treated"]]
    assert sorted(names) == ["space/space000.txt", "sport/broken.pdf"]


def test_nothing_is_begun_while_the_store_of_runs_cannot_be_reached(make_classifier, tmp_path):
    client = make_classifier(server={"tracking_uri": "sqlite:////dev/null/none.db"})
    answer = post(client, "process", PAYLOAD)
    assert_refused(answer, 503, "server.tracking_uri")
    assert int(answer.headers["Retry-After"]) > 0
    assert_refused(post(client, "predict", {"runid": "0" * 32, "text": SPACE}), 503, "server.tracking_uri")
    assert_refused(post(client, "experiment/hard_delete", NAME), 503, "server.tracking_uri")
    assert not (tmp_path / "models" / "custom" / "staging").exists()


def test_a_store_that_fails_half_way_ends_what_was_begun(make_classifier, monkeypatch):
    client = make_classifier()

    def fail_once(*_, **__):
        monkeypatch.undo()
        raise TrackingUnavailable("the store of runs fell asleep", retry_after=10)

    monkeypatch.setattr(client.application.extensions["restimator"].book, "record", fail_once)
    assert_refused(post(client, "process", PAYLOAD), 503, "fell asleep")
    runs = client.get("/runs").json["runs"]
    assert [(run["status"], run["error"]) for run in runs] == [("FAILED", "the store of runs fell asleep")] * 2
    begun(client)
    assert [run["status"] for run in finished(client)[:2]] == ["FINISHED", "FINISHED"]


def test_a_class_without_probabilities_scores_null(make_classifier):
    client = make_classifier(model={"class": "LinearSVC"})
    run_id = begun(client)
    finished(client)
    answer = post(client, "predict", {"runid": run_id, "text": SPACE})
    assert answer.json["data"] == {"label": "space", "prediction": 1, "score": None}


def test_a_search_chooses_among_parameters(make_classifier):
    search = {"estimator": "LogisticRegression", "param_grid": {"C": [0.1, 10]}, "cv": 2}
    client = make_classifier(model={"class": "GridSearchCV", "params": search})
    run_id = begun(client)
    assert [run["status"] for run in finished(client)] == ["FINISHED", "FINISHED"]
    assert post(client, "predict", {"runid": run_id, "text": SPACE}).json["data"]["label"] == "space"


def test_labels_that_look_like_values_stay_text(make_classifier, tmp_path):
    client = make_classifier()
    folder = tmp_path / "documents" / "dataset1"
    for label, name in zip(LABELS, ("1", "true", "null"), strict=True):
        (folder / label).rename(folder / name)
    run_id = begun(client, labels=["1", "true", "null"])
    training, _ = finished(client)
    assert training["params.label2id"] == "{'1': 0, 'true': 1, 'null': 2}"
    answer = post(client, "predict", {"runid": run_id, "text": SPACE})
    assert (answer.json["data"]["label"], answer.json["data"]["prediction"]) == ("true", 1)


def test_labels_too_many_for_a_run_to_keep_are_refused(make_classifier, tmp_path):
    client = make_classifier(min_size_label=1)
    labels = [f"{number:03}{'x' * 200}" for number in range(40)]
    for label in labels:
        (tmp_path / "documents" / "many" / label).mkdir(parents=True)
        (tmp_path / "documents" / "many" / label / "a.txt").write_text("a text")
    assert_refused(post(client, "process", PAYLOAD | {"path": "many", "labels": labels}), 400, "6,000")
    assert client.get("/runs").json["runs"] == []


def test_a_body_larger_than_the_limit_is_413(make_classifier):
    client = make_classifier(server={"limits": {"body_mb": 0.01}})
    assert_refused(client.post(f"{URL}/predict", json={"runid": "1", "text": "x" * 20_000}), 413, "limits.body_mb")
