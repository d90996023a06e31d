"""Relative paths of the configuration → absolute ones; the file's folder is what they are relative to."""

from pathlib import Path
from typing import Any

from server.config.classifier import WEIGHTS, ClassifierHandlerEndpoint
from server.config.config_file import EndpointEntry
from server.config.database_url import absolute_url
from server.config.registry import RegistryHandlerEndpoint
from server.config.sections import TASKS, ModelEntry
from server.config.server_section import ServerSection


def absolute(path: str, folder: Path) -> str:
    """The path, which is relative to the folder or to a home folder, if it is."""
    return str((folder / Path(path).expanduser()).absolute())


def server_paths(server: ServerSection, folder: Path) -> ServerSection:
    """The section with absolute paths."""
    models = absolute(server.models_dir, folder)
    urls = {"tracking_uri": f"sqlite:///{models}/mlflow.db", "database": f"sqlite:///{models}/server.db"}
    # What is kept in models_dir by default moves with it.
    urls |= {
        name: getattr(server, name).replace("$YAMLPATH", str(folder)) for name in urls.keys() & server.model_fields_set
    }
    if "database" in server.model_fields_set:
        urls["database"] = absolute_url(urls["database"], folder)
    paths = {"models_dir": models, "data_dir": absolute(server.data_dir, folder)}
    if isinstance(server.keys, str):
        paths["keys"] = absolute(server.keys, folder)
    return server.model_copy(update=paths | urls)


def _classifier_paths(
    entry: ClassifierHandlerEndpoint, server: ServerSection, folder: Path
) -> ClassifierHandlerEndpoint:
    kwargs = entry.kwargs
    changes: dict[str, Any] = {"documents": absolute(kwargs.documents or server.data_dir, folder)}
    if kwargs.config_dir:
        changes["config_dir"] = absolute(kwargs.config_dir, folder)
    if kwargs.model.is_transformer:
        weights = kwargs.model.params.get("model", WEIGHTS)
        params = {**kwargs.model.params, "model": _weights(weights, folder)}
        changes["model"] = kwargs.model.model_copy(update={"params": params})
    return entry.model_copy(update={"kwargs": kwargs.model_copy(update=changes)})


def _registry_paths(entry: RegistryHandlerEndpoint, folder: Path) -> RegistryHandlerEndpoint:
    endpoints = {
        name: endpoint.model_copy(
            update={
                "algorithms": tuple(
                    algorithm.model_copy(update={"model": absolute(algorithm.model, folder)})
                    if algorithm.model
                    else algorithm
                    for algorithm in endpoint.algorithms
                )
            }
        )
        for name, endpoint in entry.kwargs.endpoints.items()
    }
    return entry.model_copy(update={"kwargs": entry.kwargs.model_copy(update={"endpoints": endpoints})})


def endpoint_paths(entry: EndpointEntry, server: ServerSection, folder: Path) -> EndpointEntry:
    """The entry with absolute paths."""
    if isinstance(entry, RegistryHandlerEndpoint):
        return _registry_paths(entry, folder)
    if isinstance(entry, ClassifierHandlerEndpoint):
        return _classifier_paths(entry, server, folder)
    kwargs = entry.kwargs
    changes: dict[str, Any] = {}
    if kwargs.config_dir:
        changes["config_dir"] = absolute(kwargs.config_dir, folder)
    if kwargs.template:
        changes["template"] = absolute(kwargs.template, folder)
    files = {name: getattr(kwargs.model, name, None) for name in ("path", "vectorizer")}
    paths = {name: absolute(path, folder) for name, path in files.items() if path}
    changes["model"] = kwargs.model.model_copy(update={**paths, **_pretrained(entry, folder)})
    if kwargs.data and kwargs.data.url:
        made = absolute_url if kwargs.data.is_database else absolute
        changes["data"] = kwargs.data.model_copy(update={"url": made(kwargs.data.url, folder)})
    return entry.model_copy(update={"kwargs": kwargs.model_copy(update=changes)})


def _pretrained(entry: ModelEntry, folder: Path) -> dict[str, Any]:
    """The parameters of a text model, with the folder of its pretrained weights as an absolute path."""
    params = entry.kwargs.model.params
    name = params.get("model")
    if entry.model_class not in TASKS.values() or not isinstance(name, str):
        return {}
    return {"params": {**params, "model": _weights(name, folder)}}


def _weights(name: Any, folder: Path) -> Any:
    """org/name may be a folder beside the configuration, or else a model of the hub."""
    if isinstance(name, str) and (name.startswith((".", "/", "~")) or (folder / name).is_dir()):
        return absolute(name, folder)
    return name
