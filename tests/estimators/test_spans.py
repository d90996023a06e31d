"""Entities in cells, in texts, and in the tags of a tokenizer's tokens."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from server.estimators.spans import (
    Entity,
    WrongEntities,
    decoded,
    entities_json,
    parse_entities,
    snapped,
    tags_of,
    types_of,
    word_starts,
)

TEXT = "Ada Lovelace lived in London."
ADA = Entity(0, 12, "PER")
LONDON = Entity(22, 28, "LOC")
CELL = [LONDON.to_dict(), ADA.to_dict() | {"score": 0.9}]
SPECIAL = (0, 0)


# Cells


@pytest.mark.parametrize(
    "cell",
    [
        CELL,
        tuple(CELL),
        np.array(CELL, dtype=object),
        json.dumps(CELL),
        f"\n {json.dumps(CELL)} ",
        [{"start": 22.0, "end": np.int64(28), "label": np.str_("LOC")}, {"start": 0, "end": 12, "label": "PER"}],
    ],
    ids=["list", "tuple", "array", "json", "white space", "numbers"],
)
def test_a_cell_holds_a_list_or_its_json(cell):
    entities = parse_entities(cell, TEXT)
    assert entities == (ADA, LONDON)
    assert [(type(entity.start), type(entity.label)) for entity in entities] == [(int, str)] * 2


@pytest.mark.parametrize("cell", [[], "[]", (), np.array([])])
def test_an_empty_list_is_a_text_without_entities(cell):
    assert parse_entities(cell, TEXT) == ()


@pytest.mark.parametrize("cell", [None, float("nan"), "", "  ", "null", "0", 7, {}, '{"start": 0}', np.array(1)])
def test_what_is_no_list_says_how_to_write_one(cell):
    with pytest.raises(WrongEntities, match=r"is no list of entities; .* and \[\] for a text without entities"):
        parse_entities(cell, TEXT)


@pytest.mark.parametrize(
    "cell",
    [
        "PER",
        "[{'start': 0, 'end': 3, 'label': 'PER'}]",
        '[{"start": NaN, "end": 3, "label": "PER"}]',
        f'[{{"start": 0, "end": {"9" * 5000}, "label": "PER"}}]',
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
    ],
    ids=["text", "quotes", "NaN", "digits", "open", "deep"],
)
def test_what_is_no_json_says_how_to_write_it(cell):
    with pytest.raises(WrongEntities, match=r"is no JSON.*; write a list such as") as caught:
        parse_entities(cell, TEXT)
    assert len(str(caught.value)) < 300


def test_the_place_where_json_ends_is_told():
    with pytest.raises(WrongEntities, match="is no JSON, at character 3;"):
        parse_entities("[{'start': 0}]", TEXT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": "3"}, "the start of entity 1 must be a whole number, not '3'"),
        ({"start": True}, "the start of entity 1 must be a whole number, not True"),
        ({"end": 3.5}, "the end of entity 1 must be a whole number, not 3.5"),
        ({"end": 1e308}, "lies outside the text of 29 characters"),
        ({"end": None}, "the end of entity 1 must be a whole number, not None"),
        ({"label": ""}, "the label of entity 1 must be a text of 1 to 100 characters, not ''"),
        ({"label": " \t"}, "the label of entity 1 must be a text of 1 to 100 characters"),
        ({"label": "P" * 101}, "the label of entity 1 must be a text of 1 to 100 characters"),
        ({"label": 7}, "the label of entity 1 must be a text of 1 to 100 characters, not 7"),
        ({"label": "P\ud800"}, "the label of entity 1 must be a text of 1 to 100 characters"),
        ({"label": "O"}, "the label of entity 1 is 'O', which means no entity; leave it out"),
        ({"start": -1}, "the entity 'PER' from -1 to 3 lies outside the text of 29 characters"),
        ({"end": 30}, "the entity 'PER' from 0 to 30 lies outside the text of 29 characters"),
        ({"end": 10**30}, "lies outside the text of 29 characters"),
        ({"end": 0}, "the entity 'PER' from 0 to 0 holds no character"),
        ({"start": 5}, "the entity 'PER' from 5 to 3 holds no character"),
        ({"start": 3, "end": 4}, "the entity 'PER' from 3 to 4 covers nothing but white space"),
    ],
)
@pytest.mark.parametrize("form", [list, json.dumps], ids=["list", "json"])
def test_a_wrong_entity_is_named(form, change, words):
    with pytest.raises(WrongEntities, match=re.escape(words)):
        parse_entities(form([{"start": 0, "end": 3, "label": "PER"} | change]), TEXT)


@pytest.mark.parametrize("position", [float("inf"), float("nan"), np.bool_(True)])
def test_what_json_cannot_write_is_no_position(position):
    with pytest.raises(WrongEntities, match="the end of entity 1 must be a whole number, not"):
        parse_entities([{"start": 0, "end": position, "label": "PER"}], TEXT)


@pytest.mark.parametrize("missing", ["start", "end", "label"])
def test_what_an_entity_lacks_is_named(missing):
    item = {name: value for name, value in ADA.to_dict().items() if name != missing}
    with pytest.raises(WrongEntities, match=f"entity 2 has no '{missing}'; it needs start, end and label"):
        parse_entities([LONDON.to_dict(), item], TEXT)


@pytest.mark.parametrize("item", [None, 3, "PER", [0, 3, "PER"]])
def test_an_item_that_is_no_object_is_named(item):
    with pytest.raises(WrongEntities, match="entity 1 must be an object with start, end and label, not"):
        parse_entities([item], TEXT)


@pytest.mark.parametrize("other", [Entity(4, 12, "LOC"), Entity(0, 12, "PER"), Entity(11, 14, "PER")])
def test_two_entities_that_overlap_are_both_named(other):
    with pytest.raises(WrongEntities) as caught:
        parse_entities([other.to_dict(), LONDON.to_dict(), ADA.to_dict()], TEXT)
    assert set(re.findall(r"'\w+' from \d+ to \d+", str(caught.value))) == {str(ADA), str(other)}
    assert str(caught.value).endswith(" overlap")


def test_entities_that_adjoin_do_not_overlap():
    assert len(parse_entities([Entity(0, 3, "A").to_dict(), Entity(3, 5, "B").to_dict()], TEXT)) == 2


def test_the_json_of_entities_is_read_again():
    assert entities_json([Entity(0, 13, "PER")]) == '[{"start":0,"end":13,"label":"PER"}]'
    entities = (Entity(0, 3, "人名"), Entity(4, 12, 'a "b" \\ c'), Entity(13, 14, "P" * 100))
    assert parse_entities(entities_json(entities), TEXT) == entities
    assert '"人名"' in entities_json(entities)
    assert entities_json(()) == "[]"


# Words


def cut(marked):
    """The text and the offsets of its tokens, which `|` separates: 'Wash|ington| is' has three."""
    tokens = marked.split("|")
    ends = np.cumsum([len(token) for token in tokens]).tolist()
    return "".join(tokens), [(end - len(token), end) for token, end in zip(tokens, ends, strict=True)]


def starts(marked):
    return word_starts(*cut(marked)).astype(int).tolist()


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("Wash|ington", [1, 0]),
        ("Wash| ington", [1, 1]),
        ("Wash|-|ington", [1, 1, 1]),
        ("12|34", [1, 0]),
        ("12|kg", [1, 1]),
        ("kg|12", [1, 1]),
        ("٣|3", [1, 0]),
        ("!|!", [1, 1]),
        ("a|я|α|ש|ع|한|글", [1, 0, 0, 0, 0, 0, 0]),
        ("漢|字", [1, 1]),
        ("漢字", [1]),
        ("a|漢|a|ー|a|\U00017000", [1] * 6),
        ("ひ|ら|カ|ー|ﾅ|々|〆", [1] * 7),
        ("ก|ข", [1, 1]),
        ("ກ|ຂ|ក|ខ|က|ခ", [1] * 6),
        ("cafe|\u0301|s", [1, 0, 0]),
        ("cafe\u0301|s", [1, 0]),
        ("cafe|\u0301s", [1, 0]),
        ("हि|न्|दी", [1, 0, 0]),
        ("ก|\u0e35|ข", [1, 0, 1]),
        ("❤|\ufe0f|Berlin", [1, 0, 1]),
        ("1|\ufe0f|\u20e3|2", [1, 0, 0, 0]),
        ("a|\u200b|b", [1, 1, 1]),
        ("Ada| |Lovelace", [1, 0, 1]),
        ("Ada| Love|lace ", [1, 1, 0]),
        ("a |b", [1, 1]),
        (" |\n", [0, 0]),
        ("||a||b|", [0, 0, 1, 0, 0, 0]),
    ],
)
def test_a_word_is_letters_at_letters_or_digits_at_digits(marked, expected):
    assert starts(marked) == expected


def test_special_tokens_begin_no_word():
    assert word_starts("ab", [SPECIAL, (0, 1), (1, 2), SPECIAL, SPECIAL]).tolist() == [False, True, False, False, False]
    assert word_starts("", [SPECIAL, SPECIAL]).tolist() == [False, False]
    assert word_starts("", []).shape == (0,)


def test_tokens_that_share_a_character_are_one_word():
    assert word_starts("😀😀", [(0, 1), (0, 1), (0, 1), (1, 2), (1, 2)]).tolist() == [True, False, False, True, False]
    assert word_starts("漢字", [(0, 2), (1, 2)]).tolist() == [True, False]
    assert word_starts("漢字", [(0, 2), (0, 1), (1, 2)]).tolist() == [True, False, False]


def test_marks_that_the_tokenizer_drops_belong_to_their_word():
    text = "cafe\u0301s de\u0301"
    offsets = [(0, 4), (5, 6), (7, 9)]
    assert word_starts(text, offsets).tolist() == [True, False, True]
    assert decoded(text, offsets, ["PER", "O", "PER"])[0][0] == Entity(0, len(text), "PER")


# Tags


def test_the_first_token_of_each_word_has_a_tag():
    text, offsets = cut("George| Wash|ington|,| Mount| Vernon")
    entities = (Entity(0, 17, "PER"), Entity(19, 31, "LOC"))
    tags = tags_of(text, [SPECIAL, *offsets, SPECIAL], entities)
    assert tags == [None, "B-PER", "I-PER", None, "O", "B-LOC", "I-LOC", None]


def test_an_entity_takes_the_words_that_it_touches():
    text, offsets = cut("Wash|ington| is| in| America")
    entities = (Entity(2, 3, "LOC"), Entity(14, 23, "LOC"))
    assert tags_of(text, offsets, entities) == ["B-LOC", None, "O", "B-LOC", "I-LOC"]
    assert snapped(text, offsets, entities) == (Entity(0, 10, "LOC"), Entity(14, 24, "LOC"))


@pytest.mark.parametrize("align", [tags_of, snapped])
def test_two_entities_within_one_word_are_named_with_it(align):
    text, offsets = cut("in| Wash|ington")
    entities = (Entity(3, 7, "A"), Entity(7, 13, "B"))
    with pytest.raises(WrongEntities) as caught:
        align(text, offsets, entities)
    assert str(caught.value) == "the entities 'A' from 3 to 7 and 'B' from 7 to 13 lie within one word, 'Washington'"


@pytest.mark.parametrize("align", [tags_of, snapped])
def test_an_entity_without_a_token_is_named(align):
    with pytest.raises(WrongEntities, match="'A' from 1 to 2 covers only characters that the model's tokenizer leaves"):
        align("a\u200bb", [(0, 1), (2, 3)], (Entity(1, 2, "A"),))


def test_entities_in_text_that_was_cut_off_are_left_out():
    text, offsets = cut("Ada| Lovelace| of| London")
    entities = (Entity(0, 3, "PER"), Entity(4, 15, "PER"), Entity(16, 22, "LOC"))
    assert tags_of(text, offsets[:2], entities) == ["B-PER", "B-PER"]
    assert snapped(text, offsets[:2], entities) == (Entity(0, 3, "PER"), Entity(4, 12, "PER"), Entity(16, 22, "LOC"))
    assert tags_of(text, [SPECIAL], entities) == [None]
    assert snapped(text, [], entities) == entities


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-X I-X O I-X", ["ab:X", "d:X"]),
        ("I-X I-X B-X I-Y", ["ab:X", "c:X", "d:Y"]),
        ("O I-X B-X I-X", ["b:X", "cd:X"]),
        ("B-X I-X L-X U-X", ["abc:X", "d:X"]),
        ("B-X L-X I-X L-X", ["ab:X", "cd:X"]),
        ("B-X E-X S-X S-X", ["ab:X", "c:X", "d:X"]),
        ("E-X I-X E-X E-Y", ["a:X", "bc:X", "d:Y"]),
        ("X X Y X", ["ab:X", "c:Y", "d:X"]),
        ("X O X-RAY X", ["a:X", "c:X-RAY", "d:X"]),
        ("B-X-RAY I-X-RAY O O", ["ab:X-RAY"]),
        ("O O O O", []),
    ],
)
def test_every_scheme_of_tags_is_read(tags, expected):
    text, offsets = cut("a| b| c| d")
    groups = decoded(text, offsets, tags.split())
    assert [f"{text[e.start : e.end].replace(' ', '')}:{e.label}" for e, _ in groups] == expected
    assert ["abcd"[words[0]] for _, words in groups] == [shown[0] for shown in expected]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["O", *(f"{prefix}-{label}" for prefix in "BIES" for label in "XY")])))
def test_tags_are_read_as_seqeval_does(tags):
    text, offsets = cut("|".join("漢" * len(tags)))
    expected = [
        (Entity(first, last + 1, label), [*range(first, last + 1)]) for label, first, last in get_entities(tags)
    ]
    assert decoded(text, offsets, tags) == expected


def test_tags_within_a_word_and_of_special_tokens_do_not_count():
    text, offsets = cut("Wash|ington| is| in| America")
    tags = ["B-PER", "B-LOC", "B-PER", "I-LOC", "O", "I-LOC", "I-LOC"]
    groups = decoded(text, [SPECIAL, *offsets, SPECIAL], tags)
    assert groups == [(Entity(0, 13, "LOC"), [1, 3]), (Entity(17, 24, "LOC"), [5])]


def test_the_types_of_labels_have_no_prefix():
    assert types_of(["O", "B-PER", "I-PER", "U-LOC", "MISC", "S-X-RAY", "E-PER"]) == ("LOC", "MISC", "PER", "X-RAY")
    assert types_of(["O"]) == ()
