"""The pages of the registry are read, followed and used, by whom scripts, a mouse or a wide screen may be missing."""

import pytest
import requests

from tests.browser.conftest import HOSTILE, IMAGE, wait_for
from tests.live.conftest import serving
from tests.registering import API, algorithm, flower, iris, registry, write_models

pytestmark = pytest.mark.live
NAMES = {"free": 1, "tested": 2, "watched": 3, "mixed": 4, "changed": 5, "hostile": 6}
PAIR = [algorithm("logistic", "classifier", status="production"), algorithm("stump", "classifier")]


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """An endpoint of the registry for each test that changes something."""
    folder = tmp_path_factory.mktemp("registry")
    write_models(folder)
    endpoints = dict.fromkeys(NAMES, PAIR)
    endpoints["mixed"] = [algorithm("linear", "regressor", status="production"), *PAIR]
    words = {"owner": HOSTILE, "description": IMAGE}
    endpoints["hostile"] = [{**PAIR[0], **words, "name": HOSTILE}, {**PAIR[1], **words, "name": IMAGE}]
    with serving(folder, {"api": registry(endpoints)}, workers=2) as server:
        yield server


def call(live, path, **fields):
    answer = requests.post(f"{live.url}{API}/{path}", json=fields, timeout=60)
    assert answer.ok, answer.text
    return answer.json()


def get(live, path):
    return requests.get(f"{live.url}{API}/{path}", timeout=60).json()


def page_of(live, name):
    return f"{live.url}{API}/endpoints/{NAMES[name]}"


def begin(live, name, title="which is better"):
    """Begin a test of the endpoint's two algorithms; its number."""
    first, second = (one["id"] for one in get(live, f"mlalgorithms?parent_endpoint={name}"))
    return call(live, "abtests", title=title, parent_mlalgorithm1=first, parent_mlalgorithm2=second)["id"]


def ask(live, name, count):
    for number in range(0, 7 * count, 7):
        made = call(live, f"{name}/predict?status=ab_testing", **flower(number % 150))["request_id"]
        truth = {"feedback": iris()[1].iloc[number % 150]}
        requests.put(f"{live.url}{API}/mlrequests/{made}", json=truth, timeout=60).raise_for_status()


def statuses(live, name):
    return [one["current_status"] for one in get(live, f"mlalgorithms?parent_endpoint={name}")]


def test_the_index_leads_to_the_registry_and_on_to_an_endpoint(live, visit):
    page = visit(live.url)
    page.click("main a:text-is('api')")
    page.wait_for_selector("h1:text-is('api')")
    page.click("main a:text-is('free')")
    page.wait_for_selector("h1:text-is('free')")
    page.click(".trail:text-is('api')")
    page.wait_for_selector("h1:text-is('api')")


def test_a_test_is_started_and_stopped_by_the_keyboard_alone(live, visit):
    page = visit(page_of(live, "tested"), allowed={400})
    page.evaluate("window.mark = true")
    page.focus("#start")
    page.keyboard.press("Enter")
    page.wait_for_selector("#start-dialog[open]")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("by hand")
    page.keyboard.press("Enter")
    page.wait_for_selector("#announcement:text-is('The test runs.')")
    page.wait_for_selector("#stop")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    (test,) = get(live, "abtests?parent_endpoint=tested")
    assert (test["title"], test["min_feedback"], test["created_by"]) == ("by hand", 1, None)
    assert page.locator(".state-ab_testing").count() == 2
    page.focus("#stop")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_selector("#stop-dialog .note-bad:has-text('has feedback for 0 of its 0 requests in this test')")
    page.click("#stop-dialog button[value=false]")
    page.wait_for_selector("#start")
    page.wait_for_selector("article:has-text('by hand'):has-text('Not promoted')")
    assert statuses(live, "tested") == ["production", "testing"]
    assert page.evaluate("window.mark === true")


def test_a_running_test_is_followed_and_its_winner_promoted(live, visit):
    page = visit(page_of(live, "watched"))
    page.evaluate("window.mark = true")
    test = begin(live, "watched")
    ask(live, "watched", 60)
    page.reload()
    page.wait_for_selector(".plot .band")
    page.click("#numbers-interval summary")
    before = page.locator("#sides").inner_text()
    points = page.get_attribute(".plot .band", "d")
    ask(live, "watched", 20)
    wait_for(page, "before => document.querySelector('#sides').innerText !== before", before)
    wait_for(page, "points => document.querySelector('.plot .band').getAttribute('d') !== points", points)
    assert page.is_visible("#numbers-interval table")
    page.click("#stop")
    page.click("#stop-dialog button[value=true]")
    page.wait_for_selector("#announcement:text-is('The test has ended.')")
    told = get(live, f"abtests/{test}")
    page.wait_for_selector("article:has-text('which is better')")
    assert told["summary"] in page.inner_text("article")
    assert statuses(live, "watched") == ["production", "testing"]


def test_only_another_algorithm_of_the_same_type_can_be_chosen(live, visit):
    page = visit(page_of(live, "mixed"), allowed={400})
    page.click("#start")
    open_ = "[...document.querySelector('#start-second').options].filter(one => !one.disabled).map(one => one.text)"
    page.select_option("#start-first", label="logistic 1.0 (classifier, production)")
    assert page.evaluate(open_) == ["stump 1.0 (classifier, testing)"]
    page.fill("#start-title", "too much")
    page.fill("#start-least", "many")
    page.click("#start-dialog [type=submit]")
    page.wait_for_selector("#start-dialog .note-bad:has-text(\"min_feedback must be a whole number, not 'many'\")")
    assert get(live, "abtests?parent_endpoint=mixed") == []
    page.keyboard.press("Escape")
    assert page.locator("#start-dialog").is_hidden()


def test_a_status_is_changed_or_the_server_says_why_not(live, visit):
    page = visit(page_of(live, "changed"), allowed={409})
    row = "tr:has-text('stump')"
    page.click(f"{row} button")
    assert page.inner_text("#status-question") == "Status of stump 1.0"
    assert page.input_value("#status-choice") == "testing"
    page.select_option("#status-choice", "inactive")
    page.fill("#status-by", "anna")
    page.click("#status-dialog [type=submit]")
    page.wait_for_selector("#announcement:text-is('stump 1.0 has the status inactive now.')")
    page.wait_for_selector(f"{row} .state-inactive")
    (_, changed) = get(live, "mlalgorithms?parent_endpoint=changed")
    (newest,) = get(live, f"mlalgorithmstatuses?parent_mlalgorithm={changed['id']}&order=-id&limit=1")
    assert (newest["status"], newest["created_by"]) == ("inactive", "anna")
    call(live, "mlalgorithmstatuses", status="testing", parent_mlalgorithm=changed["id"])
    page.click(f"{row} button")
    begin(live, "changed")
    page.click("#status-dialog [type=submit]")
    page.wait_for_selector("#status-dialog .note-bad:has-text('is in the running test')")
    assert statuses(live, "changed") == ["ab_testing", "ab_testing"]


def test_hostile_names_do_no_harm_and_a_phone_never_scrolls_sideways(live, visit):
    test = begin(live, "hostile", title=IMAGE * 3)
    ask(live, "hostile", 40)
    for width in (1280, 375):
        page = visit(page_of(live, "hostile"), width=width)
        page.wait_for_selector(".plot .band")
        for summary in page.locator("details summary").all():
            summary.click()
        assert HOSTILE in page.inner_text("main")
        assert page.locator("main img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.click("#stop")
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.querySelector('#stop-dialog').getBoundingClientRect().right") <= 375
    call(live, f"stop_ab_test/{test}?promote=false")
    page.wait_for_selector("article:has-text('img src=x')")
    page.keyboard.press("Escape")
    page.click("#start")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert visit(f"{live.url}{API}", width=375).evaluate("document.documentElement.scrollWidth") == 375


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_scripts_all_can_be_read_and_nothing_offers_what_it_cannot_do(live, visit, scheme):
    page = visit(page_of(live, "free"), java_script_enabled=False, color_scheme=scheme)
    for words in ("logistic 1.0", "production", "No test runs."):
        assert words in page.inner_text("main")
    assert [button for button in page.locator("button").all() if button.is_visible()] == []
