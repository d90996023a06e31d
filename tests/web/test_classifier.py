"""ClassifierHandler: the seed's requests, in its order."""

import pytest

from tests.web.classifying import (
    NOTHING,
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
from tests.web.reading import Page

pytestmark = pytest.mark.slow


@pytest.fixture
def classifier(make_client, tmp_path):
    write_documents(tmp_path)
    return make_client({"custom": classifier_entry()}, wait=False)


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
    assert URL in page.links
    assert "Serve this model" not in page.text
    assert f"/runs/{info['run_id']}" in Page(classifier.get("/runs?endpoint=custom&_format=html").text).links
    predicted = post(classifier, "predict", {"runid": info["run_id"], "text": SPACE})
    assert predicted.status_code == 200, predicted.text
    data = predicted.json["data"]
    assert (data["label"], data["prediction"]) == ("space", 1)
    assert 0.3 < data["score"] <= 1
    assert classifier.get(f"{URL}/runid/status?experiment_name=Custom_Classifier10").json[0] == training
    last = classifier.get(f"{URL}/all_experiments/last_run").json
    assert [run["experiment_name"] for run in last] == ["Custom_Classifier10"]
    assert post(classifier, "run/soft_delete", {"run_id": info["run_id"]}).status_code == 200
    again = post(classifier, "run/soft_delete", {"run_id": info["run_id"]})
    assert again.status_code == 409
    assert again.json == {"status": f"Problem deleting run {info['run_id']}. Status deleted"}
    assert post(classifier, "predict", {"runid": info["run_id"], "text": SPACE}).status_code == 404
    name = {"experiment_name": "Custom_Classifier10"}
    assert post(classifier, "experiment/soft_delete", name).status_code == 200
    again = post(classifier, "experiment/soft_delete", name)
    assert again.json == {"status": "Problem deleting Experiment Custom_Classifier10. Status deleted"}
    assert post(classifier, "experiment/hard_delete", name).status_code == 200
    again = post(classifier, "experiment/hard_delete", name)
    assert (again.status_code, again.json["status"]) == (
        404, "Problem deleting Experiment Custom_Classifier10. Status not found",
    )  # fmt: skip


def test_a_run_tells_what_was_trained_and_how_good_it_is(classifier):
    run_id = begun(classifier, validation=1)
    finished(classifier)
    run = classifier.get(f"/runs/{run_id}").json
    assert (run["class"], run["data"]["rows"]) == ("LogisticRegression", 33)
    assert {"score", "held_out_score", "accuracy", "f1_macro", "f1.sport", "fit_seconds"} <= set(run["metrics"])
    assert run["metrics"]["held_out_score"] == run["metrics"]["accuracy"]
    assert {"python", "scikit-learn"} <= set(run["versions"])
    assert (run["params"]["path"], run["params"]["validation"], run["params"]["C"]) == ("dataset1", 1, 1.0)


def test_without_validation_all_documents_are_learned_from(classifier):
    run_id = begun(classifier, validation=False)
    finished(classifier)
    run = classifier.get(f"/runs/{run_id}").json
    assert (run["data"]["rows"], run["params"]["validation"]) == (42, 0)
    assert "held_out_score" not in run["metrics"]


def test_a_form_does_as_well_as_json(classifier):
    form = {**PAYLOAD, "validation": "0"}
    run_id = classifier.post(f"{URL}/process", data=form).json["data"]["info"]["run_id"]
    finished(classifier)
    answer = classifier.post(f"{URL}/predict", data={"runid": run_id, "text": SPACE})
    assert (answer.status_code, answer.json["data"]["label"]) == (200, "space")


def test_one_experiment_s_latest_run_stands_for_it(classifier):
    for name in ("first", "second", "first"):
        run_id = begun(classifier, experiment_name=name, labels=["business", "space"])
        finished(classifier, name)
    answer = classifier.get(f"{URL}/all_experiments/last_run").json
    assert [run["experiment_name"] for run in answer] == ["first", "second"]
    assert answer[0]["run_id"] == run_id
    assert set(answer[0]) == {"run_id", "status", "experiment_name", "tags.mlflow.runName"}
    assert classifier.get(f"{URL}/all_experiments/last_run?limit=1").json == answer[:1]


def test_an_experiment_that_is_deleted_keeps_its_name_until_it_is_gone(classifier):
    run_id = begun(classifier)
    finished(classifier)
    name = {"experiment_name": PAYLOAD["experiment_name"]}
    assert post(classifier, "experiment/soft_delete", name).status_code == 200
    assert_refused(post(classifier, "process", PAYLOAD), 409, "was deleted")
    assert_refused(post(classifier, "job_status", name), 404, "was deleted")
    assert_refused(post(classifier, "predict", {"runid": run_id, "text": SPACE}), 404, run_id)
    assert classifier.get(f"{URL}/all_experiments/last_run").json == []
    assert post(classifier, "experiment/hard_delete", name).status_code == 200
    assert begun(classifier) != run_id
    assert len(finished(classifier)) == 2
