"""$NAME and ${NAME} in the file, and settings from the environment."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from server.errors import Problem, did_you_mean

VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
PREFIX = "RESTIMATOR_SERVER__"
# Settings that have a variable of their own beside it.
SHORT = {"RESTIMATOR_KEYS": f"{PREFIX}KEYS"}
# A secret may be digits only, or hold what means something in YAML.
SECRET = ["model_secret"]
# Settings that no variable takes away.
GUARDS = ("keys", "model_secret")


def expand(value: Any, variables: Mapping[str, str], path: str, problems: list[Problem]) -> Any:
    """A copy of the value in which every string has its variables replaced; unknown ones become problems."""
    if isinstance(value, dict):
        return {key: expand(item, variables, f"{path}.{key}".strip("."), problems) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item, variables, f"{path}.{index}", problems) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in variables:
            problems.append(
                Problem(
                    path, f"the variable ${name} is not set; set it in the environment{did_you_mean(name, variables)}"
                )
            )
            return match[0]
        return variables[name]

    return VARIABLE.sub(replaced, value)


def settings_from(environment: Mapping[str, str], problems: list[Problem]) -> dict[str, Any]:
    """The server section that RESTIMATOR_SERVER__<KEY> variables describe, nested keys joined by __."""
    section: dict[str, Any] = {}
    for name in sorted(environment):
        setting = SHORT.get(name, name)
        if not setting.startswith(PREFIX):
            continue
        *parents, last = setting.removeprefix(PREFIX).lower().split("__")
        place = section
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                problems.append(Problem(f"server.{parent}", f"{PREFIX}{parent.upper()} and {name} exclude each other"))
                place = {}
        try:
            place[last] = _value(environment[name], [*parents, last] == SECRET)
            if place[last] is None and (not environment[name].strip() or last in GUARDS):
                # What was to be put there is missing; it must not open what the file closes.
                problems.append(Problem(".".join(["server", *parents, last]), f"{name} is empty; set it, or unset it"))
        except yaml.YAMLError as error:
            reason = getattr(error, "problem", None) or error
            problems.append(Problem(".".join(["server", *parents, last]), f"{name} holds no YAML value: {reason}"))
    return section


def _value(text: str, is_secret: bool) -> Any:
    """What a variable says: YAML, or a secret as it is.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        if not is_secret:
            raise
        return text
    return value if not is_secret or value is None or isinstance(value, str) else text


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """The two mappings in one, key by key; `above` wins."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
