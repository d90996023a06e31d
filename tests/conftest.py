"""config → app → client, all on tmp_path, with trainings run inline."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from server.app import create_app
from server.config import Config, load_config
from server.jobs import Afterwards, InlineRunner, Runner
from tests.postgres import Postgres, programs
from tests.stores import fresh_store
from tests.tiny import tiny_model
from tests.waiting import SECONDS, until

ROOT = Path(__file__).parents[1]
TITANIC_MODEL = {
    "class": "LogisticRegression",
    "target_col": "Survived",
    "exclude": ["PassengerId", "Ticket", "Cabin", "Name"],
    "cats": ["Embarked", "SibSp", "Parch", "Pclass", "Sex"],
}
ROW = {"Sex": "male", "Age": 22, "SibSp": 1, "Parch": 0, "Fare": 7.25, "Pclass": 3, "Embarked": "S"}


class BriefRunner(InlineRunner):
    """Leaves out what comes once a training was answered: scores on rows held out, and pictures."""

    def run(self, function: Any, *arguments: Any, **_: Any) -> Any:
        result = function(*arguments)
        return result.result if isinstance(result, Afterwards) else result


def write_config(folder: Path, values: dict[str, Any]) -> Path:
    """A config.yaml in the folder, with the example data beside it and an empty store of runs."""
    fresh_store(folder / "models")
    shutil.copytree(ROOT / "data", folder / "data", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "*.md"))
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def titanic_endpoint(**kwargs: Any) -> dict[str, Any]:
    """The titanic endpoint of the guide, with kwargs changed."""
    values = {"data": {"url": "$YAMLPATH/data/titanic.csv"}, "model": TITANIC_MODEL} | kwargs
    return {"pattern": "/$YAMLURL/titanic", "handler": "MLHandler", "kwargs": values}


def wait_until_ready(client: Any, url: str = "/readyz") -> None:
    """Ask until the first trainings are over."""
    join_first_trainings()
    until(lambda: client.get(url).status_code == 200, told=lambda: client.get(url).get_data(as_text=True))


def join_first_trainings() -> None:
    """Wait for the threads of first trainings that requests have begun; to ask would slow them down."""
    for thread in threading.enumerate():
        if thread.name.startswith("first training of "):
            thread.join(SECONDS)


def wait_for_trainings(app: Any) -> None:
    """Look until no endpoint is trained; a request for each look would take a tenth of all the tests' time."""
    for endpoint in app.extensions["restimator"].endpoints.values():
        until(lambda endpoint=endpoint: endpoint.progress() is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """In CI nothing may be skipped: what a test needs is installed there, or the set-up is broken."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped in CI: {report.longrepr}"
    return report


class Failures:
    """Tells each failure at once: a suite of many minutes may be ended before it sums up."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            told = crash.message if crash else str(report.longrepr)
            self._terminal.ensure_newline()
            self._terminal.write_line(f"{report.nodeid}, {report.when}: {told.strip()[:500]}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    # A process of pytest-xdist has none; what it runs is told by the process that began it.
    if terminal:
        config.pluginmanager.register(Failures(terminal))


@pytest.fixture
def make_config(tmp_path: Path):
    """load_config of the given values; the file lies in tmp_path."""

    def make(values: dict[str, Any], environment: dict[str, str] | None = None) -> Config:
        return load_config(write_config(tmp_path, values), environment or {})

    return make


@pytest.fixture
def make_client(make_config):
    """A test client for the given endpoints (name → entry), ready unless `wait` is false."""

    def make(url: dict[str, Any], wait: bool = True, runner: Runner | None = None, **server: Any):
        app = create_app(make_config({"url": url, "server": server}), runner or BriefRunner())
        app.testing = False  # errors take another way in testing mode than users see
        client = app.test_client()
        if wait:
            # The first request begins the first trainings.
            client.get("/readyz")
            wait_until_ready(client)
            # A model serves a moment before its training is over, and ?_params tells both.
            wait_for_trainings(app)
        return client

    return make


@pytest.fixture
def client(make_client):
    """A client of a server with the guide's titanic endpoint, trained."""
    return make_client({"titanic": titanic_endpoint()})


@pytest.fixture(scope="session")
def titanic() -> pd.DataFrame:
    """The 891 passengers."""
    return pd.read_csv(ROOT / "data" / "titanic.csv")


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory) -> Path:
    """A folder with the tiny text models `sentiment`, `ner`, and `base`, which has no head and learns fast."""
    folder = tmp_path_factory.mktemp("tiny_models")
    tiny_model(folder / "sentiment")
    tiny_model(folder / "ner", "token")
    tiny_model(folder / "base", None, initializer_range=0.02)
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL's initdb is not installed")
    server = Postgres(found)
    server.start()
    yield server
    server.stop()
