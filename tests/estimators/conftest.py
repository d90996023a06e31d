"""A model in transformers' format."""

import shutil
from pathlib import Path

import pytest

from tests.tiny import tiny_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sequence classifier, to be copied before it is changed."""
    return tiny_model(tmp_path_factory.mktemp("tiny") / "sequence")


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the sequence classifier."""
    return Path(shutil.copytree(tiny, tmp_path / "texts" / "model"))
