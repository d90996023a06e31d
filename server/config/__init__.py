"""The configuration: one YAML file, parsed once into frozen models."""

from server.config.database_url import database_file, without_secrets
from server.config.loading import Config, load_config
from server.config.sections import (
    ConfigFile,
    DataSource,
    EndpointEntry,
    Limits,
    ServerSection,
    TextHandlerEndpoint,
    TextModelOptions,
    TrainingOptions,
)

__all__ = [
    "Config",
    "ConfigFile",
    "DataSource",
    "EndpointEntry",
    "Limits",
    "ServerSection",
    "TextHandlerEndpoint",
    "TextModelOptions",
    "TrainingOptions",
    "database_file",
    "load_config",
    "without_secrets",
]
