"""Experiments that users name, beside those of endpoints: looked at, deleted, and their models fetched."""

import json
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from server.config import Config
from server.errors import NoSuchRun, RunConflict
from server.service.run_book import ENDPOINT, MODEL, RunBook
from server.storage.files import Lock
from server.tracking import ENDED, Experiment, Run

DELETED = "deleted"
# What is noted of the runs that one call begins.
CALL = "call"
PAGE = 200


class ExperimentBook(RunBook):
    """The run book with the experiments of the ClassifierHandler."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        # Nothing may begin in an experiment that is being deleted: MLflow would restore it for the new run.
        self._changing = threading.Lock()

    def open_in(self, experiment: str, task: str, endpoint: str, name: str, tags: Mapping[str, str]) -> str:
        """Begin a run of the task, whose lock is held, in one of the endpoint's experiments or in a new one; its id.

        Raises:
            RunConflict: the name was deleted, or is that of somebody else's experiment.
        """
        with self._changing:
            self.check_free(experiment, endpoint)
            return self.open(task, endpoint, experiment, name, tags)

    def check_free(self, experiment: str, endpoint: str) -> None:
        """Accept a name that the endpoint has already, or that nobody has.

        Raises:
            RunConflict: the name was deleted, or is that of somebody else's experiment.
        """
        found = self._store.experiment(experiment)
        if found is not None and found.tags.get(ENDPOINT) != endpoint:
            raise RunConflict(f"there is an experiment {experiment!r} of somebody else; choose another name")
        if found is not None and found.is_deleted:
            raise RunConflict(f"the experiment {experiment!r} was deleted; delete it for good to use its name again")

    def experiment_runs(self, endpoint: str, experiment: str, limit: int) -> list[Run]:
        """The latest runs of one of the endpoint's experiments, newest first.

        Raises:
            NoSuchRun: the endpoint has no such experiment, or it was deleted.
        """
        found = self._experiment(endpoint, experiment)
        if found.is_deleted:
            raise NoSuchRun(f"the experiment {experiment!r} was deleted")
        self._settle_all()
        return self._store.runs([found.id], "", limit)[0]

    def latest_runs(self, endpoint: str, limit: int) -> list[tuple[str, Run]]:
        """The latest run of each of the endpoint's experiments, with the experiment's name; newest first."""
        self._settle_all()
        names = {one.id: one.name for one in self._store.experiments() if one.tags.get(ENDPOINT) == endpoint}
        latest: dict[str, Run] = {}
        page = None
        while len(latest) < min(limit, len(names)):
            runs, page = self._store.runs(list(names), "", PAGE, page)
            for run in runs:
                latest.setdefault(run.experiment_id, run)
            if page is None:
                break
        return [(names[run.experiment_id], run) for run in latest.values()][:limit]

    def delete_run(self, endpoint: str, run_id: str) -> None:
        """Mark one of the endpoint's runs as deleted.

        Raises:
            NoSuchRun, RunConflict: there is none, it goes on, or it was deleted before; the word says which.
        """
        try:
            run = self._store.run(run_id)
        except NoSuchRun as error:
            raise NoSuchRun("not found") from error
        if run.tags.get(ENDPOINT) != endpoint:
            raise NoSuchRun("not found")
        if run.lifecycle_stage == DELETED:
            raise RunConflict(DELETED)
        self._settle_of(run)
        status = self._store.run(run_id).status
        if status not in ENDED:
            raise RunConflict(status.value)
        self._store.delete_run(run_id)

    def delete_experiment(self, endpoint: str, name: str, for_good: bool) -> None:
        """Mark one of the endpoint's experiments as deleted; or remove it, deleted before or not, and its artifacts.

        Raises:
            NoSuchRun, RunConflict: there is none, a run goes on, or it was deleted before; the word says which.
        """
        with self._changing:
            try:
                found = self._experiment(endpoint, name)
            except NoSuchRun as error:
                raise NoSuchRun("not found") from error
            if found.is_deleted and not for_good:
                raise RunConflict(DELETED)
            self._settle_all()
            goes_on = " AND ".join(f"attributes.status != '{status}'" for status in sorted(ENDED))
            busy = self._store.runs([found.id], goes_on, 1)[0]
            if busy:
                raise RunConflict(busy[0].status.value)
            if for_good:
                self._store.purge_experiment(found)
            else:
                self._store.delete_experiment(found)

    def _beside(self, task: str) -> list[str]:
        """The other run of the same call, also while no process works on them yet."""
        call = self._active.facts(task).get(CALL)
        if call is None:
            return []
        return [one for one in self._active.tasks() if one != task and self._active.facts(one).get(CALL) == call]

    def _experiment(self, endpoint: str, name: str) -> Experiment:
        found = self._store.experiment(name)
        if found is None or found.tags.get(ENDPOINT) != endpoint:
            raise NoSuchRun(f"there is no experiment {name!r}")
        return found

    def model_path(self, run: Run, cache: Path) -> Path:
        """The run's model: where the store keeps it, or a copy in the folder `cache` if that is another machine.

        Raises:
            NoSuchRun: the run holds no model.
        """
        location = urlsplit(run.artifact_uri)
        folder = Path(unquote(location.path)) / MODEL if location.scheme == "file" else cache / run.id / MODEL
        if not folder.is_dir():
            if location.scheme == "file":
                raise NoSuchRun(f"run {run.id} holds no model")
            with Lock(cache / f"{run.id}.lock").held():
                self._store.fetch_artifact(run.id, MODEL, cache / run.id)
        file = folder / "model.pkl"
        return file if file.is_file() else folder

    def document(self, run: str, name: str) -> Any:
        """A JSON artifact of the run; None if it has no such artifact."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                return json.loads(self._store.fetch_artifact(run, name, Path(folder)).read_text(encoding="utf-8"))
            except NoSuchRun:
                return None
