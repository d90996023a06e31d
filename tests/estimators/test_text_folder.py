"""A folder in transformers' format is read without torch, and says what it lacks."""

import json
import subprocess
import sys
from importlib import util

import pytest

from server.errors import ModelUnreadable
from server.estimators import text_folder
from server.estimators.text_folder import Head, marks, read_folder
from tests.conftest import ROOT
from tests.tiny import LABELS, tiny_model


def change(folder, **values):
    """Change config.json; None removes a key."""
    file = folder / "config.json"
    changed = json.loads(file.read_text()) | values
    file.write_text(json.dumps({key: value for key, value in changed.items() if value is not None}))


def unreadable(folder):
    """The sentence that reading the folder fails with."""
    with pytest.raises(ModelUnreadable) as caught:
        read_folder(folder)
    return caught.value.detail


def in_shards(folder, present=("one.safetensors", "two.safetensors")):
    """Split the weights: an index of two files, of which some are there."""
    weights = folder / "model.safetensors"
    for name in present:
        (folder / name).write_bytes(weights.read_bytes())
    weights.unlink()
    names = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "one.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(names))


@pytest.mark.parametrize(("head", "found"), [("sequence", Head.SEQUENCE), ("token", Head.TOKEN), (None, None)])
def test_a_folder_tells_head_and_labels(tmp_path, head, found):
    folder = read_folder(tiny_model(tmp_path, head))
    assert (folder.path, folder.model_type, folder.head) == (tmp_path, "bert", found)
    assert folder.labels == folder.values == (LABELS[head] or ("LABEL_0", "LABEL_1"))
    names = {file.name for file in folder.files}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def test_torch_is_not_loaded(model):
    code = (
        "import sys; from pathlib import Path; from server.estimators.pretrained import Pretrained; "
        f"print(Pretrained({str(model)!r}).folder().model_type, {{'torch', 'transformers'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "bert set()\n"


def test_labels_are_ordered_by_their_ids(model):
    change(model, id2label={"10": "k", **{str(number): f"l{number}" for number in range(10)}})
    assert read_folder(model).labels == (*(f"l{number}" for number in range(10)), "k")


@pytest.mark.parametrize(("count", "labels"), [(3, ("LABEL_0", "LABEL_1", "LABEL_2")), (None, ("LABEL_0", "LABEL_1"))])
def test_labels_without_names_are_those_of_transformers(model, count, labels):
    change(model, id2label=None, num_labels=count)
    assert read_folder(model).labels == labels


@pytest.mark.parametrize(("values", "found"), [([0, 1], (0, 1)), ([0], LABELS["sequence"]), ("01", LABELS["sequence"])])
def test_the_values_of_labels_are_those_of_the_training_data(model, values, found):
    change(model, label_values=values)
    assert read_folder(model).values == found


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["a", "b"], "does not map numbers to labels"),
        ({"a": 0, "b": 1}, "does not map numbers to labels"),
        ({"1": "a", "2": "b"}, "does not number its labels 0, 1, 2, …"),
        ({"0": "a", "00": "b", "1": "c"}, "does not number its labels 0, 1, 2, …"),
    ],
)
def test_labels_that_have_no_order_are_an_error(model, labels, words):
    change(model, id2label=labels)
    assert unreadable(model) == f"the id2label in config.json of texts/model {words}"


def test_a_folder_that_is_none_is_named(tmp_path):
    assert unreadable(tmp_path / "texts" / "nowhere") == "texts/nowhere is not there"
    (tmp_path / "file").write_text("")
    assert unreadable(tmp_path / "file") == f"{tmp_path.name}/file is no folder"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "it has no config.json"),
        ("{", "its config.json is no JSON (Expecting property name"),
        ("\udcff", "its config.json is no JSON ('utf-8' codec"),
        ("[]", "its config.json is no JSON object"),
        ("{}", "its config.json names no model_type"),
        ('{"model_type": 5}', "its config.json names no model_type"),
    ],
)
def test_a_folder_without_a_configuration_is_no_model(model, text, words):
    (model / "config.json").unlink()
    if text is not None:
        (model / "config.json").write_text(text, errors="surrogateescape")
    assert unreadable(model).startswith(f"texts/model holds no transformers model: {words}")


def test_code_of_the_repository_is_not_run(model):
    change(model, auto_map={"AutoConfig": "code.Config", "AutoModel": "code.Model"}, model_type="own")
    assert unreadable(model) == (
        "texts/model needs code from its repository, which is never run here: "
        "choose a model whose type transformers itself knows, not 'own'"
    )
    change(model, auto_map={"AutoModelForImageClassification": "code.Model"}, model_type="bert")
    assert read_folder(model).model_type == "bert"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "pytorch_model-00001-of-00002.bin", "tf_model.h5"])
def test_weights_in_other_formats_are_not_read(model, name):
    (model / "model.safetensors").rename(model / name)
    assert unreadable(model).startswith(
        f"texts/model has {name}, but no model.safetensors: weights are read from safetensors only"
    )


def test_missing_weights_are_an_error(model):
    (model / "model.safetensors").rename(model / "adapter_model.safetensors")
    assert unreadable(model) == "texts/model has no weights: model.safetensors is missing"


def test_weights_in_shards_are_all_there(model):
    in_shards(model)
    weights = [file.name for file in read_folder(model).files if "safetensors" in file.name]
    assert weights == ["model.safetensors.index.json", "one.safetensors", "two.safetensors"]


def test_a_missing_shard_is_named(model):
    in_shards(model, present=("one.safetensors",))
    assert unreadable(model) == "texts/model lacks two.safetensors, which its model.safetensors.index.json names"


@pytest.mark.parametrize("index", ["{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}'])
def test_an_index_without_files_is_an_error(model, index):
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(index)
    assert unreadable(model) == "texts/model has no weights: its model.safetensors.index.json names no files"


def test_an_index_leads_out_of_no_folder(model):
    outside = model.parent / "weights.safetensors"
    (model / "model.safetensors").rename(outside)
    (model / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../weights.safetensors"}}')
    assert "lacks ../weights.safetensors" in unreadable(model)


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_weights_that_are_cut_short_are_named(model, size):
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    assert unreadable(model).startswith("model.safetensors of texts/model is cut short or broken (")


@pytest.mark.parametrize(
    ("names", "whole"),
    [
        (["vocab.txt"], True),
        (["vocab.json", "merges.txt"], True),
        (["spiece.model"], True),
        (["vocab.json"], False),
        ([], False),
    ],
)
def test_a_tokenizer_is_needed(model, names, whole):
    (model / "tokenizer.json").unlink()
    for name in names:
        (model / name).touch()
    if whole:
        assert {*names, "tokenizer_config.json"} < {file.name for file in read_folder(model).files}
    else:
        assert unreadable(model).startswith("texts/model has no tokenizer: tokenizer.json, vocab.txt, ")


@pytest.mark.parametrize("library", ["torch", "transformers", "safetensors", "huggingface_hub"])
def test_missing_libraries_are_named_with_the_remedy(model, monkeypatch, library):
    found = util.find_spec
    monkeypatch.setattr(text_folder, "find_spec", lambda name: None if name == library else found(name))
    assert unreadable(model) == "text models need torch and transformers: pip install -r requirements.txt"


def test_marks_follow_the_files_of_the_model(model):
    before = marks(model)
    (model / "README.md").write_text("about")
    assert marks(model) == before
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        content = (model / name).read_bytes()
        (model / "new").write_bytes(content)
        (model / "new").replace(model / name)
        assert marks(model) != before
        before = marks(model)
    assert marks(model / "nowhere") is None
