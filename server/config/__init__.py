"""The configuration: one YAML file, parsed once into frozen models."""

from server.config.classifier import ClassifierHandlerEndpoint, ClassifierModelOptions
from server.config.config_file import ConfigFile
from server.config.database_url import database_file, without_secrets
from server.config.loading import Config, load_config
from server.config.registry import (
    LISTS,
    SETTABLE,
    STATUSES,
    Algorithm,
    AlgorithmOptions,
    RegistryHandlerEndpoint,
    algorithm_of,
)
from server.config.sections import (
    DataSource,
    Limits,
    ModelEntry,
    RequestsSection,
    ServerSection,
    TextHandlerEndpoint,
    TextModelOptions,
    TrainingOptions,
)

__all__ = [
    "LISTS",
    "SETTABLE",
    "STATUSES",
    "Algorithm",
    "AlgorithmOptions",
    "ClassifierHandlerEndpoint",
    "ClassifierModelOptions",
    "Config",
    "ConfigFile",
    "DataSource",
    "Limits",
    "ModelEntry",
    "RegistryHandlerEndpoint",
    "RequestsSection",
    "ServerSection",
    "TextHandlerEndpoint",
    "TextModelOptions",
    "TrainingOptions",
    "algorithm_of",
    "database_file",
    "load_config",
    "without_secrets",
]
