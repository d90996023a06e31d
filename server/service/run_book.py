"""Every training as a run, from its beginning to a truthful end, whatever dies meanwhile."""

import getpass
import logging
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from server.config import Config
from server.errors import NoSuchRun, RunConflict, ServerError, TrackingUnavailable
from server.service.run_folder import active_runs, own_folder, run_counts
from server.service.stopping import stop, stop_overdue
from server.service.stores import open_store
from server.tracking import Experiment, Run, Status
from server.tracking.mlflow_store import MlflowStore

logger = logging.getLogger(__name__)
ENDPOINT, TASK, SERVER = "restimator.endpoint", "restimator.task", "restimator.server"
DIED = "the training process ended without an answer: it was killed, or memory ran out"
MODEL, PICTURES = "model", "pictures"
# Seconds until the end of what was cancelled is no longer waited for.
PATIENCE = 10.0
# Seconds until a store that could not be reached is asked again for what nobody waits for.
PAUSE = 30.0


class RunBook:
    """The runs of a server in MLflow. See `jobs.kept`: one process keeps it for all of the server.

    Its methods raise TrackingUnavailable when MLflow's store cannot be reached.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        artifacts = Path(config.server.models_dir) / "mlruns"
        self._next_tick = 0.0
        self._active = active_runs(config)
        self._counts = run_counts(config)
        self._store = MlflowStore(config.server.tracking_uri, artifacts, own_folder(config) / "store")

    def tick(self) -> bool:
        """End the runs that take too long, or that nobody works on any more; whether there are others."""
        stop_overdue(self._active, self._config.server.limits.training_minutes, self._is_published)
        if time.monotonic() >= self._next_tick:
            try:
                self._settle_all()
            except TrackingUnavailable:
                # Told in the log already; not once a second.
                self._next_tick = time.monotonic() + PAUSE
        return any(self._active.is_held(task) for task in self._active.tasks())

    def open(self, task: str, endpoint: str, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """Begin a run of the task, whose lock is held; its id.

        Raises:
            TrainingCancelled: whoever held the lock is gone.
        """
        user = getpass.getuser()
        # Whoever asks may die meanwhile; the task must not be found abandoned before its run is known.
        with self._active.joined(task):
            found = self._store.ensure_experiment(experiment, {ENDPOINT: endpoint})
            own = {ENDPOINT: endpoint, TASK: task, SERVER: self._active.identity()}
            source = {"mlflow.user": user, "mlflow.source.name": "restimator", "mlflow.source.type": "LOCAL"}
            # A call that is made again must not begin a second run.
            run = self._find(found, task) or self._store.create_run(found, name, own | source | dict(tags))
            self._active.note(task, {"run": run.id, "endpoint": endpoint, "experiment": found.id})
            return run.id

    def begin(self, run: str) -> None:
        """The run's work begins."""
        self._store.set_status(run, Status.RUNNING)

    def report(self, run: str, metrics: Mapping[str, float], step: int) -> None:
        """Metrics of one step."""
        self._store.log(run, metrics=metrics, step=step)

    def record(
        self,
        run: str,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        """What the run holds; `files` are put into folders of its artifacts, by the folders' names."""
        self._store.log(run, params, metrics, tags)
        for folder, path in (files or {}).items():
            self._store.log_artifact(run, path, folder)

    def end(self, task: str, run: str, status: Status, reason: str | None = None) -> None:
        """The task's run is over."""
        self._store.end(run, status, reason)
        self._count(task, status)
        self._forget(task, run)

    def settle(self, task: str) -> None:
        """End the task's run truthfully, if nobody works on it any more."""
        with self._active.abandoned(task) as abandoned:
            if not abandoned:
                return
            facts = self._active.facts(task)
            try:
                run = self._find_by_task(task) if "run" not in facts else self._store.run(facts["run"])
            except NoSuchRun:
                run = None
            # What was deleted in MLflow meanwhile has no end there.
            if run is None or run.lifecycle_stage == "deleted":
                self._forget(task, facts.get("run", ""))
                return
            if not run.has_ended:
                status, reason = self._ending(task, run)
                logger.info("%s: run %s was interrupted; it is %s", run.tags.get(ENDPOINT), run.id, status)
                self._store.end(run.id, status, reason)
                self._count(task, status)
            self._forget(task, run.id)

    def cancel(self, run_id: str) -> Run:
        """Stop the work on the run; the run as it ended.

        Raises:
            NoSuchRun: there is none.
            RunConflict: it had ended before.
        """
        run = self.run(run_id)
        task = run.tags.get(TASK, "")
        if not run.has_ended and self._active.exists(task):
            tasks = [task, *self._beside(task)]
            for one in tasks:
                self._active.cancel(one)
            stop(self._active, task)
            run = self._store.run(run_id)
            deadline = time.monotonic() + PATIENCE
            # Somebody else may be ending it at this moment.
            while not run.has_ended and time.monotonic() < deadline:
                for one in tasks:
                    self.settle(one)
                run = self._store.run(run_id)
            if run.status is Status.KILLED:
                return run
        raise RunConflict(f"run {run_id} cannot be cancelled: it is {run.status}")

    def run(self, run_id: str) -> Run:
        """The run of this id.

        Raises:
            NoSuchRun: there is none, or it was deleted.
        """
        run = self._store.run(run_id)
        if ENDPOINT not in run.tags or run.lifecycle_stage == "deleted":
            raise NoSuchRun(f"there is no run {run_id}")
        self._settle_of(run)
        return run if run.has_ended else self._store.run(run_id)

    def runs(
        self, endpoint: str | None = None, status: Status | None = None, limit: int = 100, page: str | None = None
    ) -> tuple[list[Run], str | None]:
        """The runs of one or of all endpoints, newest first, and the token of the next page."""
        self._settle_all()
        known = ((one.id, one.tags.get(ENDPOINT)) for one in self._store.experiments())
        # A name may have been somebody else's experiment before it became an endpoint's.
        ids = [number for number, owner in known if owner and (endpoint is not None or owner in self._config.url)]
        conditions = [f"tags.`{ENDPOINT}` = {_quoted(endpoint)}"] if endpoint is not None else []
        conditions += [f"attributes.status = '{status}'"] if status is not None else []
        return self._store.runs(ids, " AND ".join(conditions), limit, page)

    def previous(self, run: Run) -> Run | None:
        """The run before this one in its experiment that finished."""
        conditions = f"attributes.status = '{Status.FINISHED}' AND attributes.start_time < {run.start_time}"
        found, _ = self._store.runs([run.experiment_id], conditions, 1)
        return found[0] if found else None

    def history(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """Steps and values of one of the run's metrics, by step.

        Raises:
            NoSuchRun: there is none.
        """
        return sorted(self._store.metric_history(self.run(run_id).id, metric))

    def pictures(self, run_id: str) -> list[str]:
        """The names of the run's pictures; none before they are drawn.

        Raises:
            NoSuchRun: there is none.
        """
        paths = map(Path, self._store.artifacts(self.run(run_id).id, PICTURES))
        return sorted(path.stem for path in paths if path.suffix == ".svg")

    def picture(self, run_id: str, name: str) -> bytes:
        """One of the run's pictures, as an SVG document.

        Raises:
            NoSuchRun: there is no such run, or it has no such picture yet.
        """
        names = self.pictures(run_id)
        if name not in names:
            known = f"; it has {', '.join(names)}" if names else " yet"
            raise NoSuchRun(f"run {run_id} has no picture {name!r}{known}")
        with tempfile.TemporaryDirectory() as folder:
            return self._store.fetch_artifact(run_id, f"{PICTURES}/{name}.svg", Path(folder)).read_bytes()

    def fetch_model(self, run: str, folder: Path) -> Path:
        """A copy of the run's model, in this folder: the file, or the folder of a text model.

        Raises:
            NoSuchRun: the run holds no model.
        """
        fetched = self._store.fetch_artifact(run, MODEL, folder)
        file = fetched / "model.pkl"
        return file if file.is_file() else fetched

    def _find(self, experiment: Experiment, task: str) -> Run | None:
        found, _ = self._store.runs([experiment.id], f"tags.`{TASK}` = '{task}'", 1)
        return found[0] if found else None

    def _find_by_task(self, task: str) -> Run | None:
        found = (self._find(one, task) for one in self._store.experiments() if ENDPOINT in one.tags)
        return next((run for run in found if run is not None), None)

    def _ending(self, task: str, run: Run) -> tuple[Status, str | None]:
        """How the run of a dead process ended: published is finished, also if nobody could say so any more."""
        endpoint = run.tags.get(ENDPOINT)
        if endpoint in self._config.trained:
            store = open_store(self._config, endpoint)
            store.recover()
            if store.has_published(run.id):
                return Status.FINISHED, None
        reason = self._active.facts(task).get("reason")
        if reason is None and self._active.is_cancelled(task):
            return Status.KILLED, None
        return Status.FAILED, reason or DIED

    def _beside(self, task: str) -> list[str]:
        """Other runs that end with this one."""
        return []

    def _is_published(self, facts: Mapping[str, Any]) -> bool:
        endpoint = facts.get("endpoint")
        return endpoint in self._config.trained and open_store(self._config, endpoint).has_published(
            facts.get("run", "")
        )

    def _settle_all(self) -> None:
        for task in self._active.tasks():
            self.settle(task)

    def _settle_of(self, run: Run) -> None:
        """End the run if it is one of this models_dir and nobody works on it; its task may be forgotten already."""
        task = run.tags.get(TASK, "")
        if run.has_ended or run.tags.get(SERVER) != self._active.identity():
            return
        if self._active.exists(task):
            self.settle(task)
        elif not self._store.run(run.id).has_ended:
            self._store.end(run.id, *self._ending(task, run))

    def _count(self, task: str, status: Status) -> None:
        """Of a call that is made again, the first one counts; a full disk must not keep a run from ending."""
        endpoint = self._active.facts(task).get("endpoint")
        if endpoint is not None and self._active.exists(task):
            with suppress(OSError):
                self._counts.add(endpoint, status.value)

    def _forget(self, task: str, run: str) -> None:
        endpoint = self._active.facts(task).get("endpoint")
        if endpoint in self._config.trained:
            store = open_store(self._config, endpoint)
            store.forget_published(run)
            store.discard_unpublished(run)
        self._active.forget(task)


def _quoted(name: str) -> str:
    """A string of MLflow's filter language, which knows no escape."""
    if "'" not in name:
        return f"'{name}'"
    if '"' not in name:
        return f'"{name}"'
    raise ServerError(f"the name {name!r} has both kinds of quotes")
