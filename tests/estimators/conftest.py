"""A model in transformers' format, and a hub of such models."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import Hub, running_hub
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
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    with running_hub() as hub:
        hub.repositories["org/tiny"] = model
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        files = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
        yield hub
        close_session()
