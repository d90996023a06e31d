"""The model of an endpoint: a folder in transformers' format, or a joblib pickle that any environment loads.

The facts of a pickle's training are behind its end. Layout: pickle, facts as JSON, length of the facts
(8 bytes, big-endian), MAGIC, and the digest of all that (`trust`). A pickle ends at its STOP opcode, so joblib.load
never sees the rest; the facts are read without unpickling anything. One file is one unit: pickle, schema, options, run
and digest cannot come apart.
"""

import json
import os
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import Any

from server.storage.files import move_whole
from server.storage.model_folder import ModelFolder
from server.storage.trust import ANY, Trust, content_end

MAGIC = b"RESTIMATOR-MODEL"
MOST_FACTS = 64 * 2**20

Signature = tuple[int, ...]


class ModelStore:
    """The serving model of one endpoint: the file at `path`, or else the folder.

    `vectorizer` is the file that a classifier of texts may need beside it.
    """

    def __init__(
        self, path: Path, vectorizer: Path | None = None, folder: Path | None = None, trust: Trust = ANY
    ) -> None:
        self.path = path
        self.trust = trust
        self.vectorizer = vectorizer
        self.folder = ModelFolder(folder or path.with_name("model"), trust)

    def signature(self) -> Signature | None:
        """Changes whenever a file is replaced or rewritten; None when there is no model."""
        # While one takes the other's place, a single look can find neither.
        return self._look() or self._look()

    def _look(self) -> Signature | None:
        model = _signature(self.path)
        if model is None:
            return self.folder.signature()
        if self.vectorizer is None:
            return model
        return model + (_signature(self.vectorizer) or ())

    def location(self) -> Path:
        """The file or the folder that serves; what a link to a folder names, since the link may change."""
        return self.path if self.path.exists() else self.folder.path.resolve()

    def facts(self) -> dict[str, Any] | None:
        """What this server recorded with the model; None for one that it did not write."""
        try:
            return read_facts(self.path)
        except FileNotFoundError:
            return self.folder.facts()

    def staged(self, run: str) -> Path:
        """Where a run's model waits: beside the serving one, so that publishing needs no space and is one step."""
        return self.path.with_name(f".{self.path.name}.{run}")

    def stage(self, run: str, save: Callable[[Path], None], facts: dict[str, Any]) -> None:
        """Write and seal a run's model."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        save(self.staged(run))
        seal(self.staged(run), facts)
        self.trust.sign(self.staged(run))

    def publish(self, run: str) -> None:
        """Let the run's model serve, for every worker at its next request; done before, this does nothing."""
        if self.folder.staged(run).exists():
            self.folder.publish(run)
            # As long as there is a file, it serves: this is the one step.
            self.path.unlink(missing_ok=True)
        elif self.staged(run).exists() or self._is_of(run):
            if self.staged(run).exists():
                move_whole(self.staged(run), self.path)
            # Also where a death came in between: the file serves, and the folder would stay for ever.
            self.folder.delete()

    def _is_of(self, run: str) -> bool:
        """Whether the file was published by this run."""
        try:
            return (read_facts(self.path) or {}).get("run") == run
        except FileNotFoundError:
            return False

    def discard(self, run: str) -> None:
        """Forget a run's model, unless it serves."""
        self.staged(run).unlink(missing_ok=True)
        self.folder.discard(run)

    def leftovers(self) -> list[Path]:
        """Models that wait to be published, or that nobody will publish any more."""
        files = set(self.path.parent.glob(f".{escape(self.path.name)}.*"))
        return [*files, *(set(self.folder.leftovers()) - files)]

    def delete(self) -> bool:
        """Remove the model; whether there was one."""
        existed = self.signature() is not None
        self.path.unlink(missing_ok=True)
        self.folder.delete()
        return existed


def _signature(path: Path) -> Signature | None:
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def seal(path: Path, facts: dict[str, Any]) -> None:
    """Write the facts behind the pickle in the file."""
    text = json.dumps(facts, ensure_ascii=False).encode()
    with path.open("ab") as file:
        file.write(text + len(text).to_bytes(8, "big") + MAGIC)


def read_facts(path: Path) -> dict[str, Any] | None:
    """The facts in a sealed file, None in any other.

    Raises:
        FileNotFoundError: there is no such file.
    """
    with path.open("rb") as file:
        end = content_end(file)
        tail = 8 + len(MAGIC)
        if end < tail:
            return None
        file.seek(end - tail)
        length = int.from_bytes(file.read(8), "big")
        if file.read(len(MAGIC)) != MAGIC or not 0 < length <= min(end - tail, MOST_FACTS):
            return None
        file.seek(end - tail - length)
        try:
            facts = json.loads(file.read(length))
        except ValueError:
            return None
    return facts if isinstance(facts, dict) else None
