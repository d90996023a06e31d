"""The tiny models of the tests are real models: they load, they answer, and equal seeds are equal."""

import pytest

from tests.tiny import LABELS, tiny_model


@pytest.mark.parametrize("head", ["sequence", "token"])
def test_a_tiny_model_loads_and_classifies(tmp_path, head):
    transformers = pytest.importorskip("transformers")
    auto = {
        "sequence": transformers.AutoModelForSequenceClassification,
        "token": transformers.AutoModelForTokenClassification,
    }[head]
    tiny_model(tmp_path, head)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    model = auto.from_pretrained(tmp_path)
    found = tokenizer("Anna is in Paris", return_tensors="pt", return_offsets_mapping=True)
    offsets = found.pop("offset_mapping")[0].tolist()
    assert offsets == [[0, 0], [0, 4], [5, 7], [8, 10], [11, 16], [0, 0]]
    assert tuple(model.config.id2label.values()) == LABELS[head]
    assert model(**found).logits.shape == {"sequence": (1, 2), "token": (1, 6, 5)}[head]


def test_equal_seeds_make_equal_files(tmp_path):
    one, same, other = (
        tiny_model(tmp_path / name, seed=seed) / "model.safetensors"
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert one.read_bytes() == same.read_bytes()
    assert one.read_bytes() != other.read_bytes()


def test_no_character_of_ascii_is_unknown(tmp_path):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model(tmp_path, None))
    assert tokenizer.unk_token_id not in tokenizer('Zebra #1: "x@y.z" {~}').input_ids
