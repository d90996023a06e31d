"""Classifiers of texts: a vectorizer and a class behind the interface, trained here or pickled elsewhere."""

import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from server.errors import BadRequest, InvalidParameter, ModelUnreadable, UntrainableRows
from server.estimators.base import ModelKind
from server.estimators.documents import DocumentEstimator, with_vectorizer
from server.estimators.loading import load_estimator
from server.estimators.tabular import TabularEstimator
from server.estimators.vectorizer import check_vectorizer

pytestmark = pytest.mark.slow

TEXTS = ["a fine film", "fine acting, fine music", "a dull film", "dull, dull and boring"]
LABELS = np.array([1, 1, 0, 0])
FEATURES = pd.DataFrame({"text": TEXTS})


def fitted(model_class=MultinomialNB, params=(), vectorizer=()):
    estimator = DocumentEstimator.from_texts(model_class, dict(params), dict(vectorizer))
    estimator.fit(FEATURES, LABELS)
    return estimator


def test_it_is_scikit_learns_own_pipeline(tmp_path):
    estimator = fitted(vectorizer={"ngram_range": [1, 2]})
    own = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), MultinomialNB()).fit(TEXTS, LABELS)
    queries = pd.DataFrame({"text": ["fine and boring", "unheard"]})
    np.testing.assert_allclose(estimator.predict_proba(queries), own.predict_proba(queries["text"]))
    assert estimator.score(FEATURES, LABELS) == own.score(TEXTS, LABELS)
    estimator.save(tmp_path / "model.pkl")
    assert joblib.load(tmp_path / "model.pkl").predict(TEXTS).tolist() == own.predict(TEXTS).tolist()
    loaded = load_estimator(tmp_path / "model.pkl")
    assert (type(loaded), loaded.kind, loaded.class_name) == (DocumentEstimator, ModelKind.CLASSIFIER, "MultinomialNB")
    np.testing.assert_array_equal(loaded.predict_proba(queries), estimator.predict_proba(queries))


def test_a_missing_text_is_an_empty_one():
    estimator = fitted()
    missing, empty = (estimator.predict_proba(pd.DataFrame({"text": [text]})) for text in (np.nan, ""))
    pd.testing.assert_frame_equal(missing, empty)


@pytest.mark.parametrize("text", ["漢字 😀", "x" * 100_000, "fine " * 50_000, "007", "\x00", "a\nb\tc", "<b>fine</b>"])
def test_any_text_has_a_class(text):
    assert fitted().predict(pd.DataFrame({"text": [text]})).tolist()[0] in (0, 1)


def test_a_document_is_read_whole():
    filling = "some words of no meaning " * 40_000
    documents = pd.DataFrame({"text": [filling + word for word in ("fine", "dull", "fine", "dull")]})
    estimator = DocumentEstimator.from_texts(MultinomialNB, {"alpha": 1e-10}, {})
    estimator.fit(documents, np.array([1, 0, 1, 0]))
    assert estimator.predict(documents).tolist() == [1, 0, 1, 0]


def test_texts_without_words_cannot_be_learned_from():
    estimator = DocumentEstimator.from_texts(MultinomialNB, {}, {})
    with pytest.raises(UntrainableRows, match="empty vocabulary"):
        estimator.fit(pd.DataFrame({"text": ["a", "b"]}), np.array([0, 1]))


def test_one_class_cannot_be_learned_from():
    estimator = DocumentEstimator.from_texts(MultinomialNB, {}, {})
    with pytest.raises(UntrainableRows, match="one class only"):
        estimator.fit(FEATURES, np.ones(4, dtype=int))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"ngram": [1, 2]}, "did you mean .*'ngram_range'"),
        ({"analyzer": "chars"}, "'analyzer' of TfidfVectorizer"),
        ({"input": "filename"}, "must be 'content'"),
        ({"max_features": 0}, "'max_features' of TfidfVectorizer"),
        ({"tokenizer": "str.split"}, "'tokenizer' of TfidfVectorizer"),
        ({"ngram_range": [2]}, "'ngram_range' of TfidfVectorizer must be a pair of whole numbers"),
        ({"ngram_range": [2, 1]}, "'ngram_range' of TfidfVectorizer must be a pair of whole numbers"),
        ({"ngram_range": ["a", "b"]}, "'ngram_range' of TfidfVectorizer must be a pair of whole numbers"),
        ({"token_pattern": "("}, "'token_pattern' of TfidfVectorizer cannot be '\\('"),
        ({"token_pattern": "(a)(b)"}, "'token_pattern' of TfidfVectorizer cannot be"),
        ({"vocabulary": ["a", "a"]}, "'vocabulary' of TfidfVectorizer cannot be"),
        ({"dtype": "int"}, "'dtype' of TfidfVectorizer must be float64 or float32, not 'int'"),
        ({"dtype": "nonsense"}, "'dtype' of TfidfVectorizer must be"),
    ],
)
def test_a_wrong_parameter_of_the_vectorizer_is_named(params, words):
    with pytest.raises(InvalidParameter, match=words):
        check_vectorizer(params)


def test_lists_of_yaml_are_the_tuples_of_scikit_learn():
    given = {"ngram_range": [1, 2], "stop_words": ["a"], "min_df": 2, "max_df": 0.1, "token_pattern": "[0-9]+"}
    params = check_vectorizer(given)
    assert params == given | {"ngram_range": (1, 2)}


def test_numbers_may_be_half_as_long():
    assert fitted(vectorizer={"dtype": "float32"}).model[0].transform(TEXTS).dtype == np.float32


def test_what_takes_arrays_only_gets_them_and_is_loaded_without_this_server(tmp_path):
    vectorized = TfidfVectorizer().fit_transform(TEXTS).toarray()
    own = GaussianNB().fit(vectorized, LABELS)
    fitted(GaussianNB).save(tmp_path / "model.pkl")
    script = (
        f"import joblib, sys; m = joblib.load({str(tmp_path / 'model.pkl')!r}); print(m.predict({TEXTS!r}).tolist())"
    )
    script += "; assert not [name for name in sys.modules if name.startswith('server')]"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(own.predict(vectorized).tolist())
    assert fitted(GaussianNB).predict(FEATURES).tolist() == own.predict(vectorized).tolist()


def test_what_is_a_classifier_by_its_parameters_only():
    search = {"estimator": {"class": "LogisticRegression"}, "param_grid": {"C": [1, 2]}, "cv": 2}
    assert set(fitted(GridSearchCV, search).predict(FEATURES)) == {0, 1}
    with pytest.raises(InvalidParameter, match=r"GridSearchCV is no classifier with these parameters \(regressor\)"):
        fitted(GridSearchCV, search | {"estimator": {"class": "Ridge"}})


# Pickles that somebody else made.


def to_array(matrix):
    return matrix.toarray()


def pair(vectorizer, model):
    model.fit(vectorizer.fit_transform(TEXTS), LABELS)
    return vectorizer, model


@pytest.fixture
def files(tmp_path):
    """Write classifier and vectorizer; their paths."""

    def files(model, vectorizer):
        joblib.dump(model, tmp_path / "clf.pkl")
        joblib.dump(vectorizer, tmp_path / "vec.pkl")
        return tmp_path / "clf.pkl", tmp_path / "vec.pkl"

    return files


@pytest.mark.parametrize(
    "vectorizer", [TfidfVectorizer(), CountVectorizer(ngram_range=(1, 2)), HashingVectorizer(n_features=64)], ids=repr
)
def test_two_files_are_one_model(files, vectorizer):
    vectorizer, model = pair(vectorizer, LogisticRegression())
    estimator = load_estimator(*files(model, vectorizer))
    np.testing.assert_array_equal(estimator.predict_proba(FEATURES), model.predict_proba(vectorizer.transform(TEXTS)))


def test_a_vectorizer_with_further_steps(files):
    steps = make_pipeline(CountVectorizer(), StandardScaler(with_mean=False))
    steps, model = pair(steps, LogisticRegression())
    estimator = load_estimator(*files(model, steps))
    np.testing.assert_array_equal(estimator.predict(FEATURES), model.predict(steps.transform(TEXTS)))


def test_parts_that_do_not_belong_together_are_told():
    vectorizer, model = pair(TfidfVectorizer(), MultinomialNB())
    other = TfidfVectorizer(ngram_range=(1, 2)).fit(TEXTS)
    for parts, words in (
        ((other, model), "they are no pair"),
        ((model, vectorizer), "the vectorizer file holds a MultinomialNB"),
        ((vectorizer, {"a": 1}), "the model file holds a dict"),
    ):
        with pytest.raises(ModelUnreadable, match=words):
            with_vectorizer(*parts)


@pytest.mark.parametrize(
    ("vectorizer", "words"),
    [
        (TfidfVectorizer(), "TfidfVectorizer cannot vectorize a text: .*not fitted"),
        (HashingVectorizer(n_features=64), "MultinomialNB cannot answer for a text: .* X has 64 features"),
        (StandardScaler().fit([[0.0]]), "StandardScaler cannot vectorize a text"),
    ],
    ids=["unfitted", "other", "numbers"],
)
def test_a_vectorizer_that_cannot_answer_is_no_pair(files, vectorizer, words):
    _, model = pair(TfidfVectorizer(), MultinomialNB())
    with pytest.raises(ModelUnreadable, match=words):
        load_estimator(*files(model, vectorizer))


@pytest.mark.parametrize("inner", [GaussianNB(), make_pipeline(FunctionTransformer(to_array), GaussianNB())])
def test_a_pickle_that_takes_arrays_gets_what_it_was_fitted_on(files, inner):
    vectorizer = TfidfVectorizer().fit(TEXTS)
    rows = vectorizer.transform(TEXTS)
    model = inner.fit(rows if hasattr(inner, "steps") else rows.toarray(), LABELS)
    estimator = load_estimator(*files(model, vectorizer))
    assert (
        estimator.predict(FEATURES).tolist()
        == GaussianNB().fit(rows.toarray(), LABELS).predict(rows.toarray()).tolist()
    )


def test_a_regressor_is_no_classifier_of_texts(files):
    vectorizer, model = pair(TfidfVectorizer(), LinearRegression())
    with pytest.raises(ModelUnreadable, match=r"LinearRegression \(regressor\) is no classifier"):
        load_estimator(*files(model, vectorizer))


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(FeatureUnion([("a", CountVectorizer()), ("b", HashingVectorizer())]), LogisticRegression()),
        make_pipeline("passthrough", make_pipeline(CountVectorizer(), TfidfTransformer()), LogisticRegression()),
        GridSearchCV(make_pipeline(CountVectorizer(), LogisticRegression()), {}, cv=2),
        CalibratedClassifierCV(make_pipeline(CountVectorizer(), LogisticRegression()), cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_the_first_step_within_tells_a_model_of_texts(files, model):
    model.fit(TEXTS, LABELS)
    path, _ = files(model, None)
    estimator = load_estimator(path)
    assert type(estimator) is DocumentEstimator
    assert estimator.predict(FEATURES).tolist() == model.predict(TEXTS).tolist()


def test_a_missing_file_is_named(files, tmp_path):
    classifier, _ = files(MultinomialNB(), TfidfVectorizer())
    with pytest.raises(ModelUnreadable, match=r"the vectorizer nowhere\.pkl does not exist"):
        load_estimator(classifier, tmp_path / "nowhere.pkl")
    with pytest.raises(FileNotFoundError):
        load_estimator(tmp_path / "nowhere.pkl", tmp_path / "vec.pkl")


def test_a_file_that_is_no_pickle_is_named(files, tmp_path):
    classifier, vectorizer = files(MultinomialNB(), TfidfVectorizer())
    vectorizer.write_text("no pickle")
    with pytest.raises(ModelUnreadable, match=r"vec\.pkl cannot be unpickled"):
        load_estimator(classifier, vectorizer)


def test_a_pipeline_that_takes_texts_is_known_by_its_vectorizer(tmp_path):
    pipeline = make_pipeline(CountVectorizer(), MultinomialNB()).fit(TEXTS, np.array(["bad", "bad", "good", "good"]))
    joblib.dump(pipeline, tmp_path / "model.pkl")
    estimator = load_estimator(tmp_path / "model.pkl")
    assert [column.name for column in estimator.schema("label").inputs] == ["text"]
    assert estimator.schema("label").target.categories == ("bad", "good")
    assert estimator.predict(FEATURES).tolist() == pipeline.predict(TEXTS).tolist()


def test_a_pipeline_of_numbers_is_none_of_texts(tmp_path):
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit([[0.0], [1.0]], [0, 1]), tmp_path / "m.pkl")
    assert type(load_estimator(tmp_path / "m.pkl")) is TabularEstimator


def test_a_class_without_probabilities_has_none():
    with pytest.raises(BadRequest, match="LinearSVC has no probabilities"):
        fitted(LinearSVC).predict_proba(FEATURES)
