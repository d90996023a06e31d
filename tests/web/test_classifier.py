"""ClassifierHandler: the seed's requests, in its order, and what it refuses."""

import json
import time

import pytest

from tests.documents.library import write_library
from tests.web.reading import Page

LABELS = ["business", "space", "sport"]
ENTRY = {
    "pattern": "/custom_classifier",
    "handler": "ClassifierHandler",
    "kwargs": {"documents": "$YAMLPATH/documents", "model": {"class": "LogisticRegression"}},
}
PAYLOAD = {"labels": LABELS, "path": "dataset1", "experiment_name": "Custom_Classifier10"}
NOTHING = {"number_documents_treated": 0, "number_documents_non_treated": 0, "list_id_not_treated": []}


@pytest.fixture
def classifier(make_client, tmp_path):
    write_library(tmp_path / "documents" / "dataset1", LABELS, 14)
    (tmp_path / "documents" / "dataset1" / "sport" / "broken.pdf").write_bytes(b"no pdf at all")
    return make_client({"custom": ENTRY}, wait=False)


def post(client, route, body):
    return client.post(f"/custom_classifier/{route}", json=body)


def finished(client, name="Custom_Classifier10") -> list[dict]:
    deadline = time.monotonic() + 60
    while True:
        runs = post(client, "job_status", {"experiment_name": name}).json
        if all(run["status"] in ("FINISHED", "FAILED", "KILLED") for run in runs):
            return runs
        assert time.monotonic() < deadline, runs
        time.sleep(0.05)


def test_the_requests_of_the_seed(classifier):
    answer = post(classifier, "process", PAYLOAD)
    assert answer.status_code == 200, answer.text
    assert answer.json["status"] == {"code": 200, "message": "Success"}
    info = answer.json["data"]["info"]
    assert info["run_name"].startswith("training_classifier2")
    assert info["status"] == "RUNNING"
    assert info["run_id"] == info["run_uuid"]
    assert {name: answer.json[name] for name in NOTHING} == NOTHING
    training, reading = finished(classifier)
    assert (training["run_id"], training["status"]) == (info["run_id"], "FINISHED")
    assert training["params.label2id"] == "{'business': 0, 'space': 1, 'sport': 2}"
    assert training["params.id2label"] == "{0: 'business', 1: 'space', 2: 'sport'}"
    assert reading["tags.mlflow.runName"].startswith("dataset_info 2")
    assert (reading["params.label2id"], reading["status"]) == (None, "FINISHED")
    run = classifier.get(f"/runs/{info['run_id']}").json
    assert (run["number_documents_treated"], run["number_documents_non_treated"]) == (42, 1)
    assert run["list_id_not_treated"][0]["name"] == "sport/broken.pdf"
    assert run["metrics"]["accuracy"] > 0.6
    page = Page(classifier.get(f"/runs/{info['run_id']}?_format=html").text)
    assert "1 document not treated sport/broken.pdf " in page.text
    assert "/custom_classifier" not in page.links
    assert "Serve this model" not in page.text
    assert f"/runs/{info['run_id']}" in Page(classifier.get("/runs?endpoint=custom&_format=html").text).links
    text = "The spacecraft entered orbit around the planet, and the astronauts saw the rocket engine."
    predicted = post(classifier, "predict", {"runid": info["run_id"], "text": text})
    assert predicted.status_code == 200, predicted.text
    data = predicted.json["data"]
    assert (data["label"], data["prediction"]) == ("space", 1)
    assert 0.3 < data["score"] <= 1
    assert classifier.get("/custom_classifier/runid/status?experiment_name=Custom_Classifier10").json[0] == training
    last = classifier.get("/custom_classifier/all_experiments/last_run").json
    assert [run["experiment_name"] for run in last] == ["Custom_Classifier10"]
    assert post(classifier, "run/soft_delete", {"run_id": info["run_id"]}).status_code == 200
    again = post(classifier, "run/soft_delete", {"run_id": info["run_id"]})
    assert again.status_code == 409
    assert again.json == {"status": f"Problem deleting run {info['run_id']}. Status deleted"}
    assert post(classifier, "predict", {"runid": info["run_id"], "text": text}).status_code == 404
    name = {"experiment_name": "Custom_Classifier10"}
    assert post(classifier, "experiment/soft_delete", name).status_code == 200
    again = post(classifier, "experiment/soft_delete", name)
    assert again.json == {"status": "Problem deleting Experiment Custom_Classifier10. Status deleted"}
    assert post(classifier, "experiment/hard_delete", name).status_code == 200
    again = post(classifier, "experiment/hard_delete", name)
    assert (again.status_code, again.json["status"]) == (
        404, "Problem deleting Experiment Custom_Classifier10. Status not found",
    )  # fmt: skip


def test_what_is_wrong_is_told_in_the_envelope_and_nothing_is_begun(classifier):
    wrong = [
        PAYLOAD | {"path": "../dataset1"},
        PAYLOAD | {"path": "/etc"},
        PAYLOAD | {"labels": ["business"]},
        PAYLOAD | {"labels": [*LABELS, "cooking"]},
        PAYLOAD | {"experiment_name": ""},
        PAYLOAD | {"more": 1},
        {},
    ]
    for body in wrong:
        answer = post(classifier, "process", body)
        assert answer.status_code == 400, json.dumps(body)
        assert answer.json["status"]["code"] == 400
        assert answer.json["error"]
        assert {name: answer.json[name] for name in NOTHING} == NOTHING
    assert classifier.get("/runs").json["runs"] == []
