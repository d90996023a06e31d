"""The model folder of a text model, in transformers' format, with the facts of its training beside the weights.

A training publishes a link to the folder of its run: a link takes another's place in one step, which a folder
cannot. A folder that a user put there serves as well.
"""

import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from glob import escape
from pathlib import Path
from typing import IO, Any

from server.errors import ModelMissing
from server.storage.files import flush_folder, flush_tree, read_json, write_json
from server.storage.trust import ANY, Trust

FACTS = "restimator.json"
# How long a user's folder may be away while a training's link takes its place, in seconds.
EXCHANGE = 0.2


class ModelFolder:
    """The folder at `path`, or the link to one."""

    def __init__(self, path: Path, trust: Trust = ANY) -> None:
        self.path = path
        self._trust = trust
        self._outgoing = path.with_name(f".{path.name}.outgoing")

    def signature(self) -> tuple[int, ...] | None:
        """Changes whenever the folder or a file in it is replaced or rewritten; None when there is no model in it."""
        deadline = time.monotonic() + EXCHANGE
        while True:
            try:
                return tuple(self._numbers()) or None
            except (FileNotFoundError, NotADirectoryError):
                # Who replaces it needs two steps if it is no link; deleting removes it in between, too.
                replaced = self.path.is_dir() or self._outgoing.is_dir()
                if not replaced or time.monotonic() > deadline:
                    return None
                time.sleep(0.001)

    def _numbers(self) -> Iterator[int]:
        with os.scandir(self.path) as found:
            files = sorted(found, key=lambda entry: entry.name)
        # Any other folder may bear this name, too.
        for file in files if any(file.name == "config.json" for file in files) else ():
            status = file.stat()
            yield from (status.st_mtime_ns, status.st_size, status.st_ino)

    def facts(self) -> dict[str, Any] | None:
        """What this server recorded with the model; None for a folder that it did not write."""
        try:
            return read_json(self.path / FACTS)
        except (ValueError, NotADirectoryError):
            return None

    def staged(self, run: str) -> Path:
        """Where a run's model waits, and stays when it is published."""
        return self.path.with_name(f".{self.path.name}.{run}")

    def stage(self, run: str, save: Callable[[Path], None], facts: dict[str, Any]) -> None:
        """Write a run's model and its facts."""
        folder = self.staged(run)
        folder.mkdir(parents=True, exist_ok=True)
        save(folder)
        write_json(folder / FACTS, facts)
        self._trust.sign(folder)
        flush_tree(folder)

    def publish(self, run: str) -> None:
        """Let the run's model serve; done before, this does nothing."""
        staged = self.staged(run)
        if not staged.is_dir() or self._live() == staged.name:
            return
        link = self.path.with_name(f".{self.path.name}.link")
        link.unlink(missing_ok=True)
        link.symlink_to(staged.name, target_is_directory=True)
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self._outgoing, ignore_errors=True)
            os.rename(self.path, self._outgoing)
        os.replace(link, self.path)
        flush_folder(self.path.parent)
        self.sweep()

    def discard(self, run: str) -> None:
        """Forget a run's model, unless it serves."""
        if self._live() != self.staged(run).name:
            shutil.rmtree(self.staged(run), ignore_errors=True)

    def leftovers(self) -> list[Path]:
        """Folders that wait to be published, that were replaced, or that nobody will publish any more."""
        live = self._live()
        beside = self.path.parent.glob(f".{escape(self.path.name)}.*")
        return [path for path in beside if path.is_dir() and path.name != live]

    def sweep(self) -> None:
        """Remove the folders that served before; those of trainings under way hold no facts yet."""
        for folder in self.leftovers():
            if folder == self._outgoing or (folder / FACTS).exists():
                shutil.rmtree(folder, ignore_errors=True)

    def delete(self) -> None:
        """Remove the model, if there is one."""
        live = self._live()
        if live is None and not self.path.is_dir():
            return
        os.rename(self.path, self._outgoing) if live is None else self.path.unlink()
        shutil.rmtree(self._outgoing if live is None else self.path.with_name(live), ignore_errors=True)

    def _live(self) -> str | None:
        """The name of the folder that the link names."""
        try:
            return os.readlink(self.path)
        except OSError:
            return None


def zipped(folder: Path, name: str) -> IO[bytes]:
    """The folder as a zip in a temporary file, under this name; weights do not shrink, so nothing is packed.

    Raises:
        ModelMissing: it was replaced or deleted meanwhile.
    """
    with ExitStack() as opened:
        sink = opened.enter_context(tempfile.TemporaryFile())
        try:
            with zipfile.ZipFile(sink, "w") as archive:
                for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                    archive.write(file, Path(name) / file.relative_to(folder))
        except FileNotFoundError as error:
            raise ModelMissing("the model was replaced while it was read; ask again") from error
        # The answer's last byte closes it.
        opened.pop_all()
    sink.seek(0)
    return sink
