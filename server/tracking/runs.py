"""Runs and experiments as plain values, which need no MLflow to be held."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """MLflow's statuses of a run."""

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


ENDED = frozenset({Status.FINISHED, Status.FAILED, Status.KILLED})


@dataclass(frozen=True)
class Run:
    """One run; times are milliseconds since the epoch, as MLflow keeps them."""

    id: str
    name: str
    experiment_id: str
    status: Status
    start_time: int
    end_time: int | None
    lifecycle_stage: str
    artifact_uri: str
    user: str
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether its status is final."""
        return self.status in ENDED


@dataclass(frozen=True)
class Experiment:
    """The runs of one endpoint, or of one name that a user of the ClassifierHandler chose."""

    id: str
    name: str
    lifecycle_stage: str
    artifact_location: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_deleted(self) -> bool:
        """Whether it is soft-deleted; it still owns its name."""
        return self.lifecycle_stage == "deleted"


def run_of(found: Any) -> Run:
    """MLflow's run as a plain value."""
    info, data = found.info, found.data
    return Run(
        id=info.run_id,
        name=info.run_name,
        experiment_id=info.experiment_id,
        status=Status(info.status),
        start_time=info.start_time,
        end_time=info.end_time,
        lifecycle_stage=info.lifecycle_stage,
        artifact_uri=info.artifact_uri,
        user=info.user_id,
        params=dict(data.params),
        metrics=dict(data.metrics),
        tags=dict(data.tags),
    )


def experiment_of(found: Any) -> Experiment:
    """MLflow's experiment as a plain value."""
    location = found.artifact_location or ""
    return Experiment(found.experiment_id, found.name, found.lifecycle_stage, location, dict(found.tags or {}))


def is_page(token: str) -> bool:
    """Whether MLflow's database store can have given the token; it takes others for what they are not."""
    try:
        offset = json.loads(base64.b64decode(token, validate=True))["offset"]
    except (ValueError, TypeError, KeyError):
        return False
    return type(offset) is int and 0 <= offset < 2**31
