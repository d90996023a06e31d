"""What there is to learn from below the folder of documents, at a glance."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from server.documents.names import format_of

# A glance must not take seconds, whatever lies there.
MOST_DATASETS, MOST_LABELS, MOST_FILES = 50, 200, 10_000


@dataclass(frozen=True)
class Dataset:
    """A folder of labels' folders: its path below the folder of documents, and documents by label.

    Of a label with more than MOST_FILES files only so many are looked at.
    """

    path: str
    labels: dict[str, int]


def datasets(root: Path) -> list[Dataset]:
    """The folder itself and those in it that hold folders with documents, sorted by name; links are passed over."""
    top = [Dataset(".", _labels(root))]
    below = (Dataset(folder.name, _labels(Path(folder.path))) for folder in islice(_folders(root), MOST_DATASETS))
    return [found for found in (*top, *below) if found.labels]


def _labels(folder: Path) -> dict[str, int]:
    counts = {label.name: _documents(label) for label in islice(_folders(folder), MOST_LABELS)}
    return {label: count for label, count in counts.items() if count}


def _documents(folder: os.DirEntry[str]) -> int:
    return sum(
        entry.is_file(follow_symlinks=False) and format_of(Path(entry.name)) is not None
        for entry in islice(_entries(folder), MOST_FILES)
    )


def _folders(folder: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    found = (entry for entry in _entries(folder) if entry.is_dir(follow_symlinks=False))
    yield from sorted(found, key=lambda entry: entry.name)


def _entries(folder: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    """What can be listed and has a name in Unicode; hidden ones are passed over."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith(".") and entry.name.isprintable())
    except OSError:
        return
