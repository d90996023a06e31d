"""The page and the index of text models, told without their weights."""

import json
import subprocess
import sys

import pytest
import yaml

from server.errors import WeightsMissing
from server.storage.endpoint_store import EndpointStore
from tests.conftest import ROOT
from tests.tiny import tiny_model
from tests.web.reading import Page

pytestmark = pytest.mark.slow

SENTENCES = [
    {"text": f"{word} movie {i}", "label": label} for i in range(4) for word, label in (("good", 1), ("bad", 0))
]
ARGUMENTS = ["num_train_epochs", "per_device_train_batch_size", "learning_rate", "weight_decay"]


def ml(pattern, class_name, folder, **kwargs):
    model = {"class": class_name, "params": {"model": str(folder)}}
    return {"pattern": pattern, "handler": "MLHandler", "kwargs": {"model": model, **kwargs}}


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Folders of pretrained weights: a classifier's, a recognizer's, and a mere base's."""
    folder = tmp_path_factory.mktemp("weights")
    return {
        "sentiment": tiny_model(folder / "sentiment"),
        "entities": tiny_model(folder / "entities", "token"),
        "base": tiny_model(folder / "base", None),
    }


@pytest.fixture
def endpoints(weights):
    """An endpoint of each kind of text model."""
    task = {"backend": "transformers", "task": "sentiment-analysis"}
    return {
        "sentiment": ml("/sentiment", "SentimentAnalysis", weights["sentiment"]),
        "task": {
            "pattern": "/task",
            "handler": "MLHandler",
            "kwargs": {**task, "model": {"params": {"model": str(weights["sentiment"])}}},
        },
        "entities": ml("/entities", "NER", weights["entities"]),
        "base": ml("/base", "SentimentAnalysis", weights["base"]),
        "missing": ml("/missing", "NER", "org/no-such-model"),
        "words": {
            "pattern": "/words",
            "handler": "TextHandler",
            "kwargs": {"model": {"class": "SentimentAnalysis", "params": {"model": str(weights["sentiment"])}}},
        },
    }


@pytest.fixture
def client(make_client, endpoints, monkeypatch):
    monkeypatch.setattr("server.estimators.pretrained.Pretrained.fetch_soon", lambda self: None)
    return make_client(endpoints, wait=False)


def page_of(client, name):
    answer = client.get(f"/{name}")
    assert answer.status_code == 200
    return Page(answer.text)


LOOKING = """
import sys
from pathlib import Path
from server.app import create_app
from server.config import load_config
from tests.conftest import BriefRunner
client = create_app(load_config(Path(sys.argv[1]), {}), BriefRunner()).test_client()
for name in sys.argv[2:]:
    for query in ("", "?_params", "?_model", "?_cache"):
        expected = (503,) if (name, query) == ("missing", "?_model") else (200, 404)
        assert client.get(f"/{name}{query}").status_code in expected, (name, query)
for url in ("/", "/?_format=json", "/readyz"):
    client.get(url)
print("torch" in sys.modules, "transformers" in sys.modules)
assert client.get("/sentiment?text=good").status_code == 200
print("torch" in sys.modules)
"""


def test_who_only_looks_loads_neither_torch_nor_weights(endpoints, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"url": endpoints}))
    command = [sys.executable, "-c", LOOKING, tmp_path / "config.yaml", *endpoints]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, env={"HF_HUB_OFFLINE": "1"})
    assert done.stdout.split() == ["False", "False", "True"], done.stderr


@pytest.mark.parametrize(
    ("name", "words", "answers", "has_probabilities"),
    [
        ("sentiment", "Predicts label from text with SentimentAnalysis", ["label"], True),
        ("task", "Predicts label from text with SentimentAnalysis", ["label", "score"], True),
        ("entities", "Finds entities in text with NER", ["labels"], False),
        ("words", "Predicts label from text with SentimentAnalysis", ["label"], True),
    ],
)
def test_the_answers_are_known_before_anything_is_asked(client, name, words, answers, has_probabilities):
    page = page_of(client, name)
    assert words in page.text
    assert (page.facts["answers"], page.facts["hasProbabilities"]) == (answers, has_probabilities)
    row = {page.facts["column"]: "good"}
    (record,) = client.post(f"/{name}?_action=predict&_output=records", json=[row]).json
    assert list(record) == [*row, *answers]


def test_weights_that_nobody_trained_here_are_called_pretrained(client):
    assert (
        "with NER: pretrained weights of weights0/entities; nothing was trained yet."
        in page_of(client, "entities").text
    )
    entries = {entry["name"]: entry for entry in client.get("/?_format=json").json["endpoints"]}
    told = {key: entries["entities"][key] for key in ("state", "class", "kind", "score", "score_name", "pretrained")}
    assert told == {
        "state": "pretrained",
        "class": "NER",
        "kind": "entity recognizer",
        "score": None,
        "score_name": "F1",
        "pretrained": "weights0/entities",
    }
    assert (entries["words"]["state"], entries["words"]["score_name"]) == ("pretrained", "ROC AUC")
    assert "Pretrained weights of weights0/entities" in Page(client.get("/").text).text


def test_a_mere_base_asks_for_a_training(client):
    page = page_of(client, "base")
    assert page.facts["state"] == "no model"
    assert "Is to predict label from text with SentimentAnalysis" in page.text
    assert "weights0/base has no head for this task yet: train it first." in page.text
    assert client.get("/base?text=good").status_code == 404


def test_missing_weights_are_told_with_the_remedy(client):
    page = page_of(client, "missing")
    assert (page.facts["state"], page.facts["hasModel"]) == ("not ready", False)
    assert "Is to find entities in text with NER" in page.text
    assert "'org/no-such-model' is no folder, and is yet to be fetched from the hub" in page.text
    assert page.facts["waiting"]


def test_weights_that_are_on_their_way_are_awaited(client, monkeypatch):
    monkeypatch.setattr("server.estimators.pretrained.Pretrained._alive", lambda self: True)
    page = page_of(client, "missing")
    assert (page.facts["state"], page.facts["waiting"]) == ("not ready", True)
    assert "is being fetched from the hub; ask again soon" in page.text


def test_a_command_in_a_reason_stands_as_code(client, monkeypatch):
    command = "flask --app wsgi text fetch <b>org/x</b> DIR"

    def missing(self):
        raise WeightsMissing(f"no; run `{command}`, copy")

    monkeypatch.setattr("server.estimators.pretrained.Pretrained.folder", missing)
    monkeypatch.setattr("server.estimators.pretrained.Pretrained.signature", lambda self: None)
    for url in ("/missing", "/"):
        answer = client.get(url)
        assert "<code>flask --app wsgi text fetch &lt;b&gt;org/x&lt;/b&gt; DIR</code>" in answer.text
        assert command in Page(answer.text).text


def test_a_training_is_told_while_the_pretrained_weights_answer(client, tmp_path):
    store = EndpointStore(tmp_path / "models" / "sentiment")
    with store.training.held():
        page = page_of(client, "sentiment")
        assert (page.facts["state"], page.facts["hasModel"]) == ("training", True)
        assert "A training is running; until it is over, the pretrained weights answer." in page.text
        assert client.get("/sentiment?_params").json["training"] == dict.fromkeys(("run", "step", "of", "loss"))
        store.save_progress("r1", {"step": 3, "of": 8, "loss": 0.5})
        assert client.get("/sentiment?_params").json["training"] == {"run": "r1", "step": 3, "of": 8, "loss": 0.5}
        # What a training that was killed told last is not this one's.
        store.save_progress("r2", {})
        assert client.get("/sentiment?_params").json["training"] == {
            "run": "r2",
            "step": None,
            "of": None,
            "loss": None,
        }
    assert client.get("/sentiment?_params").json["training"] is None


def test_after_a_training_the_page_tells_it(client):
    before = client.get("/sentiment?_params").json["run"]
    answer = client.post("/sentiment?_action=train&num_train_epochs=1", json=SENTENCES)
    assert answer.status_code == 200
    page = page_of(client, "sentiment")
    assert page.facts["state"] == "trained"
    score = f"{answer.json['roc_auc']:.3f}"
    assert f"SentimentAnalysis, trained just now on 8 rows, ROC AUC {score} on them" in page.text
    assert (before, page.facts["run"]) == (None, client.get("/sentiment?_params").json["run"])
    assert page.facts["example"]["text"] in {row["text"] for row in SENTENCES}


def test_a_text_is_asked_for_in_a_box_of_its_own(client):
    for name, argument in (("sentiment", "text"), ("entities", "text"), ("words", "query")):
        page = page_of(client, name)
        (control,) = page.controls[argument]
        assert (control["tag"], "required" in control) == ("textarea", True)
        assert client.get(f"/{name}", query_string=page.facts["example"]).status_code == 200


def test_the_training_arguments_have_their_bounds(client):
    assert client.put("/sentiment?num_train_epochs=2").status_code == 200
    page = page_of(client, "sentiment")
    fields = {name: page.controls[name][0] for name in ARGUMENTS}
    told = {
        name: tuple(field[key] for key in ("min", "max", "step", "value", "data-default"))
        for name, field in fields.items()
    }
    assert told == {
        "num_train_epochs": ("0", "100", "any", "2", "1"),
        "per_device_train_batch_size": ("1", "1024", "1", "", "16"),
        "learning_rate": ("0", "1", "any", "", "None"),
        "weight_decay": ("0", "1", "any", "", "0.01"),
    }
    assert "above 0, up to 100; if empty, 1" in page.text
    for name, field in fields.items():
        if field["data-default"] != "None":
            assert client.put(f"/sentiment?{name}={field['max']}").status_code == 200
        assert client.put(f"/sentiment?{name}={float(field['max']) * 2}").status_code == 400
        assert client.put(f"/sentiment?{name}={field['data-default']}").status_code == 200


def test_classes_to_choose_are_those_that_read_texts(client):
    def offered(name):
        return [
            values["value"] for tag, values in page_of(client, name).elements if tag == "option" and values["value"]
        ]

    assert offered("sentiment") == offered("entities") == ["SentimentAnalysis", "NER"]
    assert {"SentimentAnalysis", "LogisticRegression"} <= set(offered("words"))
    assert not {"NER", "Ridge"} & set(offered("words"))


def test_the_model_is_offered_as_a_folder(client):
    assert "A zip of the folder that transformers' from_pretrained reads" in page_of(client, "sentiment").text


def test_hostile_texts_and_labels_are_only_text(make_client, tmp_path):
    hostile = "<img src=x onerror=alert(1)>"
    folder = tiny_model(tmp_path / "hostile", "token", labels=("O", f"B-{hostile}", f"I-{hostile}"))
    client = make_client({"m": ml("/m", "NER", folder)})
    rows = [{"text": f"{hostile} anna", "labels": [{"start": 0, "end": 4, "label": hostile}]}]
    assert client.post("/m?_action=append", json=rows).status_code == 200
    answer = client.get("/m")
    assert "<img src=x" not in answer.text
    assert hostile in Page(answer.text).text
    assert json.loads("".join(Page(answer.text).scripts))["kind"] == "entity recognizer"


def test_a_task_whose_class_was_changed_to_ner_answers_entities(client):
    rows = [{"text": f"anna lives {i}", "labels": [{"start": 0, "end": 4, "label": "PER"}]} for i in range(4)]
    assert client.put("/task?class=NER&target_col=labels").status_code == 200
    assert client.post("/task?_action=train", json=rows).status_code == 200
    (answer,) = client.get("/task?text=anna").json
    assert answer.keys() == {"text", "labels"}
    assert page_of(client, "task").facts["answers"] == ["labels"]
