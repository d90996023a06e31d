"""The runs of all endpoints, as people look at them: listed, shown, cancelled."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from server.config import Config
from server.errors import BadRequest, NotReady, did_you_mean
from server.service.classifier_training import DOCUMENTS, TREATED, UNTREATED
from server.service.experiment_book import ExperimentBook
from server.service.run_book import ENDPOINT
from server.service.run_folder import active_runs
from server.service.run_log import OPTION, VERSIONS, value_of
from server.service.stores import open_store
from server.storage.endpoint_store import EndpointStore
from server.tracking import Run, Status
from server.tracking.mlflow_store import REASON_TAG

logger = logging.getLogger(__name__)
MOST = 1000
OWN_PARAMS = ("class", "rows", "data_version")
STATUSES = tuple(status.value for status in Status)


@dataclass(frozen=True)
class RunView:
    """Everything that the page of a run shows.

    `run` is what `Runs.show` tells, `before` the same of the run of its endpoint that finished before it began, if
    there is one; `pictures` are the names of those drawn so far. `can_serve` tells whether its endpoint is one model,
    and not a classifier of documents, which asks the model of any run.
    """

    run: dict[str, Any]
    before: dict[str, Any] | None
    pictures: list[str]
    can_serve: bool


class Runs:
    """The runs of the server's endpoints."""

    def __init__(self, config: Config, book: ExperimentBook) -> None:
        self._config = config
        self._book = book

    def found(
        self, endpoint: str | None = None, status: str | None = None, limit: int = 100, page: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """The runs, newest first, each as `show` tells it, and the token of the next page if there is one.

        Raises:
            BadRequest: no such endpoint or status, or another limit than 1 to 1000.
            NoSuchRun: no such page.
        """
        if endpoint is not None and endpoint not in self._config.url:
            hint = did_you_mean(endpoint, self._config.url) or f"; known: {', '.join(self._config.url)}"
            raise BadRequest(f"there is no endpoint {endpoint!r}{hint}")
        if status is not None and status not in Status.__members__:
            raise BadRequest(f"there is no status {status!r}; known: {', '.join(Status)}")
        if not 1 <= limit <= MOST:
            raise BadRequest(f"limit must be 1 to {MOST}, not {limit}")
        runs, following = self._book.runs(endpoint, Status(status) if status else None, limit, page)
        serving = {name: self._serving(name) for name in {run.tags[ENDPOINT] for run in runs}}
        return [self._shown(run, serving[run.tags[ENDPOINT]]) for run in runs], following

    def show(self, run_id: str) -> dict[str, Any]:
        """The run: what was trained on what, how far it is, how good it became, why it failed.

        Raises:
            NoSuchRun: there is none.
        """
        run = self._book.run(run_id)
        return self._told(run, self._serving(run.tags[ENDPOINT]))

    def _told(self, run: Run, serving: str | None) -> dict[str, Any]:
        documents = self._documents(run) if run.tags[ENDPOINT] in self._config.classifiers else {}
        return self._shown(run, serving) | documents

    def _documents(self, run: Run) -> dict[str, Any]:
        """How many documents were read, and which were not and why."""
        untreated = run.metrics.get(UNTREATED, 0)
        told = self._book.document(run.id, DOCUMENTS) if untreated else None
        return {
            TREATED: int(run.metrics.get(TREATED, 0)),
            UNTREATED: int(untreated),
            "list_id_not_treated": (told or {}).get("not_treated", []),
        }

    def view(self, run_id: str) -> RunView:
        """The run as its page shows it.

        Raises:
            NoSuchRun: there is none.
        """
        run = self._book.run(run_id)
        # The experiments of a classifier of documents have runs of two kinds, which cannot be compared.
        before = None if run.tags[ENDPOINT] in self._config.classifiers else self._book.previous(run)
        serving = self._serving(run.tags[ENDPOINT])
        return RunView(
            self._told(run, serving),
            self._shown(before, serving) if before else None,
            self._book.pictures(run_id) if run.has_ended else [],
            run.tags[ENDPOINT] in self._config.models,
        )

    def losses(self, run_id: str) -> list[dict[str, float]]:
        """Step and loss of a text model's training, by step; none of other models.

        Raises:
            NoSuchRun: there is none.
        """
        return [{"step": step, "loss": loss} for step, loss in self._book.history(run_id, "loss")]

    def picture(self, run_id: str, name: str) -> bytes:
        """One of the pictures drawn after the training, as an SVG document.

        Raises:
            NoSuchRun: there is no such run, or it has no such picture yet.
        """
        return self._book.picture(run_id, name)

    @property
    def patterns(self) -> Mapping[str, str]:
        """The path of each endpoint's page, by its name."""
        return {name: entry.pattern for name, entry in self._config.url.items()}

    def cancel(self, run_id: str) -> dict[str, Any]:
        """Stop the run; how it ended.

        Raises:
            NoSuchRun: there is none.
            RunConflict: it had ended before.
        """
        run = self._book.cancel(run_id)
        return self._shown(run, self._serving(run.tags[ENDPOINT]))

    def settle_soon(self) -> None:
        """Give an end to the runs that nobody works on any more, without waiting for it."""
        active = active_runs(self._config)
        if any(not active.is_held(task) for task in active.tasks()):
            threading.Thread(target=self._settle, daemon=True).start()

    def _settle(self) -> None:
        try:
            self._book.tick()
        except NotReady as error:
            logger.warning("interrupted runs could not be ended yet: %s", error.detail)

    def _store(self, endpoint: str) -> EndpointStore | None:
        return open_store(self._config, endpoint) if endpoint in self._config.trained else None

    def _serving(self, endpoint: str) -> str | None:
        """The run whose model serves."""
        store = self._store(endpoint)
        return (store.model.facts() or {}).get("run") if store else None

    def _shown(self, run: Run, serving: str | None) -> dict[str, Any]:
        endpoint = run.tags[ENDPOINT]
        params = {name: value_of(value) for name, value in run.params.items()}
        options = {name.removeprefix(OPTION): value for name, value in params.items() if name.startswith(OPTION)}
        own = {name: value for name, value in params.items() if name not in OWN_PARAMS and not name.startswith(OPTION)}
        return {
            "run_id": run.id,
            "name": run.name,
            "endpoint": endpoint,
            "experiment_id": run.experiment_id,
            "status": run.status.value,
            "serving": run.id == serving,
            "start_time": _moment(run.start_time),
            "end_time": _moment(run.end_time),
            "duration": round((run.end_time - run.start_time) / 1000, 3) if run.end_time else None,
            "progress": self._progress(run),
            "class": params.get("class"),
            "params": own,
            "options": options,
            "data": {"version": params.get("data_version"), "rows": params.get("rows")},
            "metrics": dict(run.metrics),
            "error": run.tags.get(REASON_TAG),
            "user": run.tags.get("mlflow.user", run.user),
            "versions": value_of(run.tags.get(VERSIONS, "{}")),
            "artifact_uri": run.artifact_uri,
        }

    def _progress(self, run: Run) -> dict[str, Any] | None:
        """Step, of and loss of a run that goes on and tells them."""
        store = self._store(run.tags[ENDPOINT])
        told = store.progress() if store and run.status is Status.RUNNING else None
        if told is None or told["run"] != run.id or told["step"] is None:
            return None
        return {name: told[name] for name in ("step", "of", "loss")}


def run_info(run: Run) -> dict[str, Any]:
    """The run as MLflow's clients show it: its info, and its data."""
    info = {
        "artifact_uri": run.artifact_uri,
        "end_time": run.end_time,
        "experiment_id": run.experiment_id,
        "lifecycle_stage": run.lifecycle_stage,
        "run_id": run.id,
        "run_name": run.name,
        "run_uuid": run.id,
        "start_time": run.start_time,
        "status": run.status.value,
        "user_id": run.tags.get("mlflow.user", run.user),
    }
    return {"info": info, "data": {"metrics": run.metrics, "params": run.params, "tags": run.tags}}


def _moment(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
