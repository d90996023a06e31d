"""Texts longer than the model takes: cut off, or read whole in windows whose probabilities are averaged."""

import random

import numpy as np
import pandas as pd
import pytest

from server.errors import InvalidParameter
from server.estimators.loading import load_text_model
from server.estimators.parameters import check_parameters
from server.estimators.sentiment import MOST_WINDOWS, SentimentAnalysis
from server.estimators.text_folder import read_folder
from server.estimators.texts import SentimentEstimator, roc_auc
from tests.tiny import WORDS

pytestmark = pytest.mark.slow

# The tiny models take 128 tokens, two of them special, and every word of WORDS is one token.
ROOM, OVERLAP = 126, 16
TURNING = "good " * ROOM + "boring hate " * 150
BOOK = "the " * 100 * ROOM + "good"
WINDOWS = {"long_texts": "windows"}


@pytest.fixture(scope="module")
def readers(tiny_models):
    """The same weights twice: reading the beginning, and reading all."""
    folder = read_folder(tiny_models / "sentiment")
    return SentimentAnalysis.from_folder(folder), SentimentAnalysis.from_folder(folder, WINDOWS)


def averaged(folder, text):
    """The weighted mean over windows, one forward after another, by transformers alone."""
    import torch
    from transformers import BertForSequenceClassification, BertTokenizer

    tokenizer, model = BertTokenizer.from_pretrained(folder), BertForSequenceClassification.from_pretrained(folder)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    rows, weights = [], []
    for start in range(0, max(1, len(ids) - OVERLAP), ROOM - OVERLAP):
        window = [tokenizer.cls_token_id, *ids[start : start + ROOM], tokenizer.sep_token_id]
        with torch.inference_mode():
            rows.append(model(torch.tensor([window])).logits.double().softmax(-1).numpy()[0])
        weights.append(len(window))
    assert len(rows) > 3
    return np.average(rows, axis=0, weights=weights)


def test_a_long_text_has_the_mean_of_its_windows(tiny_models, readers):
    beginning, whole = readers
    expected = averaged(tiny_models / "sentiment", TURNING)
    assert whole.predict_proba([TURNING])[0] == pytest.approx(expected, abs=1e-6)
    assert beginning.predict_proba([TURNING])[0] == pytest.approx(beginning.predict_proba(["good " * ROOM])[0])
    assert abs(expected - beginning.predict_proba([TURNING])[0]).max() > 0.1


def test_a_text_that_is_not_cut_off_is_answered_as_ever(readers):
    beginning, whole = readers
    for text in ("good", "a boring movie", "\x00", "é" * 200, "anna " * ROOM):
        np.testing.assert_array_equal(whole.predict_proba([text]), beginning.predict_proba([text]))
    longer = ["anna " * ROOM + "peter"]
    assert abs(whole.predict_proba(longer) - beginning.predict_proba(longer)).max() > 1e-6


def test_answers_keep_their_order_whatever_the_lengths(readers):
    _, whole = readers
    chance = random.Random(0)
    texts = [" ".join(chance.choices(WORDS, k=chance.choice((1, 30, 126, 127, 400, 1500)))) for _ in range(60)]
    together = whole.predict_proba(texts)
    assert together == pytest.approx(np.vstack([whole.predict_proba([text]) for text in texts]), abs=1e-5)
    assert together.sum(axis=1) == pytest.approx(np.ones(60))
    assert whole.predict(texts).tolist() == [whole.classes_[row.argmax()] for row in together]
    assert whole.predict_proba([]).shape == (0, 2)


def test_windows_cover_a_text_that_is_tokenized_in_parts(readers, monkeypatch):
    network = readers[1].network
    monkeypatch.setattr("server.estimators.network.CHARACTERS_PER_TOKEN", 10)
    chance = random.Random(0)
    # Words of one character: parts of 1,280 characters end between two of them.
    words = chance.choices("abcdefghijklmnopqrstuvwxyz", k=5000)
    found = list(network.windows(" ".join(words)))
    seen: list[str] = []
    for ids in found:
        inner = network.tokenizer.convert_ids_to_tokens(ids[1:-1])
        # A part begins anew; within it a window repeats the end of the one before.
        seen += inner[OVERLAP:] if inner[:OVERLAP] == seen[-OVERLAP:] else inner
    assert seen == words
    assert max(map(len, found)) == 128


def test_batches_stay_small_for_a_book(readers):
    network = readers[1].network
    from server.estimators.network import TOKENS_PER_BATCH

    shapes = []
    hook = network.model.register_forward_pre_hook(
        lambda module, inputs, named: shapes.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    ((negative, positive),) = network.of_documents(["the " * 50_000])
    hook.remove()
    assert negative + positive == pytest.approx(1)
    assert sum(rows * width for rows, width in shapes) > 50_000
    assert max(rows * width for rows, width in shapes) <= TOKENS_PER_BATCH[network.device]


def readers_of(folder):
    """The folder's model as a service reads it: reading the beginning, and reading all."""
    return [load_text_model(folder, params=params) for params in ({}, WINDOWS)]


def test_a_score_reads_all_of_the_texts(tiny_models):
    rows = pd.DataFrame({"text": [TURNING, "good " * ROOM]})
    told = readers_of(tiny_models / "sentiment")
    own = [model.predict_proba(rows)["POSITIVE"].tolist() for model in told]
    target = np.array(["POSITIVE", "NEGATIVE"], dtype=object)
    # What only the beginning of both tells is the same, but for what a processor rounds.
    assert own[0][0] == pytest.approx(own[0][1], abs=1e-5)
    assert abs(own[1][0] - own[1][1]) > 1e-3
    for model, (first, second) in zip(told, own, strict=True):
        assert model.score(rows, target) == (0.5 if first == second else float(first > second))


def test_int8_reads_windows_too(tiny_models, readers):
    small = load_text_model(tiny_models / "sentiment", params=WINDOWS | {"quantize": "int8"})
    found = small.predict_proba(pd.DataFrame({"text": [TURNING]})).to_numpy()
    expected = readers[1].predict_proba([TURNING])
    assert found == pytest.approx(expected, abs=0.1)
    assert (found != expected).all()


BEGINNING = "the movie was in paris and it is a film " * 60
GOING_ON = "{} is in this movie and it is a film "
TELLING = {"sunny": ("good", "great", "love", "fine"), "grey": ("bad", "boring", "hate", "poor")}


def learned(folder, **params):
    """A model of 24 texts with the same first 600 tokens, and its ROC AUC on them; chance is 0.5."""
    rows = [
        (BEGINNING + GOING_ON.format(word) * times, label)
        for label, words in TELLING.items()
        for word in words
        for times in (20, 25, 30)
    ]
    texts, labels = [text for text, _ in rows], np.array([label for _, label in rows], dtype=object)
    model = SentimentAnalysis(
        str(folder), num_train_epochs=8, learning_rate=0.003, per_device_train_batch_size=8, **params
    )
    model.fit(texts, labels)
    return model, roc_auc(labels, model.predict_proba(texts), model.classes_)


def test_what_stands_behind_the_first_600_tokens_is_learned_from_windows_only(tiny_models, tmp_path):
    _, blind = learned(tiny_models / "base")
    assert blind == 0.5
    model, seeing = learned(tiny_models / "base", **WINDOWS)
    assert seeing == 1
    new = pd.DataFrame({"text": [BEGINNING + GOING_ON.format(words) * 22 for words in ("great very", "boring very")]})
    answers = SentimentEstimator(model).predict_proba(new)
    assert model.predict(new["text"]).tolist() == ["sunny", "grey"]
    SentimentEstimator(model).save(tmp_path / "saved")
    beginning, whole = readers_of(tmp_path / "saved")
    np.testing.assert_allclose(whole.predict_proba(new), answers, atol=1e-6)
    assert beginning.predict_proba(new)["sunny"].nunique() == 1


def test_every_window_is_an_example_and_a_book_gives_a_bounded_number(tiny_models, monkeypatch):
    from server.estimators import finetuning

    given = []
    trained = finetuning.fine_tune

    def seen(network, ids, labels, *others):
        given.extend(zip(ids, labels, strict=True))
        trained(network, ids, labels, *others)

    monkeypatch.setattr(finetuning, "fine_tune", seen)
    told = []
    model = SentimentAnalysis(str(tiny_models / "base"), per_device_train_batch_size=8, **WINDOWS)
    model.fit([BOOK, "a film", TURNING], np.array(["book", "note", "note"], dtype=object), told.append)
    windows = [list(model.network.windows(text)) for text in (BOOK, "a film", TURNING)]
    assert [len(some) for some in windows] == [115, 1, 4]
    of_book = [list(ids) for ids, number in given if model.classes_[number] == "book"]
    assert len(of_book) == MOST_WINDOWS
    assert (of_book[0], of_book[-1]) == (windows[0][0], windows[0][-1])
    assert [list(ids) for ids, number in given if model.classes_[number] == "note"] == windows[1] + windows[2]
    assert told[-1].of == len(told) == 5


def test_only_the_two_ways_are_known():
    assert check_parameters(SentimentAnalysis, WINDOWS) == WINDOWS
    with pytest.raises(InvalidParameter, match=r"'long_texts' of SentimentAnalysis must be .*'windows'.*not 'window'"):
        check_parameters(SentimentAnalysis, {"long_texts": "window"})
