"""What somebody who watches the server wants to know of it at this moment."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from server.config import Config
from server.service.capacity import IS_RUNNING
from server.service.endpoint import Endpoint
from server.service.run_folder import active_runs, run_counts
from server.service.versions import versions
from server.tracking import ENDED

logger = logging.getLogger(__name__)
RUNNING, WAITING = "running", "waiting"


@dataclass(frozen=True)
class ModelFigures:
    """Of one endpoint: whether it can answer, whether a model serves, and when that was trained, in Unix time."""

    is_ready: bool
    is_loaded: bool
    trained: float | None


class Figures:
    """Looked up when they are asked for; MLflow, which takes seconds to open, is not."""

    def __init__(self, config: Config, endpoints: Mapping[str, Endpoint]) -> None:
        self._config, self._endpoints = config, endpoints
        self._active = active_runs(config)
        self._counts = run_counts(config)

    @property
    def build(self) -> dict[str, str]:
        """The versions that decide what a model answers."""
        return {name.replace("-", "_"): number for name, number in versions().items()}

    def models(self) -> dict[str, ModelFigures]:
        """Every endpoint that is one model."""
        return {name: _figures_of(endpoint) for name, endpoint in self._endpoints.items()}

    def runs_going_on(self) -> dict[tuple[str, str], int]:
        """How many runs of each endpoint go on, and how many wait for others."""
        facts = [self._active.facts(task) for task in self._held()]
        states = Counter((one.get("endpoint"), RUNNING if one.get(IS_RUNNING) else WAITING) for one in facts)
        return {(name, state): states[name, state] for name in self._config.trained for state in (RUNNING, WAITING)}

    def _held(self) -> list[str]:
        return [task for task in self._active.tasks() if self._active.is_held(task)]

    def runs_ended(self) -> dict[tuple[str, str], int]:
        """How many runs of each endpoint ended with each status."""
        statuses = sorted(status.value for status in ENDED)
        return {
            (name, status.lower()): self._counts.of(name, status)
            for name in self._config.trained
            for status in statuses
        }


def _figures_of(endpoint: Endpoint) -> ModelFigures:
    served = endpoint.readiness.served_or_none()
    trained = served.facts.get("trained") if served is not None else None
    moment = datetime.fromisoformat(trained).timestamp() if trained else None
    return ModelFigures(endpoint.readiness.reason() is None, served is not None, moment)
