"""config.yaml → Config. Every mistake is reported at once, with its YAML path."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from server.config.classifier import ClassifierHandlerEndpoint
from server.config.config_file import ConfigFile, EndpointEntry
from server.config.mistakes import problems_of
from server.config.paths import absolute, endpoint_paths, server_paths
from server.config.registry import RegistryHandlerEndpoint, registry_problems
from server.config.sections import ModelEntry
from server.config.server_section import ServerSection
from server.config.variables import expand, merged, settings_from
from server.errors import ConfigError, Problem, did_you_mean

DEFAULT = Path(__file__).parents[2] / "config.yaml"
HANDLERS = ("MLHandler", "TextHandler", "ClassifierHandler", "RegistryHandler")
# Arguments of Gramex's base handlers that have no meaning here.
IGNORED_KWARGS = frozenset(
    {
        "headers", "methods", "cache", "cors", "error", "errors", "log", "redirect", "set_xsrf", "session",
        "handlers", "ext", "priority", "login_url", "prompt", "default", "function",
    }
)  # fmt: skip
# What the server keeps in models_dir beside the endpoints' folders.
OWN_FILES = frozenset({".runs", "mlruns", "mlflow.db", *(f"server.db{end}" for end in ("", "-wal", "-shm", ".lock"))})
IGNORED_KEYS = frozenset({"priority", "service", "note"})
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Config:
    """The loaded configuration; all paths are absolute."""

    server: ServerSection
    url: dict[str, EndpointEntry]
    folder: Path
    warnings: tuple[str, ...] = ()

    @property
    def models(self) -> dict[str, ModelEntry]:
        """The endpoints that are one model each."""
        return {name: entry for name, entry in self.url.items() if isinstance(entry, ModelEntry)}

    @property
    def classifiers(self) -> dict[str, ClassifierHandlerEndpoint]:
        """The classifiers of documents, each with many experiments."""
        return {name: entry for name, entry in self.url.items() if isinstance(entry, ClassifierHandlerEndpoint)}

    @property
    def trained(self) -> dict[str, ModelEntry | ClassifierHandlerEndpoint]:
        """The endpoints that can be trained, and so have runs and a folder."""
        return {**self.models, **self.classifiers}

    @property
    def registry(self) -> tuple[str, RegistryHandlerEndpoint] | None:
        """The registry of algorithms and its name, if there is one."""
        found = ((name, entry) for name, entry in self.url.items() if isinstance(entry, RegistryHandlerEndpoint))
        return next(found, None)

    def state_folder(self, name: str) -> Path:
        """Where the endpoint of this name keeps its state: its config_dir."""
        configured = self.trained[name].kwargs.config_dir
        return Path(configured) if configured else Path(self.server.models_dir) / folder_name(name)


def folder_name(endpoint: str) -> str:
    """The endpoint's name as a file name: a slash becomes '-'."""
    return endpoint.replace("/", "-")


def load_config(path: str | Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration file: `path`, else $RESTIMATOR_CONFIG, else config.yaml beside wsgi.py.

    Raises:
        ConfigError: with every mistake found, each with its YAML path.
    """
    environment = os.environ if environment is None else environment
    file = Path(path or environment.get("RESTIMATOR_CONFIG") or DEFAULT).absolute()
    raw = _read(file)
    problems: list[Problem] = []
    warnings: list[str] = []
    raw["server"] = merged(raw.get("server") or {}, settings_from(environment, problems))
    expanded = _expanded(raw, file.parent, environment, problems)
    _check_shape(expanded, problems)
    _drop_foreign_keys(expanded["url"], problems, warnings)
    parsed = _parsed(expanded, problems)
    server = server_paths(parsed.server, file.parent)
    config = Config(
        server=server,
        url={name: endpoint_paths(entry, server, file.parent) for name, entry in parsed.url.items()},
        folder=file.parent,
        warnings=tuple(warnings),
    )
    _check_names(config)
    return config


MERGE = "tag:yaml.org,2002:merge"


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets a later key replace an earlier one silently; here that is an error."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == MERGE:
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, (str, int, float, bool)):
            raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    # Merge keys (<<) come first in the flattened mapping, and the mapping's own keys win.
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = yaml.load(file.read_text(encoding="utf-8-sig"), _UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror}; RESTIMATOR_CONFIG names the configuration file",
            [Problem("", f"{file} cannot be read: {error.strerror}")],
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text", [Problem("", f"byte {error.start} is not UTF-8")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{file} is not valid YAML{where}: {reason}", [Problem("", f"{reason}{where}")]) from error
    if raw is None or raw == {}:
        raise ConfigError(f"{file} has no endpoints", [Problem("url", "there is no endpoint; add one under url:")])
    if not isinstance(raw, dict):
        raise ConfigError(f"{file} must hold keys such as url:", [Problem("", "expected a mapping")])
    if not isinstance(raw.get("server") or {}, dict):
        raise ConfigError("server: must hold keys", [Problem("server", "expected a mapping")])
    return {str(key): value for key, value in raw.items()}


def _expanded(
    raw: dict[str, Any], folder: Path, environment: Mapping[str, str], problems: list[Problem]
) -> dict[str, Any]:
    variables = dict(environment) | {"YAMLPATH": str(folder)}
    server = expand(raw["server"], variables, "server", problems)
    data_dir = str(server.get("data_dir") or "data")
    variables |= {
        "YAMLURL": str(server.get("base_url") or "").strip("/"),
        "GRAMEXDATA": absolute(data_dir, folder),
    }
    return {**expand({k: v for k, v in raw.items() if k != "server"}, variables, "", problems), "server": server}


def _check_shape(raw: dict[str, Any], problems: list[Problem]) -> None:
    """Point out endpoints that stand at the top of the file, as the old guide prints them."""
    strays = [
        key for key, value in raw.items() if isinstance(value, dict) and ("handler" in value or "pattern" in value)
    ]
    for key in strays:
        if key != "url":
            problems.append(Problem(key, f"endpoints stand under 'url:'; move {key!r} (indented) below a line 'url:'"))
            del raw[key]
    url = raw.get("url")
    if not isinstance(url, dict) or not url:
        problems.append(Problem("url", "there is no endpoint; add one under url:"))
    if problems:
        raise _config_error(problems)


def _drop_foreign_keys(url: dict[str, Any], problems: list[Problem], warnings: list[str]) -> None:
    for name, entry in url.items():
        path = f"url.{name}"
        if not isinstance(entry, dict):
            continue
        _check_handler(entry.get("handler"), path, problems)
        kwargs = entry.get("kwargs")
        if kwargs is None:
            kwargs = entry["kwargs"] = {}
        if not isinstance(kwargs, dict):
            continue
        if "template" in entry:
            kwargs.setdefault("template", entry.pop("template"))
        if "auth" in entry or "auth" in kwargs:
            problems.append(
                Problem(
                    f"{path}.kwargs.auth",
                    "Gramex's auth is not honoured, and ignoring it would open a door; use server.keys "
                    "(section 10 of the contract) and remove auth",
                )
            )
            kwargs.pop("auth", None)
            entry.pop("auth", None)
        for place, where, foreign in ((kwargs, f"{path}.kwargs", IGNORED_KWARGS), (entry, path, IGNORED_KEYS)):
            for key in sorted(foreign & place.keys()):
                del place[key]
                warnings.append(f"{where}.{key}: has no effect here and is ignored")


def _check_handler(handler: Any, path: str, problems: list[Problem]) -> None:
    if isinstance(handler, str) and handler not in HANDLERS:
        near = did_you_mean(handler, HANDLERS)
        problems.append(
            Problem(f"{path}.handler", f"unknown handler {handler!r}{near or '; known: ' + ', '.join(HANDLERS)}")
        )


def _parsed(raw: dict[str, Any], problems: list[Problem]) -> ConfigFile:
    try:
        parsed = ConfigFile.model_validate(raw)
    except ValidationError as error:
        told = {problem.pointer for problem in problems}
        problems += [problem for problem in problems_of(ConfigFile, error.errors()) if problem.pointer not in told]
        raise _config_error(problems) from None
    if problems:
        raise _config_error(problems)
    return parsed


def _config_error(problems: list[Problem]) -> ConfigError:
    listing = "\n".join(f"  {problem.pointer}: {problem.detail}" for problem in problems)
    return ConfigError(f"the configuration has {len(problems)} mistake(s):\n{listing}", problems)


def _check_names(config: Config) -> None:
    problems = registry_problems(config.url)
    unfit = sorted(set(config.server.models_dir) & set("?#%"))
    if unfit:
        problems.append(
            Problem(
                "server.models_dir",
                f"{config.server.models_dir} must not contain {' or '.join(unfit)}, "
                "which means something else in the URLs of the stores that lie there",
            )
        )
    problems += _invocation_problems(config)
    patterns: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name, entry in config.url.items():
        if not name.strip() or folder_name(name) in {".", "..", *OWN_FILES} or "\0" in name:
            problems.append(Problem(f"url.{name}", f"{name!r} cannot be the name of an endpoint"))
        if "'" in name and '"' in name:
            problems.append(Problem(f"url.{name}", "a name has one kind of quotes at most: MLflow searches by it"))
        if entry.pattern in patterns:
            problems.append(
                Problem(f"url.{name}.pattern", f"{entry.pattern} is already the pattern of {patterns[entry.pattern]!r}")
            )
        if folder_name(name) in folders:
            problems.append(Problem(f"url.{name}", f"the name gives the same folder as {folders[folder_name(name)]!r}"))
        patterns.setdefault(entry.pattern, name)
        folders.setdefault(folder_name(name), name)
    if problems:
        raise _config_error(problems)


def _invocation_problems(config: Config) -> list[Problem]:
    name = config.server.invocations
    if name is None or name in config.models:
        return []
    near = did_you_mean(name, config.models) or f"; there are {', '.join(config.models) or 'none'}"
    return [Problem("server.invocations", f"{name!r} is no endpoint of MLHandler or TextHandler{near}")]
