"""Everything of one endpoint that survives a restart, and the one way in which a training changes it."""

import contextlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet

from server.schema.arrow import to_frame, to_table
from server.storage.files import Lock, move_whole, read_json, room_on_disk, write_json
from server.storage.model_store import ModelStore
from server.storage.training_data import TrainingData
from server.storage.trust import ANY, Trust

logger = logging.getLogger(__name__)
STALE_STAGING = 600.0
AUTHOR = "restimator"
PROGRESS = "progress.json"


class EndpointStore:
    """The folder of an endpoint: config.json, model.pkl or model/, training_data/.

    `training` is held by the process that trains, until it has an answer, and `details` while it then looks
    at what it trained; `change` for the moment of a change. Who needs both takes `training` first.
    """

    def __init__(
        self,
        folder: Path,
        model_path: Path | None = None,
        vectorizer: Path | None = None,
        model_folder: Path | None = None,
        trust: Trust = ANY,
    ) -> None:
        self.folder = folder
        self.training = Lock(folder / ".locks" / "training.lock")
        self.details = Lock(folder / ".locks" / "details.lock")
        self.change = Lock(folder / ".locks" / "change.lock")
        self.model = ModelStore(model_path or folder / "model.pkl", vectorizer, model_folder, trust)
        self.data = TrainingData(folder / "training_data", Lock(folder / ".locks" / "data.lock"))
        self._settings = folder / "config.json"
        self._state = folder / "state.json"
        self._journal = folder / "publication.json"
        self._serves = folder / ".locks" / "training.serves"

    def settings(self) -> dict[str, Any]:
        """What was changed over HTTP: {"transform": {options}, "model": {"class", "params"}}, and who wrote it.

        Raises:
            ValueError: config.json is no JSON object.
        """
        return read_json(self._settings) or {}

    def save_settings(self, transform: Mapping[str, Any], model: Mapping[str, Any]) -> None:
        """Write config.json; the caller is `changing`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._settings, own({"transform": dict(transform), "model": dict(model)}))

    def state(self) -> dict[str, Any]:
        """Why there is no model: {"state": "deleted"} or {"state": "failed", "reason": …}; else empty."""
        return read_json(self._state) or {}

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Remember why there is no model; nothing to remember removes the file."""
        if not state:
            self._state.unlink(missing_ok=True)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with room_on_disk(self.folder):
            write_json(self._state, state)

    def stage(self, run: str) -> Path:
        """A folder for what a training makes before it is published."""
        folder = self.folder / "staging" / run
        with room_on_disk(self.folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def stage_rows(self, run: str, rows: pd.DataFrame) -> None:
        """Keep the rows posted for a training until it succeeds."""
        with room_on_disk(self.folder):
            pyarrow.parquet.write_table(to_table(rows), self.stage(run) / "rows.parquet")

    def staged_rows(self, run: str) -> pd.DataFrame | None:
        """The rows kept for this training, if any."""
        path = self.folder / "staging" / run / "rows.parquet"
        return to_frame(pyarrow.parquet.read_table(path)) if path.exists() else None

    def stage_model(
        self, run: str, save: Callable[[Path], None], facts: dict[str, Any], is_folder: bool = False
    ) -> None:
        """Keep the trained model, a file or a folder, until it is published."""
        place = self.model.folder if is_folder else self.model
        with room_on_disk(place.path.parent):
            place.stage(run, save, facts)

    def staged_model(self, run: str, is_folder: bool = False) -> Path:
        """The trained model that waits to be published: a folder, or a file called model.pkl."""
        if is_folder:
            return self.model.folder.staged(run)
        staged, named = self.model.staged(run), self.stage(run) / "model.pkl"
        try:
            os.link(staged, named)
        except OSError:
            # Another disk, or one that has no links.
            with room_on_disk(self.folder):
                shutil.copyfile(staged, named)
        return named

    def adopt_model(self, run: str, fetched: Path) -> None:
        """Let a model that was trained before, a file or a folder, wait to be published; it is moved."""
        with room_on_disk(self.folder):
            staged = (self.model.folder if fetched.is_dir() else self.model).staged(run)
            staged.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(fetched, staged)

    def begin_training(self) -> None:
        """Who holds `training` begins with it."""
        self._serves.unlink(missing_ok=True)

    def end_training(self) -> None:
        """The model of who holds `training` serves; what is left is to record it."""
        with contextlib.suppress(OSError):
            self._serves.touch()

    def is_training(self) -> bool:
        """Whether a training is at work whose model does not serve yet."""
        return self.training.is_held() and not self._serves.exists()

    def save_progress(self, run: str, progress: Mapping[str, Any]) -> None:
        """Tell how far a training is; who reads it sees the whole of it, but a loss of power may lose it."""
        path = self.stage(run) / PROGRESS
        beside = path.with_suffix(".new")
        with room_on_disk(self.folder):
            beside.write_text(json.dumps(progress))
        os.replace(beside, path)

    def progress(self) -> dict[str, Any] | None:
        """How far the running training is: run, step, of, loss, each None while it is not told; None if none runs."""
        if not self.training.is_held():
            return None
        try:
            told = sorted((path.stat().st_mtime_ns, path) for path in (self.folder / "staging").glob(f"*/{PROGRESS}"))
            found = {"run": told[-1][1].parent.name, **(read_json(told[-1][1]) or {})} if told else {}
        except (ValueError, OSError):
            # It ended, and took its notes with it.
            found = {}
        return dict.fromkeys(("run", "step", "of", "loss")) | found

    def discard(self, run: str) -> None:
        """Forget what a training staged."""
        shutil.rmtree(self.folder / "staging" / run, ignore_errors=True)
        self.model.discard(run)

    def discard_unpublished(self, run: str) -> None:
        """Forget what was staged, unless its publication has begun."""
        if not self._journal.exists():
            self.discard(run)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold `change`, with everything that was begun before finished, and say clearly when the disk is full."""
        with room_on_disk(self.folder), self.change.held():
            # Whoever wrote this journal held `change` until the end, or is dead.
            if self._journal.exists():
                self._finish()
            yield

    def publish(self, run: str, change: Callable[[dict[str, Any]], dict[str, Any]] | None) -> None:
        """Make the staged rows, model and changed settings the endpoint's own: all, whatever dies meanwhile.

        What needs space is written first. The journal is the point of no return: from there on, whoever
        comes next finishes what was begun.
        """
        with self.changing():
            if change is not None:
                write_json(self.stage(run) / "config.json", own(change(self.settings())))
            write_json(self._journal, {"run": run})
            try:
                self._publish_rows(run)
            except BaseException:
                self._journal.unlink(missing_ok=True)
                raise
            self._apply(run)

    def has_published(self, run: str) -> bool:
        """Whether the run's model has become the endpoint's, told until `forget_published`."""
        return self._published(run).exists()

    def forget_published(self, run: str) -> None:
        """It is recorded elsewhere that the run was published."""
        self._published(run).unlink(missing_ok=True)

    def _published(self, run: str) -> Path:
        return self.folder / f".published.{run}"

    def recover(self) -> None:
        """Finish a publication that a death interrupted, and clear what dead trainings left."""
        if self._journal.exists():
            with self.changing():
                pass
        if (self.folder / "staging").is_dir() or self.model.leftovers():
            with self.training.held(wait=False) as alone:
                if alone:
                    self._clear_staging()

    def _finish(self) -> None:
        try:
            journal = read_json(self._journal) or {}
        except ValueError:
            journal = {}
        if "run" in journal:
            logger.info("%s: finishing the publication of run %s", self.folder.name, journal["run"])
            self._apply(journal["run"])
        self._journal.unlink(missing_ok=True)

    def _publish_rows(self, run: str) -> None:
        rows = self.staged_rows(run)
        if rows is not None and self.data.last_run() != run:
            self.data.replace(rows, run)

    def _apply(self, run: str) -> None:
        """Each step may have been done before; doing it again changes nothing."""
        self._publish_rows(run)
        self.model.publish(run)
        settings = self.folder / "staging" / run / "config.json"
        if settings.exists():
            move_whole(settings, self._settings)
        self.save_state({})
        self._published(run).touch()
        self._journal.unlink(missing_ok=True)
        self.discard(run)

    def _clear_staging(self) -> None:
        folder = self.folder / "staging"
        runs = list(folder.iterdir()) if folder.is_dir() else []
        for left in runs + self.model.leftovers():
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > STALE_STAGING:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()


def read_gramex_data(folder: Path) -> pd.DataFrame | None:
    """The training data that Gramex kept in data.h5, if there is such a file.

    Raises:
        OSError, KeyError, ValueError: the file cannot be read.
    """
    path = folder / "data.h5"
    if not path.exists():
        return None
    rows = pd.read_hdf(path, key="data")
    assert isinstance(rows, pd.DataFrame)
    rows = rows.reset_index(drop=True)
    rows.columns = [str(name) for name in rows.columns]
    return to_frame(to_table(rows))


def is_own(settings: Mapping[str, Any]) -> bool:
    """Whether this server wrote the config.json, and not Gramex."""
    return settings.get("written_by") == AUTHOR


def own(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings marked as this server's."""
    return {"written_by": AUTHOR, **settings}
