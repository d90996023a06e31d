"""Everything is pinned: what is named in the requirement files, and what that pulls."""

from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FILES = ("requirements-core.txt", "requirements.txt", "requirements-dev.txt")
# A torch for GPUs says exactly which of these it needs.
OF_GPUS = ("nvidia-", "cuda-")
TRITON = "triton"  # the compiler, not the client of the server


def lines(file: str) -> list[str]:
    written = (line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines())
    return [line for line in written if line and not line.startswith("-r ")]


def pulled(name: str, seen: set[tuple[str, str]], extra: str = "") -> Iterator[str]:
    """The package, and what it needs on this machine."""
    if (name, extra) in seen or name.startswith(OF_GPUS) or name == TRITON:
        return
    seen.add((name, extra))
    yield name
    for one in map(Requirement, requires(name) or ()):
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            for wanted in ("", *one.extras):
                yield from pulled(canonicalize_name(one.name), seen, wanted)


@pytest.mark.parametrize("count", range(1, len(FILES) + 1), ids=FILES)
def test_what_a_file_pulls_is_pinned_in_it_or_in_those_before_it(count):
    named = [Requirement(line) for file in FILES[:count] for line in lines(file)]
    pinned = {canonicalize_name(one.name) for one in named}
    wanted = [(canonicalize_name(one.name), extra) for one in named for extra in ("", *one.extras)]
    seen: set[tuple[str, str]] = set()
    assert {name for one, extra in wanted for name in pulled(one, seen, extra)} == pinned


@pytest.mark.parametrize("file", FILES)
def test_every_line_of_a_file_is_a_pin(file):
    for line in lines(file):
        assert [one.operator for one in Requirement(line).specifier] == ["=="], line
