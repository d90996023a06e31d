"""Mistakes in the configuration that only the model classes and the user's own functions can tell."""

from typing import Any

from server.config import Config
from server.errors import BadRequest, NotReady, Problem
from server.estimators.catalogue import TEXT_CLASSES, find_class, find_text_class
from server.estimators.parameters import build, check_parameters
from server.estimators.sentiment import SentimentAnalysis
from server.estimators.vectorizer import check_vectorizer
from server.tables.transform import find_transform


def model_problems(config: Config) -> list[Problem]:
    """Unknown classes and parameters, with their YAML paths."""
    problems = []
    for name, entry in config.models.items():
        model = entry.kwargs.model
        path = f"url.{name}.kwargs.model"
        if entry.model_class is None:
            continue
        find = find_text_class if entry.handler == "TextHandler" else find_class
        try:
            cls = find(entry.model_class, config.server.classes)
        except BadRequest as error:
            problems.append(Problem(f"{path}.class", error.detail))
            continue
        problems += _parameter_problems(cls, model.params, f"{path}.params")
        if entry.handler == "TextHandler":
            params = entry.kwargs.model.vectorizer_params
            if params and entry.model_class in TEXT_CLASSES:
                problems.append(Problem(f"{path}.vectorizer_params", f"{entry.model_class} reads texts without one"))
            problems += _vectorizer_problems(params, f"{path}.vectorizer_params")
    return problems


def classifier_problems(config: Config) -> list[Problem]:
    """Mistakes in the models of document classifiers, with their YAML paths."""
    problems = []
    for name, entry in config.classifiers.items():
        model, path = entry.kwargs.model, f"url.{name}.kwargs"
        try:
            cls = SentimentAnalysis if model.is_transformer else find_text_class(model.class_, config.server.classes)
        except BadRequest as error:
            problems.append(Problem(f"{path}.model.class", error.detail))
            continue
        problems += _parameter_problems(cls, model.params, f"{path}.model.params")
        if model.is_transformer:
            problems += _parameter_problems(cls, entry.kwargs.training, f"{path}.training")
        problems += _vectorizer_problems(model.vectorizer_params, f"{path}.model.vectorizer_params")
    return problems


def _vectorizer_problems(params: dict[str, Any], path: str) -> list[Problem]:
    try:
        check_vectorizer(params)
    except BadRequest as error:
        return [Problem(path, error.detail)]
    return []


def transform_problems(config: Config) -> list[Problem]:
    """Transforms that cannot be found, with their YAML paths."""
    problems = []
    for name, entry in config.models.items():
        text = entry.kwargs.data.transform if entry.kwargs.data else None
        if text is not None:
            try:
                find_transform(text, config.folder)
            except NotReady as error:
                problems.append(Problem(f"url.{name}.kwargs.data.transform", error.detail))
    return problems


def _parameter_problems(cls: type, params: dict[str, Any], path: str) -> list[Problem]:
    problems = []
    for name, value in params.items():
        try:
            check_parameters(cls, {name: value})
        except BadRequest as error:
            problems.append(Problem(f"{path}.{name}", error.detail))
    if not problems:
        checked = check_parameters(cls, params)
        try:
            build(cls, checked)
        except BadRequest as error:
            problems.append(Problem(_blamed(cls, checked, path), error.detail))
    return problems


def _blamed(cls: type, params: dict[str, Any], path: str) -> str:
    """The path of the one parameter without which the others would do; that of all where there is no such one."""
    culprits = []
    for name in params:
        try:
            build(cls, {other: value for other, value in params.items() if other != name})
        except BadRequest:
            continue
        culprits.append(name)
    return f"{path}.{culprits[0]}" if len(culprits) == 1 else path
