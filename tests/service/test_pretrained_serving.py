"""Pretrained weights serve as soon as their folder is whole; what is wrong with it is told until it is mended."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, ROW, titanic_endpoint, wait_until_ready, write_config
from tests.reviews import QUERY, journeys, reviews, text_endpoint
from tests.tiny import tiny_model

pytestmark = pytest.mark.slow

URL = "/text"


@pytest.fixture
def serve(make_client):
    """A client of an endpoint of texts over the folder, and the titanic beside it."""

    def serve(folder: Path, **kwargs):
        entries = {"text": text_endpoint("text", str(folder), **kwargs), "titanic": titanic_endpoint()}
        client = make_client(entries, wait=False)
        wait_until_ready(client, f"/titanic?{'&'.join(f'{name}={value}' for name, value in ROW.items())}")
        return client

    return serve


@pytest.fixture
def folder(tmp_path, tiny_models):
    """A copy of the tiny classifier, to be spoilt."""
    return Path(shutil.copytree(tiny_models / "sentiment", tmp_path / "weights" / "mine"))


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def edit(folder: Path, **values) -> None:
    config = json.loads((folder / "config.json").read_text())
    config = {name: value for name, value in (config | values).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config))


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weights": 1}))


def without_tokenizer(folder: Path) -> None:
    for path in folder.iterdir():
        if "token" in path.name or path.name == "vocab.txt":
            path.unlink()


SPOILT = {
    "no folder": (shutil.rmtree, "not there"),
    "empty": (lambda folder: [path.unlink() for path in folder.iterdir()], "config.json"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "config.json"),
    "configuration is no JSON": (lambda folder: cut(folder / "config.json", 0.5), "no JSON"),
    "configuration is a list": (lambda folder: (folder / "config.json").write_text("[]"), "no JSON object"),
    "no type": (lambda folder: edit(folder, model_type=None), "model_type"),
    "unknown type": (lambda folder: edit(folder, model_type="no-such-thing"), "no-such-thing"),
    "code": (lambda folder: edit(folder, auto_map={"AutoConfig": "evil.Config"}), "code from its repository"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
    "weights cut short": (lambda folder: cut(folder / "model.safetensors", 0.5), "cut short"),
    "weights are text": (lambda folder: (folder / "model.safetensors").write_text("no weights here"), "broken"),
    "no bytes of weights": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "broken"),
    "pickled weights": (pickled, "pickle runs code"),
    "no tokenizer": (without_tokenizer, "tokenizer"),
    "tokenizer is no JSON": (lambda folder: cut(folder / "tokenizer.json", 0.5), "mine"),
    "other sizes": (lambda folder: edit(folder, hidden_size=64), "mine"),
    "too many layers": (lambda folder: edit(folder, num_hidden_layers=3), "weights"),
    "labels of a list": (lambda folder: edit(folder, id2label=["a", "b"]), "id2label"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_folder_that_is_no_model_is_503_with_the_reason_and_mending_it_is_enough(serve, folder, tiny_models, name):
    spoil, words = SPOILT[name]
    spoil(folder)
    client = serve(folder)
    answer = client.get(f"{URL}?text=good")
    assert answer.status_code == 503
    detail = answer.json["detail"]
    assert words in detail
    assert "Traceback" not in detail
    ready = client.get("/readyz")
    assert (ready.status_code, words in ready.json["endpoints"]["text"]) == (503, True)
    assert client.get(URL).status_code == 200
    assert client.get("/titanic", query_string=ROW).json == [0]
    # What is already there would be learned on from, or get a new head.
    for rows in (reviews(), reviews("yes", "no")):
        assert client.post(f"{URL}?_action=train", json=rows).status_code == 503
    assert client.get(f"{URL}?_cache").json == []
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(tiny_models / "sentiment", folder)
    assert client.get(f"{URL}?text=good").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_pickled_weights_are_never_loaded(serve, folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    pickled(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    client = serve(folder)
    assert client.get(f"{URL}?text=good").status_code == 503
    assert client.post(f"{URL}?_action=train", json=reviews()).status_code == 503
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("head", "class_"), [(None, "SentimentAnalysis"), ("token", "SentimentAnalysis"), ("sequence", "NER")]
)
def test_weights_without_the_head_are_trained_first(serve, tmp_path, head, class_):
    client = serve(tiny_model(tmp_path / "other", head, initializer_range=0.02), options={"class": class_})
    for query in ("?text=good", "?_model", "?_download"):
        answer = client.get(URL + query)
        assert answer.status_code == 404
        assert "_action=train" in answer.json["detail"]
    assert client.post(URL, json=[{"text": "good"}]).status_code == 404
    assert client.post(f"{URL}?_action=score", json=reviews()).status_code == 404
    assert client.get("/readyz").status_code == 200
    rows = journeys() if class_ == "NER" else reviews()
    assert client.post(f"{URL}?_action=train{QUERY}", json=rows).status_code == 200
    assert client.get(f"{URL}?text=good").status_code == 200


def test_weights_serve_while_the_first_training_is_still_to_come(serve, tiny_models, tmp_path):
    """The data has no rows to learn from: the training fails, is told, and does not take the weights away."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("text,label\ngood,POSITIVE\nfine,POSITIVE\n")
    client = serve(tiny_models / "sentiment", data="data/rows.csv")
    answer = client.get(f"{URL}?text=good")
    assert answer.status_code in (200, 503)
    if answer.status_code == 503:
        assert "one class only" in answer.json["detail"]
    assert client.get("/titanic", query_string=ROW).json == [0]


def test_data_of_the_configuration_is_learned_from_at_start(make_client, tiny_models, tmp_path):
    (tmp_path / "data").mkdir()
    lines = "".join(f"{row['text']},{row['label']}\n" for row in reviews("yes", "no"))
    (tmp_path / "data" / "rows.csv").write_text("text,label\n" + lines)
    params = {"num_train_epochs": 6, "learning_rate": 0.01, "per_device_train_batch_size": 8}
    entry = text_endpoint("text", str(tiny_models / "base"), data="data/rows.csv", options={"params": params})
    client = make_client({"text": entry})
    assert client.get(f"{URL}?text=good&text=bad").json == ["yes", "no"]
    assert client.post(f"{URL}?_action=score").json == {"roc_auc": 1.0}


def test_texts_of_digits_in_the_data_of_the_configuration_stay_texts(make_client, tiny_models, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("text,label\n007,1\n008,0\n")
    client = make_client({"text": text_endpoint("text", str(tiny_models / "base"), data="data/rows.csv")})
    assert [row["text"] for row in client.get(f"{URL}?_cache").json] == ["007", "008"]


# Start, train and predict a table, look at pages; and the same with text models that nobody asks yet.
SCRIPT = """
import faulthandler
import sys
faulthandler.dump_traceback_later(90, exit=True)
from server.app import create_app
from server.config import load_config
from tests.conftest import BriefRunner
import time

def loaded():
    return sorted({name.split(".")[0] for name in sys.modules} & {"torch", "transformers", "tokenizers"})

app = create_app(load_config(sys.argv[1], {}), BriefRunner())
client = app.test_client()
deadline = time.monotonic() + 60
while client.get("/titanic?_model").status_code != 200:
    assert time.monotonic() < deadline
    time.sleep(0.1)
assert client.post("/titanic?_action=retrain").status_code == 200
assert client.post("/titanic?_action=score").status_code == 200
for page in ("/", "/titanic", "/readyz", "/healthz", "/titanic?_params", *sys.argv[2:]):
    assert client.get(page).status_code == 200, page
assert loaded() == [], loaded()
if len(sys.argv) > 2:
    assert client.get("/text?text=good").status_code == 200
    assert "torch" in loaded()
"""


def run(tmp_path, entries, *pages):
    config = write_config(tmp_path, {"url": entries})
    command = [sys.executable, "-c", SCRIPT, str(config), *pages]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    if "Timeout (" in done.stderr:
        # It hung once in many runs, on a busy machine, and nobody knows why: if it recurs, the log tells where.
        print(done.stderr)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    return done


@pytest.mark.slow
def test_a_configuration_without_text_models_never_imports_torch(tmp_path):
    done = run(tmp_path, {"titanic": titanic_endpoint()})
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_torch_is_imported_by_the_first_use_of_a_text_model(tmp_path, tiny_models):
    entries = {"titanic": titanic_endpoint(), "text": text_endpoint("text", str(tiny_models / "sentiment"))}
    done = run(tmp_path, entries, "/text?_params", "/text?_model", "/text?_cache", "/text")
    assert done.returncode == 0, done.stderr
