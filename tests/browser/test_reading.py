"""What people see and ask without changing anything."""

import pandas as pd
import pytest
import requests

from tests.browser.conftest import ENDPOINTS, HOSTILE, IMAGE, answer, tab
from tests.conftest import ROOT

pytestmark = pytest.mark.live
TITANIC = str(ROOT / "data" / "titanic.csv")
TABS = ("predict", "rows", "data", "training", "model")


def test_the_index_leads_to_every_page_and_back(server, visit):
    page = visit(server.url)
    for name in ENDPOINTS:
        page.click(f"main a:text-is('{name}')")
        page.wait_for_selector(f"h1:text-is('{name}')")
        page.click(".brand")
        page.wait_for_selector("h1:text-is('Endpoints')")


@pytest.mark.parametrize("name", [name for name in ENDPOINTS if name not in ("empty", "reviews", "hostile")])
def test_the_form_gives_the_answer_that_the_url_gives(server, visit, name):
    page = visit(f"{server.url}/{name}")
    example = page.evaluate("JSON.parse(document.getElementById('facts').textContent).example")
    (expected,) = requests.post(f"{server.url}/{name}", json=[example], timeout=60).json()
    text = answer(page)
    for value in expected if isinstance(expected, list) else [expected]:
        assert f"{value:.6g}"[:5] in text


def test_probabilities_stand_beside_the_answer(server, visit):
    page = visit(f"{server.url}/titanic")
    answer(page)
    assert page.inner_text(".answer-value") == "0"
    numbers = [float(text.rstrip(" %")) for text in page.locator(".bar-number").all_inner_texts()]
    assert sum(numbers) == pytest.approx(100, abs=0.2)
    assert page.locator(".bars dt").all_inner_texts() == ["0", "1"]


def test_another_row_has_another_answer(server, visit):
    page = visit(f"{server.url}/titanic")
    page.select_option("[name=Sex]", "female")
    page.select_option("[name=Pclass]", "1")
    page.fill("[name=Age]", "")
    answer(page)
    assert page.inner_text(".answer-value") == "1"
    page.click("button[type=reset]")
    assert page.input_value("[name=Sex]") == "male"


def test_a_text_is_answered_in_the_words_of_the_configuration(server, visit):
    page = visit(f"{server.url}/reviews")
    for text, label in (("that movie was boring", "Negative"), ("a moving and beautiful film", "Positive")):
        page.fill("[name=query]", text)
        page.click("#predict-form button[type=submit]")
        page.wait_for_selector(f".answer-value:text-is('{label}')")
    page.fill("[name=query]", "boring " * 2000)  # too long for a URL
    page.click("#predict-form button[type=submit]")
    page.wait_for_selector(".answer-value:text-is('Negative')")


def test_an_error_stands_beside_the_field_that_it_concerns(server, visit):
    page = visit(f"{server.url}/forecast", allowed={400})
    page.fill("[name=Dp]", "")
    page.click("#predict-form button[type=submit]")
    page.wait_for_selector("[name=Dp][aria-invalid=true]")
    described = page.get_attribute("[name=Dp]", "aria-describedby").split()[-1]
    assert "a forecast needs every exogenous value" in page.inner_text(f"#{described}")
    assert page.evaluate("document.activeElement.name") == "Dp"
    page.click("button[type=reset]")
    answer(page)
    assert page.locator("[aria-invalid]").count() == 0


def test_a_file_is_predicted_row_by_row_and_can_be_had_as_a_whole(server, visit, tmp_path):
    page = visit(f"{server.url}/titanic")
    tab(page, "rows")
    page.set_input_files("#rows-files", TITANIC)
    page.click("#rows-form button[type=submit]")
    page.wait_for_selector("#rows-result:not([hidden])")
    assert page.inner_text("#rows-title") == "Result: 891 rows, the first 100 shown"
    assert page.locator("#rows-table tbody tr").count() == 100
    with open(TITANIC, "rb") as file:
        expected = requests.post(f"{server.url}/titanic", files={"file": file}, timeout=60).json()
    assert page.locator("#rows-table td.marked").all_inner_texts() == [str(value) for value in expected[:100]]
    for format_, click, read in (("csv", "#rows-csv", pd.read_csv), ("xlsx", "#rows-xlsx", pd.read_excel)):
        with page.expect_download() as download:
            page.click(click)
        download.value.save_as(tmp_path / f"result.{format_}")
        assert read(tmp_path / f"result.{format_}")["Survived"].tolist() == expected


def test_several_files_are_put_one_below_the_other(server, visit, tmp_path):
    rows = pd.read_csv(ROOT / "data" / "iris.csv")
    for name, part in (("one.csv", rows.head(3)), ("two.csv", rows.tail(4))):
        part.to_csv(tmp_path / name, index=False)
    page = visit(f"{server.url}/components#rows")
    page.set_input_files("#rows-files", [tmp_path / "one.csv", tmp_path / "two.csv"])
    page.click("#rows-form button[type=submit]")
    page.wait_for_selector("#rows-result:not([hidden])")
    assert page.inner_text("#rows-title") == "Result: 7 rows"
    assert page.locator("#rows-table th.marked").all_inner_texts() == ["pca0", "pca1"]


def test_wrong_rows_of_a_file_are_named(server, visit, tmp_path):
    rows = pd.read_csv(TITANIC).astype({"Age": object})
    rows.loc[[4, 9], "Age"] = "old"
    rows.to_csv(tmp_path / "wrong.csv", index=False)
    page = visit(f"{server.url}/titanic#rows", allowed={400})
    page.set_input_files("#rows-files", tmp_path / "wrong.csv")
    page.click("#rows-form button[type=submit]")
    page.wait_for_selector("#rows-form .note-bad")
    assert [text[:7] for text in page.locator("#rows-form li").all_inner_texts()] == ["Row 5, ", "Row 10,"]
    assert "'old' is not a number" in page.inner_text("#rows-form .note-bad")
    assert page.is_enabled("#rows-form button[type=submit]")


def test_what_a_model_learned_is_unfolded_on_demand(server, visit):
    page = visit(f"{server.url}/titanic#model")
    page.click("details[data-view=_params] summary")
    page.wait_for_selector("details[data-view=_params] dt:text-is('coef_')")
    page.click("details[data-view=_model] summary")
    page.wait_for_selector("details[data-view=_model] dt:text-is('max_iter')")
    with page.expect_download() as download:
        page.click("a:has-text('Download the model file')")
    assert download.value.suggested_filename == "model.pkl"


def test_hostile_names_and_categories_do_no_harm(server, visit):
    page = visit(f"{server.url}/hostile")
    assert HOSTILE in page.locator("label").all_inner_texts()
    text = answer(page)
    assert IMAGE in text
    for name in TABS:
        tab(page, name)
    tab(page, "rows")
    page.set_input_files("#rows-files", server.config.parent / "hostile.csv")
    page.click("#rows-form button[type=submit]")
    page.wait_for_selector("#rows-result:not([hidden])")
    assert page.locator("#rows-table th").all_inner_texts()[0] == HOSTILE
    assert page.locator("#rows-table td.marked").first.inner_text() == IMAGE
    assert page.locator("main img:not(.pictures img)").count() == 0


@pytest.mark.parametrize("name", ["", *ENDPOINTS])
def test_a_phone_never_scrolls_sideways(server, visit, name):
    page = visit(f"{server.url}/{name}", width=375)
    for pane in TABS if name else [None]:
        if pane:
            tab(page, pane)
        assert page.evaluate("document.documentElement.scrollWidth") == 375, pane


@pytest.mark.parametrize("path", ["", "runs"])
def test_a_table_that_is_shown_whole_has_no_scroll_bar(server, visit, path):
    page = visit(f"{server.url}/{path}")
    heights = page.evaluate(
        "[...document.querySelectorAll('.scroll')].map(each => [each.clientHeight, each.scrollHeight])"
    )
    assert heights
    assert all(shown == whole for shown, whole in heights)


def test_the_keyboard_alone_can_ask(server, visit):
    page = visit(f"{server.url}/titanic")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "Sex":
            page.keyboard.type("female")
        if page.evaluate("document.activeElement.type") == "submit":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".answer-value")
    assert page.input_value("[name=Sex]") == "female"
    assert page.inner_text(".answer-value") == "1"


def test_the_tabs_go_by_the_arrow_keys_and_stand_in_the_address(server, visit):
    page = visit(f"{server.url}/titanic")
    page.focus("#predict-tab")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#rows.active")
    assert page.url.endswith("#rows")
    page.reload()
    page.wait_for_selector("#rows.active")


def test_light_and_dark_follow_the_system(server, visit):
    for scheme in ("light", "dark"):
        page = visit(f"{server.url}/titanic", color_scheme=scheme)
        assert page.get_attribute("html", "data-bs-theme") == scheme


def test_without_scripts_everything_is_on_the_page_and_the_form_asks(server, visit):
    # Beside an answer that is no page, the browser looks for an icon by itself.
    page = visit(f"{server.url}/titanic", java_script_enabled=False, allowed={404})
    for name in TABS:
        assert page.is_visible(f"#{name}")
    page.click("#predict-form button[type=submit]")
    assert page.inner_text("body") == "[0]"


def test_what_gets_into_a_page_is_not_run(server, chromium):
    """The pages' content security policy; all other tests see that it stops nothing of their own."""
    window = chromium.new_context()
    page = window.new_page()
    for path in ("/", "/titanic", "/runs"):
        page.goto(server.url + path)
        script = (
            "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))"
        )
        page.evaluate(f"() => {script}")
        assert page.evaluate("window.ran === undefined")
    window.close()
