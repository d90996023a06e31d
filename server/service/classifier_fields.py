"""What a request to a document classifier brings: fields by name, each checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from server.errors import BadRequest, did_you_mean, shortened

LONGEST_NAME = 250
NAME = re.compile(r"[^\x00-\x1f\x7f/\\]+")
# True and false are equal to 1 and 0; a form says them as text.
VALIDATION: dict[int | str, bool] = {0: False, 1: True, "0": False, "1": True}


@dataclass(frozen=True)
class Process:
    """What to learn: the labels, the folder of their folders, the experiment, and whether to hold documents out."""

    labels: list[Any]
    path: str
    experiment: str
    validation: bool

    @classmethod
    def of(cls, given: Mapping[str, Any], validation: bool) -> Self:
        """The fields given; `validation` where they do not say.

        Raises:
            BadRequest: one is missing, wrong or unknown.
        """
        check_known(given, ("labels", "path", "experiment_name", "validation"))
        experiment = text_field(given, "experiment_name")
        if len(experiment) > LONGEST_NAME or not NAME.fullmatch(experiment) or experiment != experiment.strip():
            raise BadRequest(
                f"experiment_name must be at most {LONGEST_NAME} characters without slashes, line breaks or "
                "blanks around them"
            )
        labels = given.get("labels")
        if not isinstance(labels, list):
            raise BadRequest('labels must be a list of names of folders, such as ["cv", "non-cv"]')
        return cls(labels, text_field(given, "path"), experiment, _validation(given.get("validation", validation)))


def check_known(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Accept fields that are known.

    Raises:
        BadRequest: one is not.
    """
    for field in given:
        if field not in known:
            raise BadRequest(
                f"unknown field {shortened(field)!r}{did_you_mean(field, known)}; known: {', '.join(known)}"
            )


def text_field(given: Mapping[str, Any], field: str) -> str:
    """The field's text.

    Raises:
        BadRequest: it is missing, no text, or blank.
    """
    if field not in given:
        raise BadRequest(f"the field {field!r} is missing")
    value = given[field]
    if not isinstance(value, str):
        raise BadRequest(f"{field} must be one text, not {value!r:.80}")
    if not value.strip():
        raise BadRequest(f"{field} is empty")
    return value


def _validation(value: Any) -> bool:
    if not isinstance(value, (int, str)) or value not in VALIDATION:
        raise BadRequest(f"validation must be 0 or 1, not {value!r:.80}")
    return VALIDATION[value]
