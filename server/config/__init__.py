"""The configuration: one YAML file, parsed once into frozen models."""

from server.config.classifier import ClassifierHandlerEndpoint, ClassifierModelOptions
from server.config.config_file import ConfigFile
from server.config.database_url import database_file, without_secrets
from server.config.loading import Config, load_config
from server.config.sections import (
    DataSource,
    Limits,
    ModelEntry,
    ServerSection,
    TextHandlerEndpoint,
    TextModelOptions,
    TrainingOptions,
)

__all__ = [
    "ClassifierHandlerEndpoint",
    "ClassifierModelOptions",
    "Config",
    "ConfigFile",
    "DataSource",
    "Limits",
    "ModelEntry",
    "ServerSection",
    "TextHandlerEndpoint",
    "TextModelOptions",
    "TrainingOptions",
    "database_file",
    "load_config",
    "without_secrets",
]
