"""A model in transformers' format, and a hub of such models."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import Hub, hub_in_reach
from tests.tiny import tiny_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sequence classifier, to be copied before it is changed."""
    return tiny_model(tmp_path_factory.mktemp("tiny") / "sequence")


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the sequence classifier."""
    return Path(shutil.copytree(tiny, tmp_path / "texts" / "model"))


@pytest.fixture
def hub(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the model `org/tiny`, and an empty cache; the real hub is out of reach."""
    with hub_in_reach(monkeypatch, tmp_path / "cache") as hub:
        hub.repositories["org/tiny"] = model
        yield hub
