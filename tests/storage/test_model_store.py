"""The model file: a plain joblib pickle, with facts behind its end that are read without unpickling."""

import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from server.storage.model_store import MAGIC, ModelStore, read_facts, seal

pytestmark = pytest.mark.slow

MODEL = LogisticRegression().fit(np.arange(6).reshape(-1, 1), [0, 0, 0, 1, 1, 1])
FACTS = {"run": "r1", "schema": {"features": [{"name": "Größe"}]}, "score": None, "rows": 6}


class Trap:
    """A pickle that would tell if anybody loaded it."""

    def __reduce__(self):
        return os.makedirs, ("sprung", 0o777, True)


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "model.pkl"
    joblib.dump(MODEL, path)
    seal(path, FACTS)
    return path


def test_facts_come_back(sealed):
    assert read_facts(sealed) == FACTS
    assert ModelStore(sealed).facts() == FACTS


def test_a_plain_joblib_load_in_an_environment_without_this_server_gives_the_model(sealed, tmp_path):
    code = "import joblib, sys; print(joblib.load(sys.argv[1]).predict([[0], [5]]).tolist(), 'server' in sys.modules)"
    command = [sys.executable, "-I", "-c", code, str(sealed)]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[0, 1] False"


def test_a_model_trained_here_loads_without_this_server(client, tmp_path):
    path = tmp_path / "models" / "titanic" / "model.pkl"
    code = "import joblib, sys; print(type(joblib.load(sys.argv[1])).__name__, 'server' in sys.modules)"
    command = [sys.executable, "-I", "-c", code, str(path)]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "Pipeline False"
    with client.get("/titanic?_download") as download:
        assert download.data == path.read_bytes()


def test_facts_are_read_without_unpickling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trap.pkl"
    path.write_bytes(pickle.dumps(Trap()))
    seal(path, FACTS)
    assert read_facts(path) == FACTS
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("compress", [0, 3, ("bz2", 3), ("lzma", 3)], ids=str)
def test_a_file_that_this_server_did_not_write_has_no_facts(tmp_path, compress):
    path = tmp_path / "model.pkl"
    joblib.dump(MODEL, path, compress=compress)
    assert read_facts(path) is None


def tail(text: bytes, length: int | None = None) -> bytes:
    return text + (len(text) if length is None else length).to_bytes(8, "big") + MAGIC


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        MAGIC,
        tail(b"", 0),
        tail(b"{}", 1000),
        tail(b"{}", 2**63),
        tail(b"{"),
        tail(b"[]"),
        tail(b"\xff\xfe"),
        tail(b"{}")[:-1],
        tail(b"{}") + b"\n",
    ],
)
def test_a_broken_tail_has_no_facts(tmp_path, content):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    assert read_facts(path) is None


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_has_no_facts(sealed, share):
    content = sealed.read_bytes()
    sealed.write_bytes(content[: int(len(content) * share)])
    assert read_facts(sealed) is None


def test_a_truncated_model_is_503_and_a_training_mends_it(client, tmp_path):
    path = tmp_path / "models" / "titanic" / "model.pkl"
    query = "/titanic?Sex=male&Age=22&SibSp=1&Parch=0&Fare=7.25&Pclass=3&Embarked=S"
    path.write_bytes(path.read_bytes()[:1000])
    assert client.get(query).status_code == 503
    assert client.post("/titanic?_action=retrain").status_code == 200
    assert client.get(query).get_json() == [0]


def test_without_a_file_there_is_neither_signature_nor_facts(tmp_path):
    store = ModelStore(tmp_path / "none.pkl")
    assert (store.signature(), store.facts(), store.delete()) == (None, None, False)


def test_the_signature_changes_when_the_file_is_replaced(sealed):
    store = ModelStore(sealed)
    before = store.signature()
    store.staged("next").write_bytes(sealed.read_bytes())
    os.utime(store.staged("next"), ns=(before[0], before[0]))
    store.publish("next")
    assert store.signature() != before


def test_the_signature_changes_when_the_file_is_rewritten_with_its_old_time(sealed):
    """As rsync --inplace --times does."""
    store = ModelStore(sealed)
    before = store.signature()
    sealed.write_bytes(sealed.read_bytes()[::-1])
    os.utime(sealed, ns=(before[0], before[0]))
    assert store.signature() != before


def test_publish_replaces_in_one_step_and_delete_removes(sealed, tmp_path):
    store = ModelStore(tmp_path / "deep" / "er" / "model.pkl")
    store.stage("run", lambda path: path.write_bytes(sealed.read_bytes()), FACTS)
    store.publish("run")
    assert (store.facts(), store.leftovers()) == (FACTS, [])
    assert store.delete() is True
    assert store.facts() is None


def test_facts_of_many_categories_are_read(sealed):
    facts = {"schema": {"categories": [f"category {n}" for n in range(100_000)]}}
    seal(sealed, facts)
    assert read_facts(sealed) == facts
