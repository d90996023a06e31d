"""Processes to kill, and what an endpoint's folder holds."""

from pathlib import Path
from typing import Any

import pytest

from server.errors import TrainingFailed
from server.jobs import ProcessRunner
from server.storage.endpoint_store import EndpointStore


@pytest.fixture(scope="session")
def runner():
    """Runs functions of tests.storage.dying in processes of their own."""
    runner = ProcessRunner(["tests.storage.dying"])
    yield runner
    runner.close()


def contents(folder: Path) -> tuple[Any, ...]:
    """Rows, model and settings of an endpoint: all that a publication changes."""
    store = EndpointStore(folder)
    model = store.model.path.read_bytes() if store.model.path.exists() else None
    return store.data.read().to_dict("list"), model, store.settings()


def dies(runner: ProcessRunner, function: Any, *arguments: Any) -> bool:
    """Whether the function's process died before its end."""
    try:
        runner.run(function, *arguments)
    except TrainingFailed:
        return True
    return False
