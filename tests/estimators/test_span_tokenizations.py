"""Words and entities of any text under any tokens, and under those of real tokenizers."""

import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from server.estimators.spans import Entity, WrongEntities, decoded, snapped, tags_of, word_starts

SPECIAL = (0, 0)
# Some of several characters: what a tokenizer may cut, and should not.
PIECES = [*"abyz09 .,-'_\néßא漢字かก한ع😀\u200b", "e\u0301", "שָׁ", "กี", "नि", "❤\ufe0f"]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=25).map("".join)


@st.composite
def tokenized(draw):
    """A text and the offsets of tokens as tokenizers make them: any cuts, trimmed or not, some lost, some doubled."""
    text = draw(TEXTS)
    places = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text))))})
    offsets = [SPECIAL]
    for start, end in zip(places, places[1:], strict=False):
        if draw(st.booleans()):
            start += len(text[start:end]) - len(text[start:end].lstrip())
        offsets += [(start, end)] * draw(st.sampled_from([1] * 7 + [0, 2])) + [(end, end)] * draw(st.booleans())
    return text, [*offsets[: draw(st.sampled_from([len(offsets), len(offsets), len(offsets) // 2, 1]))], SPECIAL]


@st.composite
def with_entities(draw):
    text, offsets = draw(tokenized())
    places = sorted(draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=6)))
    entities = [
        Entity(start, end, draw(st.sampled_from("XY")))
        for start, end in zip(places, places[1:], strict=False)
        if text[start:end].strip() and draw(st.sampled_from([True, True, False]))
    ]
    return text, offsets, entities


@settings(deadline=None)
@given(with_entities(), st.sampled_from(["O", "B-X", "I-Y", None]))
def test_entities_come_back_from_their_tags(case, anything):
    text, offsets, entities = case
    try:
        tags = tags_of(text, offsets, entities)
    except WrongEntities as error:
        with pytest.raises(WrongEntities, match=re.escape(str(error))):
            snapped(text, offsets, entities)
        return
    firsts = np.flatnonzero(word_starts(text, offsets))
    assert [place for place, tag in enumerate(tags) if tag is not None] == firsts.tolist()
    groups = decoded(text, offsets, [tag or anything for tag in tags])
    wide = snapped(text, offsets, entities)
    seen = max((word.end for word, _ in decoded(text, offsets, ["B-X"] * len(offsets))), default=0)
    assert len(groups) == sum(entity.start < seen for entity in entities)
    assert wide == (*(entity for entity, _ in groups), *entities[len(groups) :])
    assert all(set(words) <= set(firsts.tolist()) and words == sorted(words) for _, words in groups)
    assert snapped(text, offsets, wide) == wide


@settings(deadline=None)
@given(tokenized())
def test_words_neither_overlap_nor_begin_or_end_with_white_space(case):
    text, offsets = case
    groups = decoded(text, offsets, ["B-X"] * len(offsets))
    assert [words for _, words in groups] == [[place] for place in np.flatnonzero(word_starts(text, offsets))]
    end = 0
    for entity, _ in groups:
        covered = text[entity.start : entity.end]
        assert covered
        assert covered == covered.strip()
        assert entity.start >= end
        end = entity.end


@settings(deadline=None)
@given(st.text("abé0٣ א"), st.data())
def test_words_do_not_depend_on_where_the_tokenizer_cuts_within_them(text, data):
    words = [match.span() for match in re.finditer(r"\d+|[^\W\d]+", text)]
    offsets = []
    for start, end in words:
        places = sorted({start, end, *data.draw(st.lists(st.integers(start, end)))})
        offsets += zip(places, places[1:], strict=False)
    groups = decoded(text, offsets, ["B-X"] * len(offsets))
    assert [(entity.start, entity.end) for entity, _ in groups] == words


# Real tokenizers

SENTENCE = "Wáshington and the 12kg 漢字 of O'Neil 😀 live-in."
WORDS = ["Wáshington", "and", "the", "12", "kg", "漢", "字", "of", "O", "'", "Neil", "😀", "live", "-", "in", "."]


def word_pieces():
    letters = sorted(set(SENTENCE.lower()) - {" "})
    vocabulary = ["[UNK]", "[CLS]", "[SEP]", "wash", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(models.WordPiece({token: place for place, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer


def byte_pairs(trim):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["Washington and the", "live in O and O"], trainer)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim)
    return tokenizer


@pytest.mark.parametrize(
    "build",
    [word_pieces, partial(byte_pairs, trim=True), partial(byte_pairs, trim=False)],
    ids=["WordPiece", "trimmed", "untrimmed"],
)
def test_real_tokenizers_give_the_same_words(build, monkeypatch):
    # Other tests fork this process, and must find no threads of a training in it.
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    offsets = build().encode(SENTENCE).offsets
    groups = decoded(SENTENCE, offsets, ["B-X"] * len(offsets))
    assert [SENTENCE[entity.start : entity.end] for entity, _ in groups] == WORDS
    assert len(offsets) > len(WORDS) + 2
    entities = (Entity(0, 10, "PER"), Entity(19, 23, "NUM"), Entity(24, 25, "A"), Entity(25, 26, "B"))
    tags = tags_of(SENTENCE, offsets, entities)
    assert [entity for entity, _ in decoded(SENTENCE, offsets, tags)] == list(entities)


@pytest.mark.parametrize("decomposed", ["cafe\u0301s", "שָׁלוֹם"])
def test_accents_that_a_tokenizer_strips_do_not_cut_a_word(decomposed):
    tokenizer = word_pieces()
    letters = "".join(letter for letter in decomposed if letter.isalpha())
    vocabulary = {token: place for place, token in enumerate(["[UNK]", letters[0], *(f"##{x}" for x in set(letters))])}
    tokenizer.model = models.WordPiece(vocabulary, unk_token="[UNK]")
    tokenizer.post_processor = None
    encoded = tokenizer.encode(decomposed)
    assert len(encoded.offsets) == len(letters)
    ((entity, _),) = decoded(decomposed, encoded.offsets, ["B-X"] * len(letters))
    assert decomposed[entity.start : entity.end] == decomposed
