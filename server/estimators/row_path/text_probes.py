"""Texts to try a path with: those of the training, and others with words, scripts and marks as people send them."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from unicodedata import normalize

import numpy as np

from server.estimators.row_path.probes import SEED, UNKNOWN, Rows
from server.schema.cells import Cell

# Of longer texts the beginning is compared; one text alone is as long as LONG words.
MOST_CHARACTERS, LONG = 5_000, 5_000
MOST_WORDS = 1000
STOP_WORDS = "the and of to a in is it that was for on with as be at by this not are from or have an they"
ACCENTS = "Größe naïve café cafe\u0301 ÉTÉ Łódź smørrebrød İstanbul ıçi ﬁne ß ẞ ǅ ﬀ ſ K Å"
SCRIPTS = "漢字かな交じり文 中文 한국어 Ελληνικά ΟΔΟΣ кириллица Ё עברית العربية हिन्दी ไทย"
ACCENTED = str.maketrans("aceinou", "áçéíñóü")
ODD: tuple[Cell, ...] = (
    None,
    " ",
    "\n\t \r\n",
    "?! … ., ;: -- () [] {} \"'` «» “” ¿¡",
    "_ __ _a_ snake_case don't re-do e-mail@example.org https://example.org/a?b=c&d=%20 #tag @name",
    "a I x 1 22 007 3.14 -5 1e5 0x1f ½ ² ٣ Ⅳ",
    f"{UNKNOWN} qwrtzpsdf xyzzy",
    STOP_WORDS,
    STOP_WORDS.upper(),
    ACCENTS,
    SCRIPTS,
    "😀 👍🏽 👩\u200d💻 🇪🇺 zero\u200bwidth\u00adsoft \ufeff",
    "no\u00a0break wide\u3000space line\u2028separator paragraph\u2029separator \x0b \x0c \x1c \x85",
    "null\x00byte \x07bell <b>bold</b> &amp; \\n \\",
)


def text_rows(known: Rows, terms: Sequence[str], count: int) -> Iterator[list[Cell]]:
    """The known texts, odd ones, and `count` made of their words and of these terms of the vocabulary."""
    texts = [str(row[0] or "")[:MOST_CHARACTERS] for row in known]
    words = [word for text in texts for word in islice(text.split(), MOST_WORDS)] + [*terms, *STOP_WORDS.split()]
    random = np.random.default_rng(SEED)
    for text in (*texts, *ODD, *_varied(texts, words)):
        yield [text]
    for number in range(count):
        yield [_made(random, words, count=LONG if number == 0 else int(random.integers(1, 2 ** (1 + number % 9))))]


def _varied(texts: list[str], words: list[str]) -> Iterator[str]:
    """Texts as others would write them, and words that come again and again."""
    for text in [*texts[:5], " ".join(words[:30])]:
        yield from (text.upper(), text.title(), text.swapcase(), f" {text}\r\n{text}\n\n\t{text}", text[1:-1])
        yield from (text.translate(ACCENTED), normalize("NFD", text.translate(ACCENTED)))
        yield from ("".join(reversed(text)), " ".join(text), text.replace(" ", ""), f"{text} {ACCENTS} {SCRIPTS}")
    for word in words[:: max(1, len(words) // 5)]:
        yield from (word, f"{word} " * 300, word * 3, f"({word}), {word.upper()}! {UNKNOWN}-{word}")


def _made(random: np.random.Generator, words: list[str], count: int) -> str:
    marks = random.choice([" ", " ", " ", ", ", ". ", "\n", " - "], count)
    chosen = random.integers(len(words), size=count)
    return "".join(words[place] + mark for place, mark in zip(chosen, marks, strict=True))


def some_of(terms: Collection[str]) -> list[str]:
    """At most about so many terms as there are words to try, from the first to the last."""
    return list(islice(terms, 0, None, max(1, len(terms) // MOST_WORDS)))
