"""A ClassifierHandler that fine-tunes a transformer, through the same routes."""

import time

import pytest

from server.estimators.text_folder import read_folder
from tests.hub import hub_in_reach
from tests.web.classifying import (
    PAYLOAD,
    SPACE,
    assert_refused,
    begun,
    classifier_entry,
    finished,
    post,
    write_documents,
)

pytestmark = pytest.mark.slow

LABELS = ["1", "space"]
TRAINING = {"num_train_epochs": 1, "per_device_train_batch_size": 4, "learning_rate": 0.01}


@pytest.fixture
def make_classifier(make_client, tmp_path):
    """A client whose classifier begins with these weights; its labels are `1` and `space`."""
    (write_documents(tmp_path, 12) / "sport").rename(tmp_path / "documents" / "dataset1" / "1")

    def make(model, **kwargs):
        return make_client({"custom": classifier_entry(model=str(model), **kwargs)}, wait=False)

    return make


def test_a_transformer_is_fine_tuned_and_predicts(make_classifier, tiny_models, tmp_path):
    client = make_classifier(tiny_models / "base", training=TRAINING)
    run_id = begun(client, labels=LABELS)
    assert [run["status"] for run in finished(client)] == ["FINISHED", "FINISHED"]
    run = client.get(f"/runs/{run_id}").json
    assert (run["class"], run["params"]["num_train_epochs"], run["params"]["long_texts"]) == (
        "SentimentAnalysis", 1, "windows",
    )  # fmt: skip
    assert {"score", "held_out_score", "loss"} <= set(run["metrics"])
    losses = client.get(f"/runs/{run_id}?_losses").json["losses"]
    assert losses[-1]["step"] >= len(losses) > 0
    assert all(point["loss"] > 0 for point in losses)
    answer = post(client, "predict", {"runid": run_id, "text": SPACE})
    assert answer.status_code == 200, answer.text
    data = answer.json["data"]
    assert (data["label"], data["prediction"]) in {("1", 0), ("space", 1)}
    assert 0.5 <= data["score"] <= 1
    [model] = (tmp_path / "models" / "mlruns").glob(f"*/{run_id}/artifacts/model")
    assert sorted(read_folder(model).labels) == LABELS
    assert not list((tmp_path / "models" / "custom").glob("staging/*"))


def test_a_long_text_is_classified_whole(make_classifier, tiny_models):
    client = make_classifier(tiny_models / "base", training=TRAINING | {"num_train_epochs": 8})
    run_id = begun(client, labels=LABELS, validation=0)
    finished(client)
    # More than the model takes at once, so that all after it would be cut off.
    first = "The goalkeeper won the medal near the stadium. " * 40
    alone = post(client, "predict", {"runid": run_id, "text": first}).json["data"]
    followed = post(client, "predict", {"runid": run_id, "text": first + SPACE * 40}).json["data"]
    assert alone != followed


def test_weights_in_no_folder_begin_nothing_and_say_so(make_classifier, tmp_path):
    client = make_classifier(tmp_path / "no" / "weights")
    assert_refused(post(client, "process", PAYLOAD | {"labels": LABELS}), 503, "no/weights")
    assert client.get("/runs").json["runs"] == []


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with hub_in_reach(monkeypatch, tmp_path / "cache") as hub:
        yield hub


def asked_until(client, is_over):
    """The last answer of `process`, which is asked for until it is as wanted."""
    deadline = time.monotonic() + 30
    while not is_over(answer := post(client, "process", PAYLOAD | {"labels": LABELS})):
        assert time.monotonic() < deadline, answer.text
        assert_refused(answer, 503, "ask again soon")
        assert answer.headers["Retry-After"]
        assert client.get("/runs").json["runs"] == []
        time.sleep(0.1)
    return answer


def test_weights_of_the_hub_are_fetched_before_anything_is_begun(make_classifier, hub, tiny_models):
    hub.repositories["org/base"] = tiny_models / "base"
    hub.held.clear()
    client = make_classifier("org/base", training=TRAINING)
    assert_refused(post(client, "process", PAYLOAD | {"labels": LABELS}), 503, "ask again soon")
    hub.held.set()
    asked_until(client, lambda answer: answer.status_code == 200)
    assert [run["status"] for run in finished(client)] == ["FINISHED", "FINISHED"]


def test_weights_that_cannot_be_fetched_say_why_and_begin_nothing(make_classifier, hub):
    client = make_classifier("org/base")
    answer = asked_until(client, lambda answer: "ask again" not in answer.json["error"])
    assert_refused(answer, 503, "the model is not on this machine", "org/base")
    assert client.get("/runs").json["runs"] == []
