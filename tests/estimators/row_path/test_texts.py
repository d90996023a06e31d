"""A text becomes the terms that its vectorizer makes of it, and their sum what its pipeline answers."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import ensemble, linear_model, naive_bayes, neural_network, svm, tree
from sklearn.decomposition import TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, SelectPercentile, VarianceThreshold, chi2
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from server.estimators.row_path import NotUnderstood, TextPath, text_difference
from server.estimators.row_path.terms import Terms, whole
from server.estimators.row_path.text_probes import text_rows
from server.schema.cells import Unusual
from tests.estimators.row_path.reviews import FEATURES, ROWS, brought, classified

pytestmark = pytest.mark.slow

FEW = {"n_estimators": 7, "random_state": 0}
VECTORIZERS = {
    "as it comes": {},
    "pairs": {"ngram_range": [1, 2]},
    "pairs only": {"ngram_range": [2, 2], "min_df": 2},
    "characters": {"analyzer": "char", "ngram_range": [2, 3], "max_features": 2000},
    "characters in words": {"analyzer": "char_wb", "ngram_range": [1, 4], "max_df": 0.5},
    "stop words": {"stop_words": "english"},
    "stop words of one's own": {"stop_words": ["the", "film"]},
    "logarithms": {"sublinear_tf": True},
    "binary": {"binary": True},
    "shares": {"norm": "l1"},
    "without a norm": {"norm": None},
    "without idf": {"use_idf": False},
    "idf as it is": {"smooth_idf": False},
    "case matters": {"lowercase": False},
    "accents stripped": {"strip_accents": "unicode"},
    "only ASCII": {"strip_accents": "ascii"},
    "signs are words": {"token_pattern": r"\S+"},
    "a vocabulary": {"vocabulary": ["fine", "film", "not", "dull", "the"]},
    "short numbers": {"dtype": "float32"},
    "short numbers, logarithms, shares": {"dtype": "float32", "sublinear_tf": True, "norm": "l1"},
}
CLASSIFIERS = [
    (naive_bayes.MultinomialNB, {}),
    (naive_bayes.ComplementNB, {"norm": True}),
    (naive_bayes.BernoulliNB, {}),
    (naive_bayes.BernoulliNB, {"binarize": 0.2}),
    (naive_bayes.GaussianNB, {}),
    (linear_model.LogisticRegression, {}),
    (linear_model.SGDClassifier, {"random_state": 0}),
    (linear_model.SGDClassifier, {"loss": "log_loss", "random_state": 0}),
    (linear_model.SGDClassifier, {"loss": "modified_huber", "random_state": 0}),
    (linear_model.Perceptron, {}),
    (linear_model.PassiveAggressiveClassifier, {}),
    (linear_model.RidgeClassifier, {}),
    (svm.LinearSVC, {}),
    (tree.DecisionTreeClassifier, {"random_state": 0}),
    (ensemble.RandomForestClassifier, FEW),
    (ensemble.GradientBoostingClassifier, FEW),
    (neural_network.MLPClassifier, {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0}),
]
PIPELINES = {
    "counts": make_pipeline(CountVectorizer(), MultinomialNB()),
    "counts of one byte": make_pipeline(CountVectorizer(dtype=np.uint8), MultinomialNB()),
    "counts, then weighed": make_pipeline(CountVectorizer(), TfidfTransformer(sublinear_tf=True), LogisticRegression()),
    "steps in steps": make_pipeline(make_pipeline(CountVectorizer(), TfidfTransformer()), "passthrough", Ridge()),
    "the best terms": make_pipeline(TfidfVectorizer(), SelectKBest(chi2, k=100), MultinomialNB()),
    "terms that vary": make_pipeline(
        TfidfVectorizer(), VarianceThreshold(1e-4), SelectPercentile(chi2, percentile=50), MultinomialNB()
    ),
    "terms that weigh": make_pipeline(TfidfVectorizer(), SelectFromModel(Ridge()), LogisticRegression()),
    "scaled": make_pipeline(TfidfVectorizer(), MaxAbsScaler(), LogisticRegression()),
    "topics": make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0), LogisticRegression()),
    "words beside characters": make_pipeline(
        FeatureUnion(
            [
                ("none", "drop"),
                ("words", TfidfVectorizer()),
                ("characters", make_pipeline(CountVectorizer(analyzer="char"), TfidfTransformer(norm="l1"))),
            ]
        ),
        LogisticRegression(),
    ),
    "a search": GridSearchCV(make_pipeline(TfidfVectorizer(), MultinomialNB()), {"multinomialnb__alpha": [1, 2]}, cv=2),
    "a search over terms": make_pipeline(TfidfVectorizer(), GridSearchCV(MultinomialNB(), {"alpha": [1, 2]}, cv=2)),
    "words of one's own": make_pipeline(TfidfVectorizer(tokenizer=str.split, token_pattern=None), MultinomialNB()),
    "any analyser": make_pipeline(TfidfVectorizer(analyzer=str.split), MultinomialNB()),
}


def assert_encodes_alike(path, model, texts):
    for text in texts:
        made, own = model[:-1].transform([text]), path.encode([text])
        assert isinstance(own, Terms) is sparse.issparse(made)
        expected = made.toarray()[0] if sparse.issparse(made) else made[0]
        assert whole(own).dtype == expected.dtype
        assert whole(own).tobytes() == expected.tobytes()


@pytest.mark.parametrize("options", VECTORIZERS)
def test_a_text_is_encoded_as_by_its_vectorizer_to_the_last_bit(options):
    estimator, schema = classified(MultinomialNB, vectorizer=VECTORIZERS[options])
    path = TextPath(estimator.model, schema)
    texts = [row[0] or "" for row in text_rows([[text] for text in ROWS["text"][:20]], path.terms, 20)]
    assert_encodes_alike(path, estimator.model, texts)
    assert text_difference(path, estimator, schema, FEATURES) is None


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_that_a_user_brought_is_taken_apart(name):
    estimator, schema = brought(PIPELINES[name])
    path = TextPath(estimator.model, schema)
    assert path.kernel.computes
    assert text_difference(path, estimator, schema, FEATURES) is None
    if not isinstance(estimator.model, GridSearchCV):
        assert_encodes_alike(path, estimator.model, [*ROWS["text"][:20], "", "fine " * 300])


@pytest.mark.parametrize("classes", ["two", "three"])
@pytest.mark.parametrize(("cls", "params"), CLASSIFIERS)
def test_a_classifier_of_two_classes_or_three_answers_as_its_pipeline(cls, params, classes):
    estimator, schema = classified(cls, classes, **params)
    path = TextPath(estimator.model, schema)
    assert path.kernel.computes
    assert text_difference(path, estimator, schema, FEATURES) is None


@pytest.mark.parametrize(("cls", "params"), [*CLASSIFIERS[:4], *CLASSIFIERS[5:13]])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_sums_up_the_terms_is_equal_to_the_last_bit(cls, params, dtype):
    estimator, schema = classified(cls, "three", {"dtype": dtype}, **params)
    path = TextPath(estimator.model, schema)
    for text in [*ROWS["text"][:10], "", "unheard", "fine film " * 50]:
        assert path.answer([text]).tolist() == estimator.model.predict([text]).tolist()
        if path.has_proba:
            assert path.probabilities([text]).tolist() == estimator.model.predict_proba([text])[0].tolist()
            label, known = path.instance({"text": text})
            assert [label] == path.answer([text]).tolist()
            assert list(known.values()) == path.probabilities([text]).tolist()


@pytest.mark.parametrize("cls", [svm.SVC, KNeighborsClassifier, ensemble.AdaBoostClassifier])
def test_a_class_without_a_kernel_answers_itself_for_the_terms(cls):
    params = {"n_estimators": 3} if cls is ensemble.AdaBoostClassifier else {}
    estimator, schema = classified(cls, **params)
    path = TextPath(estimator.model, schema)
    assert path.described == f"look-ups and {cls.__name__}'s own predict"
    assert text_difference(path, estimator, schema, FEATURES) is None


def test_a_class_that_takes_arrays_only_gets_one():
    estimator, schema = classified(LinearDiscriminantAnalysis, vectorizer={"max_features": 50})
    path = TextPath(estimator.model, schema)
    assert isinstance(path.encode(["a fine film"]), np.ndarray)
    assert path.kernel.computes
    assert text_difference(path, estimator, schema, FEATURES) is None


def test_no_row_of_the_whole_vocabulary_is_made_for_a_sum():
    estimator, schema = classified(MultinomialNB)
    row = TextPath(estimator.model, schema).encode(["a fine film, a fine film, and qwrtzpsdf"])
    assert (len(row.columns), len(row.values)) == (3, 3)
    assert row.width == len(estimator.model[0].vocabulary_) > 1000


class Shouting(TfidfVectorizer):
    """A vectorizer of a user's own."""

    def build_analyzer(self):
        return str.upper


TWO = [("words", TfidfVectorizer()), ("more", CountVectorizer())]
LENGTHS = FunctionTransformer(lambda texts: np.array([[len(text)] for text in texts], dtype=float))


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (HashingVectorizer(n_features=64, alternate_sign=False), "HashingVectorizer is not taken apart"),
        (Shouting(), "Shouting is not taken apart"),
        (FeatureUnion(TWO, transformer_weights={"words": 2}), "FeatureUnion weighs its transformers"),
        (FeatureUnion([*TWO, ("lengths", LENGTHS)]), "FunctionTransformer is not taken apart"),
        (FeatureUnion([("topics", make_pipeline(TfidfVectorizer(), TruncatedSVD(2)))]), "puts arrays beside"),
    ],
)
def test_what_is_not_understood_is_left_to_the_pipeline_with_the_reason(first, words):
    estimator, schema = brought(make_pipeline(first, LogisticRegression()))
    with pytest.raises(NotUnderstood, match=words):
        TextPath(estimator.model, schema)


def test_a_vectorizer_alone_predicts_nothing():
    estimator, schema = brought(make_pipeline(TfidfVectorizer(), TruncatedSVD(2)))
    with pytest.raises(NotUnderstood, match="predicts nothing"):
        TextPath(estimator.model, schema)


def test_half_of_a_character_is_left_to_the_pipeline():
    estimator, schema = classified(MultinomialNB)
    with pytest.raises(Unusual):
        TextPath(estimator.model, schema).encode(["fine \ud800"])


def test_terms_of_infinite_weight_are_left_to_the_pipeline():
    vectorizer = TfidfVectorizer(vocabulary=["fine", "unheard"])
    estimator, schema = brought(make_pipeline(vectorizer, MultinomialNB()))
    vectorizer._tfidf.idf_ = np.array([1.0, np.inf])
    path = TextPath(estimator.model, schema)
    assert path.answer(["fine"]).tolist() == estimator.model.predict(["fine"]).tolist()
    with pytest.raises(Unusual):
        path.answer(["unheard"])


# A path that differs from its pipeline is found out, wherever the difference lies.


def differing(change, cls=LogisticRegression, features=FEATURES, **vectorizer):
    """What is said of a path whose texts or rows are changed."""
    estimator, schema = classified(cls, vectorizer=vectorizer)
    path = TextPath(estimator.model, schema)
    inner = path._encode
    path._encode = change(inner)
    return text_difference(path, estimator, schema, features)


UNACCENTED = str.maketrans("áçéíñóü", "aceinou")
CHANGES = {
    "case": lambda inner: lambda cells: inner([(cells[0] or "").lower()]),
    "accents": lambda inner: lambda cells: inner([(cells[0] or "").translate(UNACCENTED)]),
    "repeated words": lambda inner: lambda cells: inner([" ".join(dict.fromkeys((cells[0] or "").split()))]),
    "line ends": lambda inner: lambda cells: inner([(cells[0] or "").splitlines()[0] if cells[0] else ""]),
    "long texts": lambda inner: lambda cells: inner([(cells[0] or "")[:20_000]]),
    "last digits": lambda inner: lambda cells: inner(cells)._replace(values=inner(cells).values * (1 + 1e-9)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_difference_in_what_texts_are_made_of_is_found(change):
    options = {"token_pattern": r"\S+", "lowercase": False, "ngram_range": [1, 2]}
    assert "the pipeline answers" in differing(CHANGES[change], **options)


def test_without_texts_of_the_training_those_made_of_its_terms_are_compared():
    assert "the pipeline answers" in differing(CHANGES["repeated words"], features=None)
    estimator, schema = classified(LogisticRegression)
    assert text_difference(TextPath(estimator.model, schema), estimator, schema, None) is None


def test_an_answer_to_what_the_pipeline_refuses_is_found():
    vectorizer = TfidfVectorizer(vocabulary=["film", "the"])
    estimator, schema = brought(make_pipeline(vectorizer, MultinomialNB()))
    path = TextPath(estimator.model, schema)
    vectorizer._tfidf.idf_ = np.array([np.nan, np.nan])
    assert "the pipeline refuses" in text_difference(path, estimator, schema, FEATURES)


def test_a_missing_text_is_an_empty_one():
    estimator, schema = classified(MultinomialNB)
    path = TextPath(estimator.model, schema)
    missing = estimator.predict_proba(pd.DataFrame({"text": [np.nan]})).to_numpy()[0]
    assert path.probabilities([None]).tolist() == path.probabilities([""]).tolist() == missing.tolist()
