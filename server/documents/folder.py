"""Folders below the folder of documents, and the files of each label. Nothing that leads out of them is followed."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from server.documents.names import format_of
from server.errors import BadRequest, Problem, and_more, did_you_mean

# Deeper than anybody encodes, so that a name of many % costs little.
ENCODINGS = 5
FORBIDDEN = (
    (re.compile("\0"), "holds a NUL character"),
    (re.compile(r"\\"), "holds a backslash; write / between folders"),
    (re.compile("^/"), "is absolute; it starts at the folder of documents"),
    (re.compile("^~"), "starts with ~, which is no folder of documents"),
    (re.compile("^[A-Za-z]:"), "starts with a drive; it starts at the folder of documents"),
    (re.compile(r"(^|/)\.\.(/|$)"), "leads out of the folder of documents by '..'"),
)
MINIMUM_OPTION = "min_size_label"


def documents_folder(root: Path, path: str) -> Path:
    """The folder `path` below `root`, with links resolved.

    Raises:
        BadRequest: the path leads out of `root`, in whatever spelling, or is no folder.
    """
    if not isinstance(path, str) or not path.strip():
        raise _wrong_path("names no folder; give one below the folder of documents")
    for spelling in _decoded(path):
        for pattern, wrong in FORBIDDEN:
            if pattern.search(spelling):
                raise _wrong_path(f"{path!r} {wrong}")
    try:
        top = root.resolve()
        folder = (top / path).resolve()
        inside, there = folder.is_relative_to(top), folder.is_dir()
    except (OSError, RuntimeError, ValueError):
        # A name too long, links in a ring, a character that no file name holds.
        inside, there = True, False
    if not inside:
        raise _wrong_path(f"{path!r} leads out of the folder of documents by a link")
    if not there:
        raise _wrong_path(f"{path!r} is no folder of documents{did_you_mean(path, _folders(root))}")
    return folder


def _wrong_path(wrong: str) -> BadRequest:
    return BadRequest(f"path {wrong}", [Problem("/path", wrong)])


def _decoded(path: str) -> Iterator[str]:
    """The path, and what it becomes when its percent-encoding is undone, and undone again."""
    for _ in range(ENCODINGS):
        yield path
        if (inner := unquote(path)) == path:
            return
        path = inner


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []


def label_folders(folder: Path, labels: Sequence[str], minimum: int) -> dict[str, list[Path]]:
    """The files in each label's subfolder, sorted by name; hidden ones and folders within are passed over.

    Files in unknown formats, links that lead elsewhere and what is no file are among them: reading lists them as not
    treated. They do not count towards the minimum.

    Raises:
        BadRequest: fewer than two labels, one that is empty, repeated or no name of a folder, one without a folder, or
            with fewer documents than the minimum; one problem for each.
    """
    problems = list(_wrong_labels(labels))
    if len(labels) < 2:
        problems.insert(0, Problem("/labels", f"labels: two or more are needed, and there are {len(labels)}"))
    files: dict[str, list[Path]] = {}
    wrong = {problem.pointer for problem in problems}
    for position, label in enumerate(labels):
        pointer = f"/labels/{position}"
        if pointer in wrong:
            continue
        try:
            files[label] = _files(folder, label)
            problems += _too_few(folder, files[label], label, minimum, pointer)
        except BadRequest as error:
            problems.append(Problem(pointer, error.detail))
    if problems:
        raise BadRequest(problems[0].detail + and_more(problems), problems)
    return files


def _wrong_labels(labels: Sequence[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for position, label in enumerate(labels):
        pointer = f"/labels/{position}"
        if not isinstance(label, str):
            yield Problem(pointer, f"label {label!r} is not text")
        elif not label.strip():
            yield Problem(pointer, "a label is empty; each names a folder")
        elif label in (".", "..") or any(sign in label for sign in "/\\\0"):
            yield Problem(pointer, f"label {label!r} leads out; it is the name of one folder")
        elif label in seen:
            yield Problem(pointer, f"label {label!r} stands there twice")
        else:
            seen.add(label)


def _files(folder: Path, label: str) -> list[Path]:
    try:
        top = folder.resolve()
        place = top / label
        if not place.is_dir():
            raise BadRequest(f"label {label!r} has no folder{did_you_mean(label, _folders(folder))}")
        if not place.resolve().is_relative_to(top):
            raise BadRequest(f"label {label!r} leads out of the folder of documents by a link")
        entries = [entry for entry in place.iterdir() if not entry.name.startswith(".")]
        return sorted(entry for entry in entries if entry.is_symlink() or not entry.is_dir())
    except (OSError, RuntimeError, ValueError) as error:
        raise BadRequest(f"label {label!r} has no folder that can be read") from error


def _is_file_inside(path: Path, top: Path) -> bool:
    try:
        return path.is_file() and path.resolve().is_relative_to(top)
    except (OSError, RuntimeError):
        return False


def _too_few(folder: Path, files: Sequence[Path], label: str, minimum: int, pointer: str) -> Iterator[Problem]:
    top = folder.resolve()
    count = sum(format_of(path) is not None and _is_file_inside(path, top) for path in files)
    if count < minimum:
        documents = "1 document" if count == 1 else f"{count} documents"
        yield Problem(pointer, f"label {label!r} has {documents}; {minimum} are needed ({MINIMUM_OPTION})")
