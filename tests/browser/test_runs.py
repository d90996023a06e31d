"""Runs are followed on their pages, cancelled, and served again, without a reload by anybody."""

import pandas as pd
import pytest
import requests

from tests.browser.conftest import answer, text_model, wait_for
from tests.conftest import ROOT, titanic_endpoint
from tests.live.conftest import serving
from tests.tiny import tiny_model

pytestmark = pytest.mark.live
TEXTS = [{"text": f"{word} movie {i}", "label": word} for i in range(30) for word in ("good", "bad", "fine")]
LATER = {"Prefer": "respond-async"}
# Some seconds, and until somebody cancels it.
SOME = "&class=GradientBoostingClassifier&n_estimators=600"
ENDLESS = "&class=GradientBoostingClassifier&n_estimators=100000"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Endpoints that may be changed; the passengers of `crowd` take long to learn from."""
    folder = tmp_path_factory.mktemp("runs")
    tiny_model(folder / "sentiment")
    rows = pd.read_csv(ROOT / "data" / "titanic.csv")
    pd.concat([rows] * 4).to_csv(folder / "crowd.csv", index=False)
    crowd = titanic_endpoint(data={"url": "$YAMLPATH/crowd.csv"})
    crowd["kwargs"]["model"] = crowd["kwargs"]["model"] | {"drop_duplicates": False}
    endpoints = {
        "titanic": titanic_endpoint(),
        "crowd": crowd | {"pattern": "/crowd"},
        "sentiment": text_model("sentiment", "SentimentAnalysis", "sentiment"),
    }
    with serving(folder, endpoints, workers=1, limits={"parameters": {"n_estimators": 100_000}}) as live:
        yield live


def begin(live, url, **body):
    """Begin a training; the path of its run."""
    response = requests.post(f"{live.url}/{url}", headers=LATER, timeout=60, **body)
    assert response.status_code == 202, response.text
    return response.headers["Location"]


def run_of(live, path):
    return requests.get(live.url + path, timeout=60).json()


def serving_run(live, name):
    return next(run for run in requests.get(f"{live.url}/{name}?_runs", timeout=60).json()["runs"] if run["serving"])


def never_loaded_anew(page):
    """Leave a mark on the page's window; the function that is returned tells that it is still there."""
    page.evaluate("window.mark = true")
    return lambda: page.evaluate("window.mark === true")


def cancel(live, path):
    requests.delete(live.url + path, timeout=60).raise_for_status()


def test_the_page_of_a_run_moves_and_ends_by_itself(own, visit):
    path = begin(own, f"crowd?_action=retrain{SOME}")
    page = visit(own.url + path)
    is_same = never_loaded_anew(page)
    page.wait_for_selector("#progress:not([hidden])")
    page.wait_for_selector(".state-running")
    first = page.inner_text("#progress-told")
    wait_for(page, "told => document.querySelector('#progress-told').textContent !== told", first)
    assert page.inner_text("#progress-told").startswith("Training, ")
    page.wait_for_selector(".state-finished")
    page.wait_for_selector("#announcement:has-text('The training is over: its model serves now.')")
    assert page.locator("#progress").is_hidden()
    assert page.locator("[data-do]").count() == 0
    score = run_of(own, path)["metrics"]["score"]
    assert f"Score {score:.3f}" in page.inner_text(".lead-line")
    assert "n_estimators" in page.inner_text(".columns")
    # What comes after the answer is not missed.
    page.wait_for_selector(".columns dt:has-text('Score on rows held out')")
    page.locator(".pictures img").first.scroll_into_view_if_needed()
    wait_for(page, "document.querySelector('.pictures img').naturalWidth > 0")
    assert is_same()


def test_step_and_loss_of_a_text_model_move_and_leave_a_curve(own, visit):
    path = begin(own, "sentiment?_action=train&num_train_epochs=12&per_device_train_batch_size=2", json=TEXTS)
    page = visit(own.url + path)
    is_same = never_loaded_anew(page)
    page.wait_for_selector("#progress-told:has-text('of 540, loss ')")
    share = "document.querySelector('#progress progress').value"
    before = page.evaluate(share)
    wait_for(page, f"before => {share} > before", before)
    page.wait_for_selector("#losses .line")
    page.wait_for_selector(".state-finished")
    recorded = requests.get(f"{own.url}{path}?_losses", timeout=60).json()["losses"]
    count = "document.querySelector('#losses .line').getAttribute('points').split(' ').length"
    wait_for(page, f"number => {count} === number", len(recorded))
    steps = [point["step"] for point in recorded]
    assert steps == sorted(set(steps))
    assert steps[-1] == 540
    assert "at step 540." in page.inner_text("#losses figcaption")
    assert is_same()


def test_a_training_is_cancelled_by_its_button_after_one_question_and_the_old_model_serves(own, visit):
    before = serving_run(own, "crowd")
    path = begin(own, f"crowd?_action=retrain{ENDLESS}")
    page = visit(own.url + path, width=390)
    is_same = never_loaded_anew(page)
    page.wait_for_selector(".state-running")
    page.focus("[data-do=cancel]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cancel-dialog[open]")
    page.keyboard.press("Escape")
    assert page.locator("#cancel-dialog").is_hidden()
    assert run_of(own, path)["status"] == "RUNNING"
    page.click("[data-do=cancel]")
    page.click("#cancel-dialog button[value=cancel]")
    page.wait_for_selector(".state-killed")
    assert page.inner_text("[data-live=outcome]") == "Cancelled: nothing was changed."
    page.wait_for_selector("#progress", state="hidden")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert is_same()
    assert run_of(own, path)["status"] == "KILLED"
    assert serving_run(own, "crowd") == before
    assert answer(visit(f"{own.url}/crowd"))


def test_who_cancels_what_has_just_ended_is_told_so(own, visit):
    path = begin(own, f"crowd?_action=retrain{ENDLESS}")
    page = visit(own.url + path, allowed={409})
    page.click("[data-do=cancel]")
    page.route("**/runs/*_format=json", lambda route: route.abort("aborted"))
    cancel(own, path)
    page.click("#cancel-dialog button[value=cancel]")
    page.wait_for_selector("#problem .note-bad:has-text('cannot be cancelled: it is KILLED')")
    page.wait_for_selector(".state-killed")


def test_an_earlier_model_serves_again_by_its_button(own, visit):
    first = serving_run(own, "titanic")
    requests.post(f"{own.url}/titanic?_action=retrain&class=DecisionTreeClassifier", timeout=60).raise_for_status()
    page = visit(f"{own.url}/runs/{first['run_id']}")
    is_same = never_loaded_anew(page)
    page.click("[data-do=serve]")
    page.wait_for_selector("#announcement:has-text('The model of this run serves now.')")
    page.wait_for_selector(".title .tag:text-is('serving')")
    assert page.locator("[data-do]").count() == 0
    assert is_same()
    assert serving_run(own, "titanic")["run_id"] == first["run_id"]


def test_the_list_follows_without_taking_the_keyboard_away(own, visit):
    path = begin(own, f"crowd?_action=retrain{ENDLESS}")
    page = visit(f"{own.url}/runs?endpoint=crowd")
    is_same = never_loaded_anew(page)
    row = f"tr:has(a[href='{path}'])"
    page.wait_for_selector(f"{row} .state-running")
    page.focus(f"a[href='{path}']")
    rows = page.locator("tbody tr").count()
    waiting = begin(own, "crowd?_action=retrain&class=GaussianNB")
    page.wait_for_selector(f"tr:has(a[href='{waiting}']) .state-scheduled")
    assert page.locator("tbody tr").count() == rows + 1
    cancel(own, path)
    page.wait_for_selector(f"{row} .state-killed")
    page.wait_for_selector(f"tr:has(a[href='{waiting}']) .state-finished")
    page.wait_for_selector(f"tr:has(a[href='{waiting}']) .tag:text-is('serving')")
    assert page.evaluate("document.activeElement.getAttribute('href')") == path
    assert is_same()


def test_the_list_tells_the_steps_of_a_text_model(own, visit):
    path = begin(own, "sentiment?_action=train&num_train_epochs=100&per_device_train_batch_size=2", json=TEXTS)
    page = visit(f"{own.url}/runs", width=390)
    page.wait_for_selector(f"tr:has(a[href='{path}']) [data-progress]:has-text(' of 4,500 steps')")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    cancel(own, path)


def test_the_form_of_the_list_filters_by_keyboard(own, visit):
    requests.post(f"{own.url}/titanic?_action=retrain&target_col=Nothing", timeout=60)
    page = visit(f"{own.url}/runs")
    page.select_option("#endpoint", "titanic")
    page.select_option("#status", "FAILED")
    page.focus("#status")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs?endpoint=titanic&status=FAILED")
    assert set(page.locator("tbody .state").all_inner_texts()) == {"failed"}


def test_the_endpoints_page_leads_to_the_run_that_goes_on_and_to_all_others(own, visit):
    path = begin(own, f"crowd?_action=retrain{ENDLESS}")
    page = visit(f"{own.url}/crowd")
    page.click("#training-progress a:text-is('Its run')")
    page.wait_for_url(f"**{path}")
    cancel(own, path)
    page.goto(f"{own.url}/crowd")
    page.click(".lead-line a:text-is('Its runs')")
    page.wait_for_selector(f"a[href='{path}']")


def test_runs_can_be_read_in_the_dark_and_without_scripts(own, visit):
    path = f"/runs/{serving_run(own, 'titanic')['run_id']}"
    plain = visit(own.url + path, java_script_enabled=False)
    assert plain.is_visible(".columns")
    assert not plain.is_visible("#cancel-dialog")
    page = visit(own.url, color_scheme="dark")
    for address in (path, "/runs"):
        page.goto(own.url + address)
        page.wait_for_load_state("networkidle")
        assert page.get_attribute("html", "data-bs-theme") == "dark"
