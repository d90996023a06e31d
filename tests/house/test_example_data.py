"""The example data are what data/README.md says, and the script builds them anew, byte for byte."""

import importlib

import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from tests.conftest import ROOT

DATA = ROOT / "data"


@pytest.fixture
def build_examples(monkeypatch):
    monkeypatch.syspath_prepend(DATA)
    return importlib.import_module("build_examples")


@pytest.mark.parametrize("name", ["iris", "circles", "inflation"])
def test_a_set_from_an_installed_package_is_rebuilt_byte_for_byte(build_examples, name):
    built = getattr(build_examples, f"build_{name}")()
    assert built.encode() == (DATA / f"{name}.csv").read_bytes()


def test_the_readme_tells_the_rows_of_every_file():
    text = (DATA / "README.md").read_text()
    for path in DATA.glob("*.csv"):
        assert f"| `{path.name}` | {len(pd.read_csv(path)):,} |" in text


def test_the_quarters_follow_one_another():
    quarters = pd.to_datetime(pd.read_csv(DATA / "inflation.csv")["index"])
    assert quarters.tolist() == pd.date_range("1972-06-30", "1998-12-31", freq="QE").tolist()


def test_the_reviews_are_balanced_different_and_mixed():
    reviews = pd.read_csv(DATA / "reviews.csv")
    assert reviews["label"].value_counts().to_dict() == {0: 2000, 1: 2000}
    assert not reviews["text"].duplicated().any()
    assert all(text == text.strip() and len(text.splitlines()) == 1 for text in reviews["text"])
    assert reviews["label"].head(400).mean() == pytest.approx(0.5, abs=0.1)


def test_a_model_learns_from_the_reviews():
    reviews = pd.read_csv(DATA / "reviews.csv")
    learned, held_out = reviews.head(3200), reviews.tail(800)
    model = make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(learned["text"], learned["label"])
    assert model.score(held_out["text"], held_out["label"]) > 0.7
    assert model.predict(["that movie was boring"]) == [0]
