"""A classifier, a regressor, a forecast and a text endpoint: each is looked at, asked, and trained anew."""

import pandas as pd
import pytest
import requests

from tests.browser.conftest import ENDPOINTS, answer, say, tab, wait_for
from tests.conftest import ROOT
from tests.live.conftest import serving

pytestmark = pytest.mark.live
# The data of each kind, and the pictures of its model.
DATA = {"titanic": "titanic", "width": "iris", "forecast": "inflation", "reviews": "reviews"}
PICTURES = {
    "titanic": ["confusion_matrix", "roc_curve", "coefficients"],
    "width": ["prediction_error", "coefficients"],
    "forecast": ["forecast"],
    "reviews": ["confusion_matrix", "roc_curve", "terms"],
}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """An endpoint of each kind that may be changed; each test has its own."""
    with serving(tmp_path_factory.mktemp("kinds"), {name: ENDPOINTS[name] for name in DATA}) as live:
        yield live


@pytest.mark.parametrize("name", DATA)
def test_every_picture_of_the_model_appears(server, visit, name):
    page = visit(f"{server.url}/{name}#model")
    pictures = page.locator(".pictures img")
    shown = pictures.evaluate_all("all => all.map((one) => new URL(one.src).searchParams.get('_picture'))")
    assert shown == PICTURES[name]
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
    wait_for(page, "[...document.querySelectorAll('.pictures img')].every((one) => one.naturalWidth > 0)")
    assert page.locator(".pictures .note").count() == 0


@pytest.mark.parametrize(("width", "shapes"), [(1280, ["wide"]), (375, [None])])
def test_a_picture_that_is_alone_is_as_wide_as_the_page_allows(server, visit, width, shapes):
    page = visit(f"{server.url}/forecast#model", width=width)
    wait_for(page, "document.querySelector('.pictures img').naturalWidth > 0")
    shown = "all => all.map((one) => new URL(one.currentSrc).searchParams.get('_shape'))"
    assert page.locator(".pictures img").evaluate_all(shown) == shapes
    card, row = (page.locator(place).bounding_box()["width"] for place in (".pictures figure", "#model"))
    assert card == row


@pytest.mark.parametrize("name", DATA)
def test_a_file_of_rows_is_answered(server, visit, tmp_path, name):
    rows = pd.read_csv(ROOT / "data" / f"{DATA[name]}.csv", dtype="str", keep_default_na=False).tail(7)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    page = visit(f"{server.url}/{name}#rows")
    page.set_input_files("#rows-files", tmp_path / "rows.csv")
    page.click("#rows-form button[type=submit]")
    page.wait_for_selector("#rows-result:not([hidden])")
    with (tmp_path / "rows.csv").open("rb") as file:
        expected = requests.post(f"{server.url}/{name}", files={"file": file}, timeout=60).json()
    shown = page.locator("#rows-table td.marked").all_inner_texts()
    assert shown == [f"{value:.6g}" for value in expected]


def test_on_a_phone_the_answers_stand_beside_the_texts(server, visit):
    page = visit(f"{server.url}/reviews#rows", width=375)
    page.set_input_files("#rows-files", ROOT / "data" / "reviews.csv")
    page.click("#rows-form button[type=submit]")
    page.wait_for_selector("#rows-result:not([hidden])")
    answers = page.locator("#rows-table td.marked").first.bounding_box()
    assert answers["x"] + answers["width"] <= 375


@pytest.mark.parametrize(
    ("name", "class_name", "words"),
    [
        ("titanic", "GaussianNB", "Predicts Survived"),
        ("width", "DecisionTreeRegressor", "Predicts petal_width"),
        ("forecast", "HuberRegressor", "Predicts R"),
        ("reviews", "LogisticRegression", "Predicts label"),
    ],
)
def test_another_class_is_trained_and_asked(own, visit, name, class_name, words):
    page = visit(f"{own.url}/{name}#training")
    page.fill("#training-class", class_name)
    if name == "forecast":
        # A regressor has no timeline: the timestamps are a column that it need not learn from.
        page.select_option("#training-index", "")
        page.click("#training-columns summary")
        page.uncheck("#training-columns input[value=index]")
    page.click("#training-form button[type=submit]")
    assert say(page).startswith("Trained. Score ")
    line = page.inner_text(".lead-line")
    assert line.startswith(words)
    assert f"with {class_name}" in line
    tab(page, "predict")
    assert answer(page)
