"""Random corpora, vectorizers, models and texts, answered both ways."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn import linear_model, naive_bayes, svm, tree
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from server.errors import InvalidParameter, UntrainableRows
from server.estimators.documents import DocumentEstimator
from server.estimators.row_path import TextPath
from server.estimators.row_path.verification import Comparison
from server.schema import Column, Kind, Schema

CLASSIFIERS = [
    (naive_bayes.MultinomialNB, {}),
    (naive_bayes.ComplementNB, {}),
    (naive_bayes.BernoulliNB, {}),
    (linear_model.LogisticRegression, {}),
    (linear_model.SGDClassifier, {"random_state": 0}),
    (linear_model.SGDClassifier, {"loss": "log_loss", "random_state": 0}),
    (linear_model.RidgeClassifier, {}),
    (svm.LinearSVC, {}),
    (tree.DecisionTreeClassifier, {"random_state": 0}),
    (svm.SVC, {}),
]
# What each option of a vectorizer is drawn from; the first half of the time it stays as it is.
OPTIONS: dict[str, list[Any]] = {
    "ngram_range": [(1, 2), (2, 3), (1, 3)],
    "analyzer": ["char", "char_wb"],
    "stop_words": ["english", ["the", "film"]],
    "lowercase": [False],
    "strip_accents": ["ascii", "unicode"],
    "binary": [True],
    "min_df": [2, 0.1],
    "max_df": [0.8],
    "max_features": [3, 20],
    "token_pattern": [r"\S+", r"(?u)\b\w+\b", r"[a-z]"],
    "dtype": [np.float32],
    "sublinear_tf": [True],
    "norm": ["l1", None],
    "use_idf": [False],
    "smooth_idf": [False],
}
WEIGHTS = ("sublinear_tf", "norm", "use_idf", "smooth_idf")
SOME = (
    "the film a fine Fine DULL dull boring naïve naive cafe\u0301 café Été été not don't x 1 22 007 a_b e-mail "
    "漢字 漢字かな кино Кино ταινία ΤΑΙΝΊΑΣ İyi iyi ß ss ﬁne 😀 👍🏽"
)
WORDS = SOME.split()
MARKS = [" ", " ", " ", " ", "  ", ", ", ".", "\n", "\r\n", "\t", "\u00a0", "\u2028", "\x00", "?!", "-"]
LEARNED = 40


def texts_compared(seed: int, count: int) -> tuple[int, str | None]:
    """How many of `count` texts a path answered, and the first difference, for the model that the seed stands for."""
    random = np.random.default_rng(seed)
    words = random.choice(WORDS, int(random.integers(4, len(WORDS))), replace=False).tolist()
    features = pd.DataFrame({"text": pd.Series([_text(random, words) for _ in range(LEARNED)], dtype=object)})
    labels = np.array(["no", "yes", "so"], dtype=object)[: random.integers(2, 4)]
    try:
        estimator = _fitted(random, features, random.choice(labels, LEARNED))
    except (UntrainableRows, InvalidParameter):
        # Nothing is left of the vocabulary, or only one class came.
        return texts_compared(seed + 2**32, count)
    schema = Schema((Column("text", Kind.TEXT),))
    path = TextPath(estimator.model, schema)
    rows = [[_text(random, [*words, "unheard", "ünheard"])] for _ in range(count)]
    comparison = Comparison(path, estimator, schema)
    reason = comparison.of(rows)
    return comparison.answered, reason


def _text(random: np.random.Generator, words: list[str]) -> str:
    count = int(random.integers(0, 2 ** random.integers(1, 8)))
    marks = random.choice(MARKS, count)
    return "".join(words[random.integers(len(words))] + mark for mark in marks)


def _fitted(random: np.random.Generator, features: pd.DataFrame, target: np.ndarray) -> DocumentEstimator:
    cls, params = CLASSIFIERS[random.integers(len(CLASSIFIERS))]
    options = _options(random)
    if random.random() < 0.5:
        estimator = DocumentEstimator.from_texts(cls, params, options)
    else:
        estimator = DocumentEstimator(_own_pipeline(random, cls(**params), options))
    estimator.fit(features, target)
    return estimator


def _options(random: np.random.Generator) -> dict[str, Any]:
    options = {name: values[random.integers(len(values))] for name, values in OPTIONS.items() if random.random() < 0.25}
    if options.get("analyzer"):
        # scikit-learn warns of what has no meaning for characters.
        options = {name: value for name, value in options.items() if name not in ("stop_words", "token_pattern")}
    return options


def _own_pipeline(random: np.random.Generator, estimator: Any, options: dict[str, Any]) -> Pipeline:
    counting = {name: value for name, value in options.items() if name not in WEIGHTS}
    weighing = {name: value for name, value in options.items() if name in WEIGHTS}
    counter = CountVectorizer(**counting)
    steps: list[list[Any]] = [
        [counter],
        [counter, TfidfTransformer(**weighing)],
        [TfidfVectorizer(**options), SelectKBest(k=2)],
        [FeatureUnion([("words", TfidfVectorizer(**options)), ("characters", CountVectorizer(analyzer="char"))])],
    ]
    return make_pipeline(*steps[random.integers(len(steps))], estimator)
