"""The libraries that decide whether a pickle reads the same."""

import logging
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

logger = logging.getLogger(__name__)
LIBRARIES = ("scikit-learn", "statsmodels", "pandas", "numpy", "scipy")


@cache
def versions() -> dict[str, str]:
    """The versions that decide whether a pickle reads the same."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def warn_if_other(path: Path, written_by: Mapping[str, str]) -> None:
    """Say in the log with which other versions a model file was written, if that is the case."""
    differing = {name: old for name, old in written_by.items() if versions().get(name) != old}
    if differing:
        now = {name: versions().get(name, "none") for name in differing}
        logger.warning(
            "%s was written with %s; this server has %s: retrain to be sure of its predictions",
            path,
            listed(differing),
            listed(now),
        )


def listed(known: Mapping[str, str]) -> str:
    """The versions as messages tell them."""
    return ", ".join(f"{name} {number}" for name, number in known.items())
