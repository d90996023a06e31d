"""What people change: rows that are added, models that are trained."""

import pandas as pd
import pytest
import requests

from tests.browser.conftest import answer, say, tab
from tests.conftest import ROOT, titanic_endpoint
from tests.live.conftest import LiveServer

pytestmark = pytest.mark.live
IRIS = str(ROOT / "data" / "iris.csv")


@pytest.fixture
def titanic_page(make_live, visit):
    """The page of an endpoint of its own."""
    live = make_live({"titanic": titanic_endpoint()})
    return live, visit(f"{live.url}/titanic", allowed={400, 409})


def test_rows_are_added_and_counted(titanic_page, tmp_path):
    _, page = titanic_page
    pd.read_csv(ROOT / "data" / "titanic.csv").head(9).to_csv(tmp_path / "more.csv", index=False)
    tab(page, "data")
    page.set_input_files("#append-files", tmp_path / "more.csv")
    page.click("#append-form button[type=submit]")
    assert say(page) == "9 rows added; the training data now holds 900 rows."
    page.wait_for_selector("#data.active")
    assert "Training data: 900 rows" in page.inner_text("#data")


def test_rows_that_do_not_fit_are_refused_with_the_reason(titanic_page):
    _, page = titanic_page
    tab(page, "data")
    page.set_input_files("#append-files", IRIS)
    page.click("#append-form button[type=submit]")
    page.wait_for_selector("#append-form .note-bad")
    assert "is missing" in page.inner_text("#append-form .note-bad")


def test_another_class_columns_and_parameters_are_trained(titanic_page):
    live, page = titanic_page
    tab(page, "training")
    page.fill("#training-class", "RandomForestClassifier")
    page.fill("#training-parameters", "n_estimators=20\nrandom_state=0")
    page.click("#training-columns summary")
    page.uncheck("#training-columns input[value=Fare]")
    page.uncheck("#training-columns input[value=Embarked]")
    assert page.inner_text("[data-chosen]") == "5"
    page.click("#training-form button[type=submit]")
    assert say(page).startswith("Trained. Score 0.")
    assert "Predicts Survived from 5 columns with RandomForestClassifier" in page.inner_text(".lead-line")
    model = requests.get(f"{live.url}/titanic?_model", timeout=60).json()
    assert (model["model"], model["params"]["n_estimators"]) == ("RandomForestClassifier", 20)
    tab(page, "predict")
    assert page.locator("[name=Fare][data-column]").count() == 0
    assert answer(page)


def test_a_training_changes_only_what_was_touched(titanic_page):
    live, page = titanic_page
    tab(page, "training")
    page.click("#training-form button[type=submit]")
    say(page)
    assert not list((live.config.parent / "models" / "titanic").glob("config.json"))


def test_a_training_that_fails_says_why_and_changes_nothing(titanic_page):
    live, page = titanic_page
    before = requests.get(f"{live.url}/titanic?_params", timeout=60).json()
    tab(page, "training")
    page.fill("#training-class", "LogisticRegresion")
    page.click("#training-form button[type=submit]")
    page.wait_for_selector("#training-form .note-bad")
    assert "did you mean 'LogisticRegression'" in page.inner_text("#training-form .note-bad")
    assert page.is_enabled("#training-form button[type=submit]")
    assert page.get_attribute("#training-form", "aria-busy") is None
    assert requests.get(f"{live.url}/titanic?_params", timeout=60).json() == before


def test_an_endpoint_without_anything_is_trained_on_a_file(make_live, visit):
    live = make_live({"new": {"pattern": "/new", "handler": "MLHandler"}})
    page = visit(f"{live.url}/new")
    page.fill("#training-class", "GaussianNB")
    page.fill("#training-target", "species")
    page.set_input_files("#training-files", IRIS)
    page.click("#training-form button[type=submit]")
    assert say(page).startswith("Trained. Score 0.9")
    tab(page, "predict")
    assert "setosa" in answer(page)


def test_the_page_shows_the_first_model_as_soon_as_it_is_there(make_live, visit):
    live: LiveServer = make_live({"titanic": titanic_endpoint()}, ready=False)
    page = visit(f"{live.url}/titanic")
    page.wait_for_selector(".state-trained", timeout=60_000)
    assert answer(page)
