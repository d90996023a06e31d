"""Parameters of scikit-learn classes: from text to the right type, checked by the class's own constraints."""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import make_constraint

from server.errors import InvalidParameter, UnknownClass, did_you_mean
from server.estimators.catalogue import find_class
from server.estimators.literals import candidates, fits_json, literal
from server.estimators.renamed import RENAMED_PARAMETERS, RENAMED_VALUES

logger = logging.getLogger(__name__)

MOST_NESTED = 5
NESTED_FORM = 'a model within a model is given as the name of its class or as {"class": …, "params": {…}}'
NESTED = ("estimator", "final_estimator", "regressor", "classifier", "base_estimator")
# Without these the class could not answer for new rows.
DEFAULTS: dict[str, dict[str, Any]] = {"LocalOutlierFactor": {"novelty": True}}


def parameter_names(cls: type) -> list[str]:
    """The parameters that the class takes."""
    if hasattr(cls, "_get_param_names"):
        return list(cls._get_param_names())
    return [name for name in inspect.signature(cls).parameters if name not in ("args", "kwargs")]


def check_parameters(cls: type, given: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """The parameters in plain values of the right types.

    Raises:
        InvalidParameter: the class has no such parameter, or not with this value.
    """
    checked = {}
    known = parameter_names(cls)
    for name, value in given.items():
        name = _current_name(name, known)
        if name not in known:
            hint = did_you_mean(name, known) or f"; it takes {', '.join(known)}"
            raise InvalidParameter(f"{cls.__name__} has no parameter {name!r}{hint}")
        checked[name] = _checked(cls, name, value, depth)
    return checked


def drop_unknown(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that the class still has, checked; what an older release wrote besides is left out."""
    kept: dict[str, Any] = {}
    for name, value in given.items():
        try:
            kept |= check_parameters(cls, {name: value})
        except InvalidParameter as error:
            logger.warning("stored parameter %s=%r is left out: %s", name, value, error.detail)
    return kept


def _current_name(name: str, known: list[str]) -> str:
    renamed = RENAMED_PARAMETERS.get(name)
    return renamed if name not in known and renamed in known else name


def _checked(cls: type, name: str, value: Any, depth: int) -> Any:
    if name in NESTED or name == "estimators":
        return _nested_plain(value, depth)
    accepts = _acceptor(cls, name)
    for candidate in candidates(_renamed(cls, name, value)):
        if accepts(candidate):
            if not fits_json(candidate):
                raise InvalidParameter(f"the parameter {name!r} of {cls.__name__} takes numbers of up to 64 bits")
            return candidate
    raise InvalidParameter(f"the parameter {name!r} of {cls.__name__} must be {_demand(cls, name)}, not {value!r}")


def _renamed(cls: type, name: str, value: Any) -> Any:
    for owner in (cls.__name__, None):
        table = RENAMED_VALUES.get((owner, name), {})
        if isinstance(value, (str, bool)) and value in table and not _acceptor(cls, name)(value):
            return table[value]
    if name == "max_features" and value == "auto" and not _acceptor(cls, name)(value):
        return "sqrt" if "Classifier" in cls.__name__ else 1.0
    return value


def _constraints(cls: type, name: str) -> list[Any] | None:
    """scikit-learn's constraints of a parameter; None where there are none."""
    declared = getattr(cls, "_parameter_constraints", {}).get(name)
    if declared is None or declared == "no_validation" or "no_validation" in declared:
        return None
    return [make_constraint(constraint) for constraint in declared]


def _acceptor(cls: type, name: str) -> Callable[[Any], bool]:
    constraints = _constraints(cls, name)
    if constraints is None:
        return lambda value: True
    return lambda value: any(_satisfied(constraint, value) for constraint in constraints)


def _satisfied(constraint: Any, value: Any) -> bool:
    # A text is an "array-like" to scikit-learn; as a parameter it never is one.
    if isinstance(value, str) and type(constraint).__name__ in ("_ArrayLikes", "_IterablesNotString"):
        return False
    try:
        return bool(constraint.is_satisfied_by(value))
    except (TypeError, ValueError):
        return False


def _demand(cls: type, name: str) -> str:
    constraints = [
        constraint for constraint in _constraints(cls, name) or [] if not getattr(constraint, "hidden", False)
    ]
    return " or ".join(str(constraint) for constraint in constraints)


def _nested_plain(value: Any, depth: int = 0) -> Any:
    """A parameter that is itself an estimator, as {"class", "params"}; a list of them for `estimators`.

    Raises:
        InvalidParameter: it is none of this, or nested too deeply.
    """
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in ("none", "null", ""):
            return None
        value = literal(text) if text[:1] in ("[", "{", "(") else {"class": text}
        if value is None:
            raise InvalidParameter(f"{text[:60]!r} is neither JSON nor the name of a class")
    if value is None:
        return None
    if depth > MOST_NESTED:
        raise InvalidParameter(f"models can be nested {MOST_NESTED} deep")
    if isinstance(value, (list, tuple)):
        # scikit-learn writes such lists as pairs of a name and a model.
        named = [item[1] if isinstance(item, (list, tuple)) and len(item) == 2 else item for item in value]
        items = [_nested_plain(item, depth + 1) for item in named]
        if not all(isinstance(item, dict) for item in items):
            raise InvalidParameter(f"a list of models holds something else; {NESTED_FORM}")
        return items
    params = value.get("params") or {} if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or set(value) - {"class", "params"} or "class" not in value:
        raise InvalidParameter(NESTED_FORM)
    if not isinstance(params, Mapping):
        raise InvalidParameter(NESTED_FORM)
    cls = find_class(str(value["class"]))
    return {"class": cls.__name__, "params": check_parameters(cls, params, depth + 1)}


def build(cls: type, params: Mapping[str, Any]) -> Any:
    """An unfitted instance; `params` are what `check_parameters` returned.

    Raises:
        InvalidParameter: a required parameter is missing, or parameters exclude each other.
    """
    arguments = dict(DEFAULTS.get(cls.__name__, {})) | {name: _built(name, value) for name, value in params.items()}
    required = [
        parameter.name
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    missing = [name for name in required if name not in arguments]
    if missing:
        raise InvalidParameter(f"{cls.__name__} needs the parameter {missing[0]!r}")
    try:
        instance = cls(**arguments)
        if isinstance(instance, BaseEstimator) and hasattr(instance, "_parameter_constraints"):
            instance._validate_params()
    except (TypeError, ValueError) as error:
        raise InvalidParameter(str(error)) from error
    return instance


def _built(name: str, value: Any) -> Any:
    if name == "estimators" and isinstance(value, list):
        return [(f"{item['class']}{index}".lower(), _built("estimator", item)) for index, item in enumerate(value)]
    if name in NESTED and isinstance(value, Mapping):
        try:
            return build(find_class(value["class"]), value.get("params") or {})
        except UnknownClass as error:
            raise InvalidParameter(error.detail) from error
    return value


def plain_parameters(model: Any) -> dict[str, Any]:
    """get_params() as JSON values; an estimator among them as {"class", "params"}."""
    params = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    return {name: _plain(value) for name, value in sorted(params.items())}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseEstimator):
        return {"class": type(value).__name__, "params": plain_parameters(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    text = getattr(value, "__name__", repr(value))
    return type(value).__name__ if " at 0x" in text else text
