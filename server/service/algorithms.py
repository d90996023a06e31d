"""What answers for an algorithm: a pickled model, an endpoint of this server by its trainings, or somebody's object."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from server.config import Config, Limits
from server.errors import AlgorithmFailed, ModelUnreadable, NotReady, ServerError
from server.estimators.base import ModelKind
from server.service.endpoint import Endpoint
from server.service.experiment_book import ExperimentBook
from server.service.last_used import LastUsed
from server.service.prediction import instance_answer
from server.service.run_folder import kept_models
from server.service.served_model import ServedModel
from server.service.serving import Brought, ModelCache
from server.service.stores import open_model_of_run
from server.storage.model_store import ModelStore
from server.storage.trust import Trust
from server.tracking import Status

logger = logging.getLogger(__name__)
KINDS = {
    "classifier": (ModelKind.CLASSIFIER,),
    "regressor": (ModelKind.REGRESSOR, ModelKind.FORECASTER),
}
# Models of earlier runs that stay in memory.
MOST = 4
# Stands for the run of a model that no run has made.
BROUGHT = "brought"


class Model(ABC):
    """What computes an algorithm's answers; `run` is the training that a version of it stands for, if any."""

    has_versions = False

    def current_run(self) -> str | None:
        """The training whose model answers now; None if there is none (yet), or none is told apart."""
        return None

    def trainings(self, run: str, known: Collection[str]) -> list[str]:
        """This training, and those before it since the last known one; oldest first."""
        return [run]

    @abstractmethod
    def problem(self, run: str | None) -> str | None:
        """Why it cannot answer; None if it can."""

    def glance(self, run: str | None) -> str | None:
        """`problem`, as far as it can be told without reading what nobody has asked for."""
        return self.problem(run)

    @abstractmethod
    def answer(self, run: str | None, input_data: dict[str, Any]) -> Mapping[str, Any]:
        """The answer for one instance, with its label.

        Raises:
            ServerError: the instance does not fit, or there is no model.
        """


class _Trained(Model):
    """A model that this server reads, and whose schema knows its rows."""

    def __init__(self, model_type: str, limits: Limits) -> None:
        self._model_type = model_type
        self._limits = limits

    def problem(self, run: str | None) -> str | None:
        try:
            self._checked(run)
        except ServerError as error:
            return error.detail
        return None

    def answer(self, run: str | None, input_data: dict[str, Any]) -> Mapping[str, Any]:
        return instance_answer(self._checked(run), input_data, self._limits)

    @abstractmethod
    def _served(self, run: str | None) -> ServedModel:
        """The model.

        Raises:
            ServerError: it cannot be had.
        """

    def _checked(self, run: str | None) -> ServedModel:
        served = self._served(run)
        if served.estimator.kind not in KINDS[self._model_type]:
            raise ModelUnreadable(f"the model is a {served.estimator.kind}, and not a {self._model_type} as configured")
        if served.estimator.defect:
            raise ModelUnreadable(served.estimator.defect)
        return served


class FileModel(_Trained):
    """A pickled model; replacing its file takes effect at the next request."""

    def __init__(self, path: Path, model_type: str, limits: Limits, row_path: bool, trust: Trust) -> None:
        super().__init__(model_type, limits)
        self._path = path
        self._models = ModelCache(ModelStore(path, trust=trust), Brought(), row_path=row_path)

    def _served(self, run: str | None) -> ServedModel:
        served = self._models.current()
        if served is None:
            raise ModelUnreadable(f"the model file {self._path} does not exist")
        return served


class EndpointModel(_Trained):
    """An MLHandler endpoint of this server, of which each training is a version: the newest, or an earlier one."""

    has_versions = True

    def __init__(self, endpoint: Endpoint, model_type: str, versions: "EndpointVersions") -> None:
        super().__init__(model_type, endpoint.config.server.limits)
        self._endpoint = endpoint
        self._versions = versions

    def current_run(self) -> str | None:
        served = self._endpoint.readiness.served_or_none()
        return None if served is None else _run_of(served)

    def trainings(self, run: str, known: Collection[str]) -> list[str]:
        missed = self._versions.since(self._endpoint.name, known) if known else []
        return [*(one for one in missed if one != run), run]

    def glance(self, run: str | None) -> str | None:
        return self.problem(run) if run in (None, self.current_run()) else None

    def _served(self, run: str | None) -> ServedModel:
        served = self._endpoint.served()
        if served is not None and run in (None, _run_of(served)):
            return served
        if run is None:
            raise NotReady(self._endpoint.readiness.reason() or f"{self._endpoint.name} has no trained model")
        if run == BROUGHT:
            raise NotReady(f"the model file of {self._endpoint.name} was replaced, and no run holds what it was")
        return self._versions.served(self._endpoint.name, run)


class EndpointVersions:
    """The models of earlier runs, of all endpoints."""

    def __init__(self, config: Config, book: ExperimentBook) -> None:
        self._config = config
        self._book = book
        self._folder = kept_models(config)
        self._kept: LastUsed[ServedModel] = LastUsed(MOST)

    def served(self, endpoint: str, run: str) -> ServedModel:
        """The model that the endpoint's run left.

        Raises:
            NoSuchRun, ModelUnreadable: it is not there any more, or cannot be read here.
            TrackingUnavailable: the store of runs cannot be reached.
        """
        return self._kept.get(run, lambda: self._read(endpoint, run))

    def since(self, endpoint: str, known: Collection[str]) -> list[str]:
        """The endpoint's finished trainings after the last known one, oldest first; none if they cannot be told."""
        try:
            newest_first, _ = self._book.runs(endpoint, Status.FINISHED)
        except ServerError as error:
            logger.warning("%s: earlier trainings do not become versions now: %s", endpoint, error.detail)
            return []
        return list(takewhile(lambda run: run not in known, (one.id for one in newest_first)))[::-1]

    def _read(self, endpoint: str, run: str) -> ServedModel:
        path = self._book.model_path(self._book.run(run), self._folder)
        served = open_model_of_run(self._config, endpoint, path).current()
        if served is None:
            raise ModelUnreadable(f"run {run} of {endpoint} holds no model")
        return served


class OwnObject(Model):
    """Somebody's object with `compute_prediction`."""

    def __init__(self, algorithm: Any) -> None:
        self._algorithm = algorithm

    def problem(self, run: str | None) -> str | None:
        return None

    def answer(self, run: str | None, input_data: dict[str, Any]) -> Mapping[str, Any]:
        answer = self._algorithm.compute_prediction(input_data)
        if not isinstance(answer, dict):
            raise AlgorithmFailed(f"it answered a {type(answer).__name__}; a dict with 'label' was expected")
        if str(answer.get("status", "OK")) != "OK":
            raise AlgorithmFailed(str(answer.get("message") or "it answered an error without a message"))
        if "label" not in answer:
            raise AlgorithmFailed("its answer has no 'label'")
        return answer


def _run_of(served: ServedModel) -> str:
    return str(served.facts.get("run") or BROUGHT)
