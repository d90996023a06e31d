"""Debian's Chromium, watched: what goes wrong on a page fails the test that opened it."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.conftest import titanic_endpoint
from tests.live.conftest import LiveServer, make_live, serving  # noqa: F401 - a fixture
from tests.tiny import tiny_model

HOSTILE = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(2)>"


def ml(pattern: str, data: str, **model: Any) -> dict[str, Any]:
    return {"pattern": pattern, "handler": "MLHandler", "kwargs": {"data": data, "model": model}}


IRIS = "$YAMLPATH/data/iris.csv"
FORECAST = {"class": "SARIMAX", "index_col": "index", "target_col": "R", "params": {"order": [1, 1, 0]}}
ENDPOINTS = {
    "titanic": titanic_endpoint(),
    "width": ml("/width", IRIS, **{"class": "Ridge", "target_col": "petal_width"}),
    "components": ml("/components", IRIS, **{"class": "PCA", "params": {"n_components": 2}, "exclude": ["species"]}),
    "clusters": ml("/clusters", IRIS, **{"class": "KMeans", "params": {"n_clusters": 3}, "exclude": ["species"]}),
    "forecast": ml("/forecast", "$YAMLPATH/data/inflation.csv", **FORECAST),
    "reviews": {
        "pattern": "/reviews",
        "handler": "TextHandler",
        "kwargs": {"data": "$YAMLPATH/data/reviews.csv", "labels": {0: "Negative", 1: "Positive"}},
    },
    "hostile": ml("/hostile", "hostile.csv", **{"class": "DecisionTreeClassifier", "target_col": IMAGE}),
    "wide": ml("/wide", "wide.csv", **{"class": "Ridge", "target_col": "y"}),
    "empty": {"pattern": "/empty", "handler": "MLHandler"},
}


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[LiveServer]:
    """One endpoint of each kind; only for what changes nothing."""
    folder = tmp_path_factory.mktemp("browser")
    hostile = {
        HOSTILE: [f"{HOSTILE}{i % 3}" for i in range(12)],
        'it\'s "$HOME" `id`': ["line\nbreak", "ünïcode €", "a&b=c+d#e%41"] * 4,
        "addEventListener": range(12),
        "_private": range(12),
        IMAGE: [IMAGE, "no"] * 6,
    }
    pd.DataFrame(hostile).to_csv(folder / "hostile.csv", index=False)
    names = [f"column {i}" for i in range(299)] + ["x" * 300]
    pd.DataFrame({name: [float(i), float(i % 3)] * 3 for i, name in enumerate(names)}).assign(y=range(6)).to_csv(
        folder / "wide.csv", index=False
    )
    with serving(folder, ENDPOINTS) as live:
        yield live


# Types of entities are other people's words, too.
TYPES = ("O", "B-PER", "I-PER", f"B-{IMAGE}", f"I-{IMAGE}")


def text_model(name: str, class_name: str, folder: str, **kwargs: Any) -> dict[str, Any]:
    """An endpoint of a text model whose weights lie in this folder beside the configuration."""
    model = {"class": class_name, "params": {"model": f"$YAMLPATH/{folder}"}}
    return {"pattern": f"/{name}", "handler": "MLHandler", "kwargs": {"model": model, **kwargs}}


def text_weights(folder: Path) -> None:
    """The folders sentiment and entities, with weights that nobody trained."""
    tiny_model(folder / "sentiment")
    tiny_model(folder / "entities", "token", labels=TYPES)


@pytest.fixture(scope="session")
def texts(tmp_path_factory) -> Iterator[LiveServer]:
    """Text models of each kind with pretrained weights, and one without; only for what changes nothing."""
    folder = tmp_path_factory.mktemp("texts")
    text_weights(folder)
    task = {"backend": "transformers", "task": "sentiment-analysis"}
    params = {"params": {"model": "$YAMLPATH/sentiment"}}
    endpoints = {
        "sentiment": text_model("sentiment", "SentimentAnalysis", "sentiment"),
        "task": {"pattern": "/task", "handler": "MLHandler", "kwargs": {**task, "model": params}},
        "entities": text_model("entities", "NER", "entities"),
        "words": {
            "pattern": "/words",
            "handler": "TextHandler",
            "kwargs": {
                "labels": {"POSITIVE": "good", "NEGATIVE": "bad"},
                "model": {"class": "SentimentAnalysis", **params},
            },
        },
        "missing": {"pattern": "/missing", "handler": "MLHandler", "kwargs": {"model": {"class": "NER"}}},
    }
    with serving(folder, endpoints, ready=False, workers=1) as live:
        yield live


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-quic"])
        yield browser
        browser.close()


class Watch:
    """Notes what goes wrong on a page; answers of the `allowed` statuses are meant to come."""

    def __init__(self, page: Page, allowed: set[int]) -> None:
        self.found: list[str] = []
        self._allowed = allowed
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"script: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._response)
        page.on("dialog", self._dialog)
        page.on("request", self._request)

    def _failed(self, request: Any) -> None:
        # Who leaves a page cancels what it still loads; nothing has failed then.
        if request.failure != "net::ERR_ABORTED":
            self.found.append(f"failed: {request.url} {request.failure}")

    def _console(self, message: Any) -> None:
        told = message.text.startswith("Failed to load resource") and any(
            str(one) in message.text for one in self._allowed
        )
        if message.type in ("error", "warning") and not told:
            self.found.append(f"console: {message.text}")

    def _response(self, response: Any) -> None:
        if response.status >= 400 and response.status not in self._allowed:
            self.found.append(f"{response.status}: {response.url}")

    def _dialog(self, dialog: Any) -> None:
        self.found.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("blob", "data") and parts.hostname != "127.0.0.1":
            self.found.append(f"left the machine: {request.url}")


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Any]:
    """Open an address in a window of its own."""
    opened = []

    def open_(url: str, width: int = 1280, allowed: set[int] = frozenset(), **context: Any) -> Page:
        window = chromium.new_context(viewport={"width": width, "height": 800}, **context)
        page = window.new_page()
        # No test waits so long that does not fail; a page of a machine that is busy elsewhere may.
        page.set_default_timeout(120_000)
        watch = Watch(page, allowed)
        opened.append((window, watch))
        page.goto(url)
        return page

    yield open_
    for window, _ in opened:
        for page in window.pages:
            # What still loads then is of no interest; a route that fails at it would fail the next test.
            page.unroute_all(behavior="ignoreErrors")
        window.close()
    assert [found for _, watch in opened for found in watch.found] == []


def wait_for(page: Page, expression: str, argument: Any = None, seconds: float = 120) -> None:
    """Wait until the expression holds. Playwright's own way is eval, which the pages' policy forbids."""
    deadline = time.monotonic() + seconds
    found: Any = None
    while time.monotonic() < deadline:
        try:
            found = page.evaluate(expression, argument)
        except Error as error:
            # A page that loads itself anew has nothing to ask for a moment.
            found = error
        if found and not isinstance(found, Error):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{expression}: {found}")


def tab(page: Page, name: str) -> None:
    """Open a tab of an endpoint's page."""
    page.click(f"#{name}-tab")
    page.wait_for_selector(f"#{name}.active")


def answer(page: Page) -> str:
    """Ask by the form; the text of the answer."""
    page.click("#predict-form button[type=submit]")
    page.wait_for_selector("#answer .answer-value, #answer .pairs")
    return page.inner_text("#answer")


def say(page: Page) -> str:
    """What the page says of a change that it made, which has the focus then."""
    page.wait_for_selector("#announcement:not([hidden])")
    assert page.evaluate("document.activeElement.id") == "announcement"
    return page.inner_text("#announcement")
