"""Mistakes in the configuration that only the model classes can find."""

from typing import Any

from server.config import Config
from server.errors import BadRequest, Problem
from server.estimators.catalogue import LATER, find_class
from server.estimators.parameters import build, check_parameters


def model_problems(config: Config) -> list[Problem]:
    """Unknown classes and parameters, with their YAML paths."""
    problems = []
    for name, entry in config.url.items():
        model = entry.kwargs.model
        path = f"url.{name}.kwargs.model"
        if entry.model_class is None or entry.model_class in LATER:
            continue
        try:
            cls = find_class(entry.model_class, config.server.classes)
        except BadRequest as error:
            problems.append(Problem(f"{path}.class", error.detail))
            continue
        problems += _parameter_problems(cls, model.params, f"{path}.params")
    return problems


def _parameter_problems(cls: type, params: dict[str, Any], path: str) -> list[Problem]:
    problems = []
    for name, value in params.items():
        try:
            check_parameters(cls, {name: value})
        except BadRequest as error:
            problems.append(Problem(f"{path}.{name}", error.detail))
    if not problems:
        try:
            build(cls, check_parameters(cls, params))
        except BadRequest as error:
            problems.append(Problem(path, error.detail))
    return problems
