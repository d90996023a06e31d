"""The pages of text models: asked, given files, and read by those who have only a keyboard or a phone."""

import ast
import json

import pandas as pd
import pytest
import requests

from tests.browser.conftest import IMAGE, answer, tab
from tests.browser.test_calls import run

pytestmark = pytest.mark.live
# Characters beyond the first 65,536 are two of JavaScript's; the flag is two code points, too.
TEXT = f"\U0001f6a2\U0001f1ea\U0001f1fa Anna lives in Paris, {IMAGE} Peter went to Berlin\nand London."
NAMES = ("sentiment", "task", "entities", "words", "missing")
TABS = ("predict", "rows", "data", "training", "model")


def entities_of(server, text):
    (found,) = requests.post(f"{server.url}/entities", json=[{"text": text}], timeout=60).json()
    return [(text[one["start"] : one["end"]], one["label"]) for one in found["labels"]]


def marked(place):
    """The words and the type of each mark."""
    parts = "all => all.map((one) => [one.firstChild.textContent, one.querySelector('.entity-type').textContent])"
    return [tuple(pair) for pair in place.locator("mark").evaluate_all(parts)]


def test_entities_are_marked_where_they_are_with_their_types(texts, visit):
    expected = entities_of(texts, TEXT)
    assert {label for _, label in expected} == {"PER", IMAGE}
    assert any(TEXT.index(words) > 4 for words, _ in expected)
    page = visit(f"{texts.url}/entities")
    page.fill("[name=text][data-column]", TEXT)
    page.click("#predict-form button[type=submit]")
    page.wait_for_selector("#answer .marked-text")
    assert marked(page.locator("#answer")) == expected
    words = "one => [...one.childNodes].map((part) => (part.firstChild ?? part).textContent).join('')"
    assert page.locator("#answer .marked-text").evaluate(words) == TEXT
    assert page.inner_text("#answer h2").startswith(str(len(expected)))
    assert page.locator("main img:not(.pictures img)").count() == 0


def test_a_text_without_entities_says_so(texts, visit):
    page = visit(f"{texts.url}/entities")
    page.route("**/entities?text=*", lambda route: route.fulfill(json=[{"text": "rain", "labels": []}]))
    page.fill("[name=text][data-column]", "rain")
    page.click("#predict-form button[type=submit]")
    page.wait_for_selector("#answer h2:text-is('0 entities')")
    assert page.inner_text("#answer .marked-text") == "rain"


@pytest.mark.parametrize(("name", "argument"), [("sentiment", "text"), ("task", "text"), ("words", "query")])
def test_a_label_stands_above_its_probabilities(texts, visit, name, argument):
    page = visit(f"{texts.url}/{name}")
    page.fill(f"[name={argument}][data-column]", f"good {IMAGE}")
    answer(page)
    rows = [{"text": f"good {IMAGE}"}]
    (chances,) = requests.post(f"{texts.url}/{name}?_action=predict&_output=proba", json=rows, timeout=60).json()
    called = {"POSITIVE": "good", "NEGATIVE": "bad"} if name == "words" else {}
    likely = max(chances, key=chances.get)
    assert page.inner_text(".answer-value") == called.get(likely, likely)
    assert page.locator(".bars dt").first.inner_text() == called.get(likely, likely)
    assert page.locator(".bar-number").first.inner_text() == f"{100 * chances[likely]:.1f} %"


def test_a_blank_text_is_wrong_beside_its_field(texts, visit):
    page = visit(f"{texts.url}/sentiment", allowed={400})
    page.fill("[name=text][data-column]", "   ")
    page.click("#predict-form button[type=submit]")
    page.wait_for_selector("[name=text][aria-invalid=true]")
    assert "the text is empty" in page.inner_text("#answer")
    assert page.evaluate("document.activeElement.name") == "text"


def test_a_file_of_texts_is_answered_and_can_be_had(texts, visit, tmp_path):
    pd.DataFrame({"text": [TEXT, "good film", IMAGE], "note": [1, 2, 3]}).to_csv(tmp_path / "rows.csv", index=False)
    expected = [entities_of(texts, text) for text in (TEXT, "good film", IMAGE)]
    page = visit(f"{texts.url}/entities#rows")
    page.set_input_files("#rows-files", tmp_path / "rows.csv")
    page.click("#rows-form button[type=submit]")
    page.wait_for_selector("#rows-result:not([hidden])")
    assert page.locator("#rows-table th.marked").all_inner_texts() == ["labels"]
    cells = page.locator("#rows-table td.marked")
    assert [marked(cells.nth(row)) for row in range(3)] == expected
    with page.expect_download() as download:
        page.click("#rows-xlsx")
    download.value.save_as(tmp_path / "result.xlsx")
    labels = [json.loads(cell) for cell in pd.read_excel(tmp_path / "result.xlsx")["labels"]]
    assert [[one["label"] for one in row] for row in labels] == [[label for _, label in row] for row in expected]


@pytest.mark.parametrize(
    ("name", "marks"), [("sentiment", ["label"]), ("task", ["label", "score"]), ("words", ["label"])]
)
def test_a_file_of_texts_gets_its_labels(texts, visit, tmp_path, name, marks):
    pd.DataFrame({"text": ["good", "bad film"]}).to_csv(tmp_path / "rows.csv", index=False)
    page = visit(f"{texts.url}/{name}#rows")
    page.set_input_files("#rows-files", tmp_path / "rows.csv")
    page.click("#rows-form button[type=submit]")
    page.wait_for_selector("#rows-result:not([hidden])")
    assert page.locator("#rows-table th.marked").all_inner_texts() == marks


def test_weights_that_are_not_here_are_told_with_the_command_that_fetches_them(texts, visit):
    page = visit(f"{texts.url}/missing", width=375)
    page.wait_for_selector("#reason code, #reason:has-text('being fetched')")
    page.wait_for_selector("#reason code", timeout=60_000)
    assert page.inner_text("#reason code").startswith("flask --app wsgi text fetch dbmdz/bert-large")
    assert page.inner_text(".state") == "not ready"
    box = page.locator("#reason code").bounding_box()
    assert box["x"] + box["width"] <= 375
    assert requests.get(f"{texts.url}/missing?text=Anna", timeout=60).status_code == 503


@pytest.mark.parametrize("name", ["", *NAMES])
def test_a_phone_never_scrolls_sideways(texts, visit, name):
    page = visit(f"{texts.url}/{name}", width=375)
    for pane in TABS if name else ():
        tab(page, pane)
        assert page.evaluate("document.documentElement.scrollWidth") == 375, pane


def test_the_keyboard_alone_can_ask(texts, visit):
    page = visit(f"{texts.url}/entities")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            page.keyboard.press("Control+A")
            page.keyboard.type("Anna in Paris")
            break
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer .marked-text")
    assert marked(page.locator("#answer")) == entities_of(texts, "Anna in Paris")


@pytest.mark.parametrize("language", ["curl", "Python"])
@pytest.mark.parametrize("name", ["sentiment", "task", "entities", "words"])
def test_every_call_for_texts_is_answered(texts, visit, tmp_path, name, language):
    page = visit(f"{texts.url}/{name}")
    page.click(f"[data-language={language}]")
    counts = []
    for what in page.locator("#calls-which option").all_inner_texts():
        page.select_option("#calls-which", what)
        said = run(language, page.text_content("#call"), tmp_path)
        got = json.loads(said) if language == "curl" else ast.literal_eval(said)
        counts.append(1 if isinstance(got, dict) else len(got))
    assert counts == ([1, 2] if name == "entities" else [1, 2, 2])


def test_the_other_tabs_offer_a_score_and_a_training_of_rows(texts, visit):
    page = visit(f"{texts.url}/entities#training")
    page.select_option("#calls-which", "Train on rows in the request")
    call = page.text_content("#call")
    assert "_action=train&num_train_epochs=3" in call
    (rows,) = [json.loads(line.split("'")[1]) for line in call.splitlines() if "--data-raw" in line]
    assert [row["text"][one["start"] : one["end"]] for row in rows for one in row["labels"]] == ["Anna Smith", "Paris"]
    page.fill("[name=num_train_epochs]", "5")
    page.select_option("#calls-which", "Train with these changes")
    assert "--data-urlencode 'num_train_epochs=5'" in page.text_content("#call")
    tab(page, "model")
    page.select_option("#calls-which", "Score it on a file of rows with the truth")
    assert "_action=score" in page.text_content("#call")
