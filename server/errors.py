"""Everything that can go wrong on purpose. Each class owns its HTTP status and its title.

ServerError
├── ConfigError                   start-up: the configuration, every mistake with its YAML path
├── BadRequest              400   the request's content
│   ├── InvalidRows         400   cells or columns of the rows sent
│   ├── NoScore             400   a score that is not defined for this model or these rows
│   ├── UnknownClass        400   a model class that cannot be had
│   ├── InvalidParameter    400   a parameter or option that the class does not take
│   ├── TransformFailed     400   a transform that does not take these rows
│   ├── UntrainableRows     400   rows from which this class cannot learn
│   └── AlgorithmFailed     400   an algorithm of the registry without a usable answer
├── KeyMissing              401   no key that this server knows
├── Forbidden               403   a key that does not open this, or another site's page
├── ModelMissing            404   no trained model
├── NoSuchEntry             404   nothing of this number or name
├── EntryConflict           409   a change that the registry's entries do not allow
├── SchemaConflict          409   rows that do not fit what is stored
├── TooLarge                413   a limit of server.limits
│   ├── StorageFull         413   the disk has no room for it
│   └── TrainingTooLong     413   a training that took longer than one may
├── UnsupportedFormat       415   a format this server does not read
├── TooMany                 429   more requests, or trainings, than server.limits allows
├── TrainingFailed          500   the training process failed or died
├── TemplateFailed          500   a template of the configuration fails
└── NotReady                503   configured, but not (yet) able to answer
    ├── RegistryUnavailable 503   the registry's database cannot be used
    ├── FirstTrainingFailed 503   the training that the endpoint started by itself failed
    └── ModelUnreadable     503   the stored model file does not load
        └── WeightsMissing  503   the pretrained weights of a text model are not on this machine
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `pointer` says where (a JSON pointer or a YAML path), `detail` says what."""

    pointer: str
    detail: str


# Characters of a sentence; what was sent, and stands within it, may be megabytes. One of a name to be told.
LONGEST, MOST_NAME = 20_000, 100


def shortened(text: str, most: int = MOST_NAME) -> str:
    """The text without its middle if it is longer than that."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - (most - 1) // 2 :]}"


class ServerError(Exception):
    """The root: `detail` is a sentence for the person who caused it, `problems` the single places."""

    status = 500
    title = "Internal server error"

    def __init__(self, detail: str, problems: Iterable[Problem] = ()) -> None:
        super().__init__(detail := shortened(detail, LONGEST))
        self.detail = detail
        self.problems = tuple(Problem(shortened(p.pointer, LONGEST), shortened(p.detail, LONGEST)) for p in problems)

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders; the default would forget the problems.
        return type(self), (self.detail, self.problems)


class ConfigError(ServerError):
    """The configuration cannot be used; `problems` holds one entry per mistake."""

    title = "Invalid configuration"


class BadRequest(ServerError):
    """The request's content is wrong."""

    status = 400
    title = "Bad request"


class InvalidRows(BadRequest):
    """The rows sent have wrong cells or lack columns."""

    title = "Invalid rows"


class NoScore(BadRequest):
    """The score is not defined for this model, or for these rows."""

    title = "No score"


class UnknownClass(BadRequest):
    """No model class of that name can be had."""

    title = "Unknown model class"


class InvalidParameter(BadRequest):
    """A parameter or option that the model class does not take, or not with this value."""

    title = "Invalid parameter"


class TransformFailed(BadRequest):
    """The configured transform raises on these rows, or returns something else than rows."""

    title = "The transform failed"


class UntrainableRows(BadRequest):
    """The class cannot learn from these rows."""

    title = "Training is not possible"


class AlgorithmFailed(BadRequest):
    """An algorithm of the registry gave no answer that could be used."""

    title = "The algorithm failed"


class KeyMissing(ServerError):
    """The request brings no key that this server knows."""

    status = 401
    title = "Key missing"


class Forbidden(ServerError):
    """The request's key does not open this, or the request was sent by another site's page."""

    status = 403
    title = "Forbidden"


class ModelMissing(ServerError):
    """There is no trained model."""

    status = 404
    title = "No trained model"


class NoSuchRun(ServerError):
    """There is no run, or experiment, of this id or name, or it was deleted."""

    status = 404
    title = "No such run"


class NoSuchEntry(ServerError):
    """There is nothing of this number or name."""

    status = 404
    title = "Nothing of this name"


class EntryConflict(ServerError):
    """What the registry holds does not allow this change."""

    status = 409
    title = "Conflict"


class RunConflict(ServerError):
    """The run is in a state in which this cannot be done."""

    status = 409
    title = "Conflict"


class SchemaConflict(ServerError):
    """The rows do not fit the stored training data."""

    status = 409
    title = "Schema conflict"


class TooLarge(ServerError):
    """A limit of the server is exceeded; the sentence names the limit and its setting."""

    status = 413
    title = "Content too large"


def too_large_unpacked(what: str, limit_mb: float) -> TooLarge:
    """The error for contents that grow beyond the limit."""
    return TooLarge(f"{what} grows beyond {limit_mb:g} MiB when it is unpacked (server.limits.unpacked_mb)")


class StorageFull(TooLarge):
    """The disk has no room; nothing was changed."""

    title = "No space left"


class TrainingTooLong(TooLarge):
    """The training was ended because it took longer than one may; the model is as it was."""

    title = "Training took too long"


class TooMany(ServerError):
    """More than server.limits allows at once; after `retry_after` seconds there may be room."""

    status = 429
    title = "Too many requests"

    def __init__(self, detail: str, problems: Iterable[Problem] = (), retry_after: int | None = None) -> None:
        super().__init__(detail, problems)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.detail, self.problems, self.retry_after)


class UnsupportedFormat(ServerError):
    """The body is in a format that this server does not read."""

    status = 415
    title = "Unsupported format"


class TrainingFailed(ServerError):
    """The training ended for a reason that is not the request's fault."""

    title = "Training failed"


class TrainingCancelled(TrainingFailed):
    """Somebody cancelled the training while this request waited for it."""

    status = 409
    title = "Training cancelled"


class TemplateFailed(ServerError):
    """A template of the configuration is missing or fails; the sentence names file and line."""

    title = "The template failed"


class NotReady(ServerError):
    """The endpoint is configured but cannot answer; `retry_after` (seconds) is set if waiting helps."""

    status = 503
    title = "Not ready"

    def __init__(self, detail: str, problems: Iterable[Problem] = (), retry_after: int | None = None) -> None:
        super().__init__(detail, problems)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.detail, self.problems, self.retry_after)


class ProcessLost(NotReady):
    """A process of the server that answers others cannot be had."""


class TrackingUnavailable(NotReady):
    """The store of runs cannot be reached, or refuses; nothing was trained."""


class RegistryUnavailable(NotReady):
    """The registry's database cannot be reached, or refuses; nothing was changed."""


class FirstTrainingFailed(NotReady):
    """The training that the endpoint started by itself failed."""


class ModelUnreadable(NotReady):
    """The stored model file does not load."""

    title = "Model file is unreadable"


class WeightsMissing(ModelUnreadable):
    """The pretrained weights of a text model are not on this machine (yet); the sentence says what to do."""

    title = "Not ready"


def and_more(problems: Sequence[Problem]) -> str:
    """' (and n more)' behind the sentence of the first problem, or '' when it is the only one."""
    return f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""


def did_you_mean(name: str, known: Iterable[str], most: int = 3) -> str:
    """'; did you mean …?' with the nearest of the known names, or '' when none is near, as to a very long name."""
    if len(name) > MOST_NAME:
        return ""
    lowered = {candidate.lower(): candidate for candidate in known}
    near = get_close_matches(name.lower(), lowered, n=most, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(lowered[match]) for match in near)}?" if near else ""
