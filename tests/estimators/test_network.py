"""A transformer's weights in memory: batches, limits, and the same answers however the texts come."""

import random
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from server.errors import ModelUnreadable, UntrainableRows
from server.estimators.base import Progress
from server.estimators.sentiment import SentimentAnalysis
from server.estimators.text_folder import Head, read_folder
from tests.reviews import journeys, reviews
from tests.tiny import WORDS, tiny_model


@pytest.fixture(scope="module")
def network_module():
    """The module, which imports torch: collecting the tests must not wait for it."""
    import server.estimators.network

    return server.estimators.network


@pytest.fixture(scope="module")
def network(network_module, tiny_models):
    return network_module.Network.load(read_folder(tiny_models / "sentiment"), Head.SEQUENCE)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("pads", [True, False])
def test_batches_hold_every_text_once_and_never_too_much(network_module, device, pads):
    chance = random.Random(0)
    lengths = [chance.choice((0, 1, 5, 40, 512, 100_000)) for _ in range(1000)]
    found = list(network_module.batches(lengths, device, pads))
    assert sorted(index for batch in found for index in batch) == list(range(1000))
    for batch in found:
        padded = max(lengths[index] for index in batch) * len(batch)
        assert len(batch) == 1 or padded <= network_module.TOKENS_PER_BATCH[device]
        assert len(batch) <= (network_module.TEXTS_PER_BATCH[device] if pads else 1)
    longest = [max(lengths[index] for index in batch) for batch in found]
    assert longest == sorted(longest, reverse=True)


def test_no_texts_are_no_batches(network_module, network):
    assert list(network_module.batches([], "cpu")) == []
    assert network.of_texts([]).shape == (0, 2)
    assert list(network.of_tokens([])) == []


def limited(network_module, positions, tokenizer=10**30, padding=None, of_config=None):
    import torch

    model = torch.nn.Module()
    if positions:
        model.position_embeddings = torch.nn.Embedding(positions, 4, padding_idx=padding)
    model.config = SimpleNamespace(max_position_embeddings=of_config)
    return network_module.most_tokens(SimpleNamespace(model_max_length=tokenizer), model)


def test_a_text_is_as_long_as_positions_and_tokenizer_allow(network_module):
    assert limited(network_module, 512) == 512
    assert limited(network_module, 512, tokenizer=128) == 128
    assert limited(network_module, 128, tokenizer=512) == 128
    # RoBERTa's 514 places, of which the first two are the padding's.
    assert limited(network_module, 514, padding=1) == 512
    assert limited(network_module, None, of_config=2048) == 2048
    assert limited(network_module, None, tokenizer=77) == 77
    assert limited(network_module, None) == network_module.USUAL_TOKENS


def test_texts_are_cut_off_at_the_limit(network):
    assert network.most_tokens == 128
    tokens = network.tokenized(["good " * 1000, "good"])
    assert [len(one.ids) for one in tokens] == [128, 3]
    assert all(len(one.ids) == len(one.offsets) for one in tokens)


def test_answers_do_not_depend_on_what_else_is_asked(network):
    chance = random.Random(0)
    texts = [" ".join(chance.choices(WORDS, k=chance.choice((1, 7, 60)))) for _ in range(200)]
    together = network.of_texts(texts)
    assert together.sum(axis=1) == pytest.approx(np.ones(200))
    assert together == pytest.approx(np.vstack([network.of_texts([text]) for text in texts]), abs=1e-5)


def test_threads_share_one_network(network):
    texts = ["good", "bad movie", "anna lives in paris"] * 5
    expected = network.of_texts(texts)
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(lambda _: network.of_texts(texts), range(24)):
            assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("side", ["left", "right"])
def test_tokens_are_answered_whatever_side_the_padding_is_on(network_module, tiny_models, side):
    network = network_module.Network.load(read_folder(tiny_models / "ner"), Head.TOKEN)
    network.tokenizer.padding_side = side
    texts = ["anna", "peter smith lives in london and went to paris", "the film"]
    for text, (tokens, probabilities) in zip(texts, network.of_tokens(texts), strict=True):
        ((_, alone),) = network.of_tokens([text])
        assert probabilities.shape == (len(tokens.ids), 5)
        assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(tokens.ids)))
        # Only the model that was trained with it knows of positions that begin elsewhere.
        if side == "right":
            assert probabilities == pytest.approx(alone, abs=1e-5)


def test_a_model_of_another_head_is_not_loaded(network_module, tiny_models):
    folder = read_folder(tiny_models / "base")
    with pytest.raises(ModelUnreadable, match="classifier"):
        network_module.Network.load(folder, Head.SEQUENCE)


def test_a_new_head_is_the_same_for_the_same_seed(network_module, tiny_models):
    folder = read_folder(tiny_models / "base")
    found = [
        network_module.Network.base(folder, Head.SEQUENCE, ["a", "b", "c"], seed).of_texts(["good"])
        for seed in (1, 1, 2)
    ]
    assert (found[0] == found[1]).all()
    assert not np.allclose(found[0], found[2], atol=1e-6)


def of_reviews(folder, **arguments):
    rows, told = reviews(), []
    model = SentimentAnalysis(model=str(folder), **arguments)
    target = np.array([row["label"] for row in rows], dtype=object)
    return model.fit([row["text"] for row in rows], target, told.append), told


@pytest.mark.parametrize(("epochs", "size", "steps"), [(1, 16, 3), (2, 16, 6), (0.5, 8, 3), (0.001, 16, 1), (1, 64, 1)])
def test_progress_is_told_of_every_step(tiny_models, epochs, size, steps):
    _, told = of_reviews(tiny_models / "base", num_train_epochs=epochs, per_device_train_batch_size=size)
    assert [progress.step for progress in told] == list(range(1, steps + 1))
    assert all(isinstance(progress, Progress) and progress.of == steps and 0 < progress.loss < 5 for progress in told)


@pytest.mark.parametrize(("width", "words"), [(1e18, "after step 1"), (4e8, "the last step")])
def test_a_loss_or_weights_that_are_no_numbers_end_the_training(tmp_path, width, words):
    folder = tiny_model(tmp_path / "wide", None, initializer_range=width)
    with pytest.raises(UntrainableRows, match=words):
        of_reviews(folder, num_train_epochs=0.1)


def test_a_training_leaves_the_model_ready_to_predict(tiny_models):
    model, _ = of_reviews(tiny_models / "base")
    assert not model.network.model.training
    text = journeys()[0]["text"]
    assert model.predict_proba([text]) == pytest.approx(model.predict_proba([text]), abs=1e-7)
