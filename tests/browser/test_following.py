"""Trainings are followed on the page, whoever began them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from server.storage.endpoint_store import EndpointStore
from tests.browser.conftest import answer, say, tab, text_model, wait_for
from tests.conftest import titanic_endpoint
from tests.live.conftest import serving
from tests.tiny import tiny_model

pytestmark = pytest.mark.live
ROWS = [{"text": f"{word} movie {i}", "label": word} for i in range(12) for word in ("good", "bad", "fine")]
CARD = "#training-progress:not([hidden])"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Endpoints that may be changed."""
    folder = tmp_path_factory.mktemp("following")
    tiny_model(folder / "sentiment")
    tiny_model(folder / "base", None)
    endpoints = {
        "sentiment": text_model("sentiment", "SentimentAnalysis", "sentiment"),
        "base": text_model("base", "SentimentAnalysis", "base"),
        "titanic": titanic_endpoint(),
    }
    with serving(folder, endpoints, workers=1) as live:
        yield live


def store_of(live, name):
    return EndpointStore(live.config.parent / "models" / name)


def test_steps_and_loss_of_somebody_elses_training_are_shown_while_the_page_is_used(own, visit):
    page = visit(f"{own.url}/sentiment")
    store = store_of(own, "sentiment")
    with store.training.held():
        store.save_progress("r", {"step": 120, "of": 250, "loss": 0.4137})
        page.wait_for_selector(CARD)
        said = "Training: step 120 of 250, loss 0.41. Until it is over, the model before answers."
        assert page.inner_text("#training-told") == said
        assert page.locator(f"{CARD} progress").evaluate("bar => bar.value") == pytest.approx(0.48)
        store.save_progress("r", {"step": 1250, "of": 2500, "loss": 0.0321})
        page.wait_for_selector("#training-told:has-text('step 1,250 of 2,500, loss 0.032')")
        assert answer(page)
    store.discard("r")
    page.wait_for_selector("#announcement:has-text('A training has ended without a new model')")
    assert page.locator(CARD).count() == 0


def test_a_training_without_steps_is_shown_as_running(own, visit):
    page = visit(f"{own.url}/titanic", width=375)
    with store_of(own, "titanic").training.held():
        page.wait_for_selector(CARD)
        assert page.inner_text("#training-told").startswith("Training. Until it is over")
        assert page.locator(f"{CARD} progress").evaluate("bar => bar.hasAttribute('value')") is False
        assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_a_page_that_opens_during_a_training_follows_it(own, visit):
    store = store_of(own, "sentiment")
    with store.training.held():
        store.save_progress("r", {"step": 1, "of": 4, "loss": 1.0})
        page = visit(f"{own.url}/sentiment")
        page.wait_for_selector(f"{CARD} #training-told:text-is('Training: step 1 of 4, loss 1')")
        assert "A training is running" in page.inner_text("#reason")
    store.discard("r")
    page.wait_for_selector("#announcement:not([hidden])")
    assert page.locator("#reason").count() == 0


@pytest.mark.parametrize("name", ["sentiment", "titanic"])
def test_the_new_model_of_another_client_is_offered(own, visit, name):
    page = visit(f"{own.url}/{name}")
    page.wait_for_load_state("networkidle")
    rows = ROWS if name == "sentiment" else None
    with ThreadPoolExecutor() as pool:
        trained = pool.submit(requests.post, f"{own.url}/{name}?_action=train", json=rows, timeout=300)
        page.wait_for_selector("#announcement:has-text('the new model serves')", timeout=120_000)
        assert trained.result().status_code == 200
    page.click("#announcement button")
    page.wait_for_selector(".lead-line:has-text('trained just now')")
    assert answer(page)


def test_a_form_without_a_model_is_left_alone_until_its_user_wants_the_new_one(own, visit):
    page = visit(f"{own.url}/base")
    page.fill("#training-parameters", "seed=1")
    requests.post(f"{own.url}/base?_action=train", json=ROWS, timeout=300).raise_for_status()
    page.wait_for_selector("#announcement:has-text('the new model serves')")
    assert page.input_value("#training-parameters") == "seed=1"
    assert requests.delete(f"{own.url}/base?_model", timeout=60).status_code == 200


def test_the_form_trains_with_its_arguments_and_says_how_well(own, visit, tmp_path):
    (tmp_path / "rows.jsonl").write_text(
        "".join(f'{{"text": "{row["text"]}", "label": "{row["label"]}"}}\n' for row in ROWS)
    )
    page = visit(f"{own.url}/sentiment")
    tab(page, "training")
    # Long enough to be seen at work by a browser that hardly gets a processor.
    page.fill("[name=num_train_epochs]", "10")
    page.fill("[name=learning_rate]", "0.001")
    page.set_input_files("#training-files", tmp_path / "rows.jsonl")
    page.click("#training-form button[type=submit]")
    page.wait_for_selector("#training-form .work:has-text('Training')")
    assert say(page).startswith("Trained. Score ")
    params = requests.get(f"{own.url}/sentiment?_params", timeout=60).json()["params"]["params"]
    assert (params["num_train_epochs"], params["learning_rate"]) == (10, 0.001)
    # What is emptied goes back to its default.
    page.fill("[name=learning_rate]", "")
    page.click("#training-form button[type=submit]")
    wait_for(page, "document.querySelector('[name=learning_rate]').dataset.before === ''")
    params = requests.get(f"{own.url}/sentiment?_params", timeout=60).json()["params"]["params"]
    assert (params["num_train_epochs"], params["learning_rate"]) == (10, None)


def test_an_argument_out_of_range_is_refused_by_the_browser_and_the_server(own, visit):
    page = visit(f"{own.url}/sentiment", allowed={400})
    tab(page, "training")
    page.fill("[name=num_train_epochs]", "101")
    page.click("#training-form button[type=submit]")
    assert page.evaluate("document.querySelector('[name=num_train_epochs]').validity.rangeOverflow")
    page.fill("[name=num_train_epochs]", "0")
    page.click("#training-form button[type=submit]")
    page.wait_for_selector("#training-form .note-bad:has-text('num_train_epochs')")


def test_the_page_shows_the_first_model_of_a_base_as_soon_as_it_is_there(make_live, visit, tmp_path):
    tiny_model(tmp_path / "base", None)
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in ROWS))
    live = make_live({"base": text_model("base", "SentimentAnalysis", "base", data="rows.csv")}, ready=False)
    page = visit(f"{live.url}/base")
    page.wait_for_selector(".state-trained")
    assert answer(page)
