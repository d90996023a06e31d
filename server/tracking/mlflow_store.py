"""MLflow's tracking store: experiments, runs and what they hold."""

import logging
import re
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from server.errors import NoSuchRun, RunConflict, ServerError, StorageFull, TrackingUnavailable
from server.tracking.connection import is_remote, let_go, open_client
from server.tracking.purge import purge
from server.tracking.runs import Experiment, Run, Status, experiment_of, is_page, run_of

logger = logging.getLogger(__name__)
# What one call of log_batch takes.
MOST_PARAMS, MOST_TAGS, MOST_METRICS = 100, 100, 1000
MOST_RUNS = 1000
REASON_TAG = "restimator.reason"
# MLflow takes anything else for a mistake of the server's.
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}")
# How SQLite and the system say that there is no room.
FULL = ("disk is full", "No space left", "Disk quota exceeded")


class MlflowStore:
    """The store at a tracking URI; artifacts are kept below `artifacts`, unless a tracking server keeps them.

    MLflow is imported by the first call: 1 to 5 seconds, 50 to 100 MB. Safe to call from many threads.
    All methods raise TrackingUnavailable when the store cannot be reached, or refuses.
    """

    def __init__(self, uri: str, artifacts: Path, lock: Path) -> None:
        # SQLAlchemy's own choice of a driver is not the one that is installed.
        self._uri = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", uri)
        self._artifacts = artifacts
        self._lock = lock
        self._opening = threading.Lock()
        self._opened: Any = None

    def create_run(self, experiment: Experiment, name: str, tags: Mapping[str, str]) -> Run:
        """A new run in status SCHEDULED."""
        with self._client() as client:
            run = client.create_run(experiment.id, tags=dict(tags), run_name=name)
            client.update_run(run.info.run_id, status=Status.SCHEDULED.value)
            return self.run(run.info.run_id)

    def set_status(self, run_id: str, status: Status) -> None:
        """Change the status of a run that goes on."""
        with self._client() as client:
            client.update_run(run_id, status=status.value)

    def end(self, run_id: str, status: Status, reason: str | None = None) -> None:
        """Give the run its last status, and the reason if it failed."""
        with self._client() as client:
            if reason:
                client.set_tag(run_id, REASON_TAG, reason)
            client.set_terminated(run_id, status.value)

    def log(
        self,
        run_id: str,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        step: int = 0,
    ) -> None:
        """Add parameters, metrics and tags; any number of them."""
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        added: dict[str, list[Any]] = {
            "params": [Param(key, str(value)) for key, value in (params or {}).items()],
            "metrics": [Metric(key, value, now, step) for key, value in (metrics or {}).items()],
            "tags": [RunTag(key, value) for key, value in (tags or {}).items()],
        }
        limits = {"params": MOST_PARAMS, "metrics": MOST_METRICS, "tags": MOST_TAGS}
        with self._client() as client:
            while any(added.values()):
                client.log_batch(run_id, **{kind: values[: limits[kind]] for kind, values in added.items()})
                added = {kind: values[limits[kind] :] for kind, values in added.items()}

    def log_artifact(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Keep a copy of the file, or of all in the folder, among the run's artifacts."""
        with self._client() as client:
            log = client.log_artifacts if path.is_dir() else client.log_artifact
            log(run_id, str(path), folder or None)

    def artifacts(self, run_id: str, folder: str | None = None) -> list[str]:
        """The paths of the run's artifacts in this folder."""
        with self._client() as client:
            return [found.path for found in client.list_artifacts(run_id, folder)]

    def fetch_artifact(self, run_id: str, path: str, folder: Path) -> Path:
        """A copy of the artifact, a file or a folder, in this folder, which must exist.

        Raises:
            NoSuchRun: the run has no such artifact.
        """
        with self._client() as client:
            if path not in self.artifacts(run_id, path.rpartition("/")[0] or None):
                raise NoSuchRun(f"run {run_id} holds no {path}")
            return Path(client.download_artifacts(run_id, path, str(folder)))

    def run(self, run_id: str) -> Run:
        """The run, deleted or not.

        Raises:
            NoSuchRun: there is none of this id.
        """
        if not RUN_ID.fullmatch(run_id):
            raise NoSuchRun(f"there is no run {run_id!r}")
        with self._client() as client:
            return run_of(client.get_run(run_id))

    def runs(
        self, experiments: Sequence[str], where: str = "", limit: int = MOST_RUNS, page: str | None = None
    ) -> tuple[list[Run], str | None]:
        """Runs of these experiments (ids), newest first, and the token of the next page.

        Args:
            experiments: ids; none have no runs.
            where: a filter in MLflow's language.
            limit: at most this many, 1 to 1000.
            page: the token that the page before gave.
        """
        if not experiments:
            return [], None
        if page is not None and not is_remote(self._uri) and not is_page(page):
            raise NoSuchRun("there is no such page; the page before names the next one")
        with self._client() as client:
            found = client.search_runs(
                list(experiments), where, max_results=limit, order_by=["attributes.start_time DESC"], page_token=page
            )
            return [run_of(run) for run in found], found.token or None

    def metric_history(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """The steps and values of a metric."""
        with self._client() as client:
            return [(point.step, point.value) for point in client.get_metric_history(run_id, metric)]

    def experiment(self, name: str) -> Experiment | None:
        """The experiment of this name, deleted or not."""
        with self._client() as client:
            found = client.get_experiment_by_name(name)
            return None if found is None else experiment_of(found)

    def experiments(self, where: str = "") -> list[Experiment]:
        """The experiments that are not deleted."""
        found, page = [], None
        with self._client() as client:
            while True:
                some = client.search_experiments(filter_string=where, page_token=page)
                found += [experiment_of(one) for one in some]
                page = some.token
                if not page:
                    return found

    def ensure_experiment(self, name: str, tags: Mapping[str, str]) -> Experiment:
        """The experiment of this name with these tags, made or restored if need be."""
        with self._client() as client:
            found = self.experiment(name)
            if found is None:
                found = self._create_experiment(client, name, tags)
            if found.is_deleted:
                client.restore_experiment(found.id)
            for key in tags.keys() - found.tags.keys():
                client.set_experiment_tag(found.id, key, tags[key])
            return found

    def _create_experiment(self, client: Any, name: str, tags: Mapping[str, str]) -> Experiment:
        from mlflow.exceptions import MlflowException

        location = None
        if not is_remote(self._uri):
            folder = re.sub(r"[^\w.-]+", "-", name)[:60] + "-" + uuid.uuid4().hex[:8]
            location = (self._artifacts / folder).as_uri()
        try:
            client.create_experiment(name, location, dict(tags))
        except MlflowException as error:
            # Another process was first.
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = self.experiment(name)
        assert found is not None
        return found

    def delete_run(self, run_id: str) -> None:
        """Mark the run as deleted."""
        with self._client() as client:
            client.delete_run(run_id)

    def delete_experiment(self, experiment: Experiment) -> None:
        """Mark the experiment and its runs as deleted."""
        with self._client() as client:
            client.delete_experiment(experiment.id)

    def purge_experiment(self, experiment: Experiment) -> None:
        """Remove the experiment from the store, and what its runs hold from the disk.

        Raises:
            RunConflict: only the tracking server itself can.
        """
        if is_remote(self._uri):
            raise RunConflict("the tracking server deletes for good only by its own command, mlflow gc")
        if not experiment.is_deleted:
            self.delete_experiment(experiment)
        with self._client() as client:
            purge(client, experiment)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """MLflow's client; its errors become this server's."""
        try:
            yield self._opened or self._open()
        except ServerError:
            raise
        except Exception as error:
            code = getattr(error, "error_code", None)
            if code == "RESOURCE_DOES_NOT_EXIST":
                raise NoSuchRun(f"there is no such run or experiment: {error}") from error
            if any(sign in str(error) for sign in FULL):
                raise StorageFull("no space is left on the disk of the store of runs; nothing was changed") from error
            if "page token" in str(error):
                raise NoSuchRun("there is no such page; the page before names the next one") from error
            logger.exception("the store of runs refuses")
            let_go(self._opened)
            text = str(error).strip().splitlines()
            reason = text[0][:300] if text else type(error).__name__
            detail = f"the store of runs (server.tracking_uri) refuses: {reason}"
            raise TrackingUnavailable(detail, retry_after=10) from error

    def _open(self) -> Any:
        with self._opening:
            if self._opened is None:
                self._opened = open_client(self._uri, self._lock)
        return self._opened
