"""The section server.limits: what requests may bring, and what they may cost."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from server.config.sections import Section

RATE = re.compile(r"\s*[1-9]\d*\s*(/|\s+per\s+)\s*([1-9]\d*\s*)?(second|minute|hour|day)s?\s*", re.IGNORECASE)
RATE_STORAGES = ("memory", "redis", "rediss", "redis+unix")
# Bounds of what makes a training long, or a model large. Classes call alike what costs alike.
CAPS: Mapping[str, float] = {
    "n_estimators": 5000,
    "max_iter": 10_000,
    "n_jobs": 2,
    "n_init": 100,
    "n_iter": 1000,
    "n_restarts_optimizer": 50,
    "n_clusters": 1000,
    "n_components": 1000,
    "n_bins": 10_000,
    "n_knots": 1000,
    "cache_size": 2000,
    "hidden_layer_sizes": 5000,
    "cv": 20,
    "degree": 10,
    "order": 30,
    "seasonal_order": 200,
    "num_train_epochs": 100,
    "per_device_train_batch_size": 1024,
}


def checked_rate(rate: str) -> str:
    """The rate, if it is one.

    Raises:
        ValueError: it is none.
    """
    if not all(map(RATE.fullmatch, rate.split(";"))):
        raise ValueError(
            f"{rate!r} is no rate; write a number and a unit of time: 100/minute, or several: 10/second; 1000/hour"
        )
    return rate


def _rate_storage(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    if scheme not in RATE_STORAGES or not separator:
        # What follows may be a password.
        told = f"this begins with {scheme}://" if separator else "this is no URL"
        raise ValueError(f"rates are counted in {', '.join(f'{name}://…' for name in RATE_STORAGES)}; {told}")
    return url


def _caps(value: Any) -> Any:
    """The bounds given, in front of those that hold without; none takes one away."""
    return {**CAPS, **value} if isinstance(value, dict) else value


Rate = Annotated[str, AfterValidator(checked_rate)]
Cap = Annotated[float, Field(ge=0)]


class Limits(Section):
    """What one request may bring, and what all of them may cost."""

    body_mb: float = Field(default=256, gt=0, description="Largest request body, in MiB.")
    rows: int = Field(default=5_000_000, gt=0, description="Most rows in one request.")
    columns: int = Field(default=10_000, gt=0, description="Most columns in one request.")
    unpacked_mb: float = Field(
        default=2048, gt=0, description="How far a compressed body, an XLSX or a Parquet file may grow, in MiB."
    )
    text_chars: int = Field(default=1_000_000, gt=0, description="Longest text in one cell, in characters.")
    trainings: int | None = Field(
        default=None,
        gt=0,
        description="Trainings that run at once, over all workers; others wait. none: one for each core of this "
        "machine and two at least, and any number on a cluster.",
    )
    queue: int = Field(
        default=50, ge=0, description="Trainings that may wait beside those that run; one more is refused with 429."
    )
    training_minutes: float | None = Field(
        default=1440, gt=0, description="Minutes that a training may run; then it is ended and has failed. none: any."
    )
    parameters: Annotated[dict[str, Cap | None], BeforeValidator(_caps)] = Field(
        default=dict(CAPS),
        description="Largest values that a request may give to parameters of models; the configuration itself is not "
        "bound. Those not named keep their bounds; none takes one away.",
    )
    rate: Rate | None = Field(
        default=None,
        description="Requests of one key, or of one address where none is asked for, such as 100/minute. none: any.",
    )
    rate_storage: Annotated[str, AfterValidator(_rate_storage)] | None = Field(
        default=None,
        description="Where requests are counted: redis://host:6379 for several servers, memory:// for each worker by "
        "itself. none: in files of models_dir, for all workers of this machine.",
    )
