"""The section of a RegistryHandler: algorithms by endpoint, each with a status and a version."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from server.config.mistakes import problems_of
from server.config.sections import EndpointSection, MLHandlerEndpoint, Section
from server.errors import ConfigError, Problem, did_you_mean

# What an algorithm can be set to; a test gives and takes ab_testing itself.
SETTABLE = ("production", "testing", "inactive")
STATUSES = (*SETTABLE, "ab_testing")
# The lists of the registry, beside which endpoints have their URLs.
LISTS = ("endpoints", "mlalgorithms", "mlalgorithmstatuses", "mlrequests", "abtests")
OWN_NAMES = (*LISTS, "stop_ab_test")
LONGEST_NAME = 255


def checked_name(name: str) -> str:
    """The name, if an endpoint of the registry can have it: it is one part of a path.

    Raises:
        ValueError: it cannot.
    """
    if not name.strip() or len(name) > LONGEST_NAME or re.search(r"[/?#\x00-\x1f]", name) or name in (".", ".."):
        raise ValueError(f"{name!r} cannot be one part of a URL; choose a name such as iris")
    if name.isdecimal():
        raise ValueError(f"{name!r} would be taken for the number of an endpoint; choose a name such as iris")
    if name in OWN_NAMES:
        raise ValueError(f"/{name} is a list of the registry itself; choose another name")
    return name


def checked_text(text: str) -> str:
    """A text that is not empty and that a database can keep.

    Raises:
        ValueError: it is not.
    """
    if not text.strip() or len(text) > LONGEST_NAME or "\0" in text:
        raise ValueError(f"{text!r} must be a text of 1 to {LONGEST_NAME} characters")
    return text


def _kept_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text cannot hold a NUL")
    return text


def _as_text(value: Any) -> Any:
    # YAML takes a version such as 1.0 for a number.
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_as_text)]
Name = Annotated[Text, AfterValidator(checked_text)]
Kept = Annotated[str, AfterValidator(_kept_text)]


class Algorithm(Section):
    """What is known of an algorithm beside what answers for it; it is one by name and version."""

    name: Name = Field(description="The algorithm's name.")
    version: Name = Field(default="1", description="Its version; name and version together are known once.")
    type: Literal["classifier", "regressor"] = Field(description="What it does; a test compares two of one type.")
    status: Literal["production", "testing", "inactive"] = Field(
        default="testing", description="The status that it begins with: production, testing or inactive."
    )
    owner: Kept = Field(default="", description="Whose it is.")
    description: Kept = Field(default="", description="What people are told about it.")
    code: Kept = Field(default="", description="Its code, or where that is.")


class AlgorithmOptions(Algorithm):
    """An algorithm of the configuration: a pickled model, or an endpoint of this server."""

    model: str | None = Field(default=None, description="Model file that joblib reads.")
    endpoint: str | None = Field(
        default=None, description="Name of an MLHandler endpoint, of which each training becomes a version."
    )

    @property
    def model_path(self) -> Path:
        """The model file, where one is configured."""
        assert self.model is not None
        return Path(self.model)

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if (self.model is None) == (self.endpoint is None):
            raise ValueError("an algorithm needs model: (a file) or endpoint: (an MLHandler endpoint), one of them")
        return self


class RegistryEndpoint(Section):
    """One use case, and the algorithms for it."""

    owner: Kept = Field(default="", description="Whose the endpoint is.")
    algorithms: tuple[AlgorithmOptions, ...] = Field(default=(), description="What can answer for it, oldest first.")

    @model_validator(mode="after")
    def _different(self) -> Self:
        known = [(algorithm.name, algorithm.version) for algorithm in self.algorithms]
        twice = next((key for key in known if known.count(key) > 1), None)
        if twice:
            raise ValueError(f"the algorithm {twice[0]!r} has version {twice[1]!r} twice; give each its own version")
        names = [algorithm.name for algorithm in self.algorithms]
        for algorithm in self.algorithms:
            if algorithm.endpoint is not None and names.count(algorithm.name) > 1:
                raise ValueError(f"{algorithm.name!r} gets a version for each training; no other can have its name")
        return self


class RegistryKwargs(Section):
    """The kwargs of a RegistryHandler."""

    endpoints: dict[Annotated[Text, AfterValidator(checked_name)], RegistryEndpoint] = Field(
        default={}, description="The endpoints by name; wsgi.py may add others."
    )
    xsrf_cookies: bool = Field(default=True, description="false accepts unsafe requests from other origins.")


class RegistryHandlerEndpoint(EndpointSection):
    """The one entry of handler RegistryHandler."""

    handler: Literal["RegistryHandler"] = Field(description="The kind of endpoint.")
    kwargs: RegistryKwargs = Field(default=RegistryKwargs(), description="Endpoints and their algorithms.")


def algorithm_of(endpoint: str, values: Mapping[str, Any]) -> Algorithm:
    """An algorithm that code adds to an endpoint.

    Raises:
        ConfigError: a value that cannot be; it is named.
    """
    try:
        checked_name(endpoint)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the algorithm {values.get('name')!r} cannot be added: endpoint_name: {error}") from None
    try:
        return Algorithm.model_validate(dict(values))
    except ValidationError as error:
        problems = problems_of(Algorithm, error.errors())
        listing = "; ".join(f"{problem.pointer}: {problem.detail}" for problem in problems)
        raise ConfigError(f"the algorithm {values.get('name')!r} cannot be added: {listing}", problems) from None


def registry_problems(url: Mapping[str, EndpointSection]) -> list[Problem]:
    """What is wrong with the registry among all endpoints, with YAML paths."""
    registries = {name: entry for name, entry in url.items() if isinstance(entry, RegistryHandlerEndpoint)}
    first = next(iter(registries), None)
    problems = [
        Problem(f"url.{name}.handler", f"a server has one registry, and that is {first!r}; put its endpoints there")
        for name in registries
        if name != first
    ]
    known = [name for name, entry in url.items() if isinstance(entry, MLHandlerEndpoint)]
    for name, registry in registries.items():
        problems += [
            Problem(f"url.{other}.pattern", f"{entry.pattern} belongs to the registry {name!r}; choose another path")
            for other, entry in url.items()
            if other != name and _is_list_of(registry.pattern, entry.pattern)
        ]
        for called, endpoint in registry.kwargs.endpoints.items():
            for number, algorithm in enumerate(endpoint.algorithms):
                if algorithm.endpoint is not None and algorithm.endpoint not in known:
                    where = f"url.{name}.kwargs.endpoints.{called}.algorithms.{number}.endpoint"
                    hint = did_you_mean(algorithm.endpoint, known) or f"; known: {', '.join(known) or 'none'}"
                    problems.append(Problem(where, f"there is no MLHandler endpoint {algorithm.endpoint!r}{hint}"))
    return problems


def _is_list_of(base: str, pattern: str) -> bool:
    below = pattern.removeprefix(base.rstrip("/") + "/")
    return below != pattern and below.split("/")[0] in OWN_NAMES
