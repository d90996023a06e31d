"""The configuration: one YAML file, parsed once into frozen models."""

from server.config.loading import Config, load_config
from server.config.sections import (
    ConfigFile,
    DataSource,
    EndpointEntry,
    Limits,
    ServerSection,
    TextHandlerEndpoint,
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
    "TrainingOptions",
    "load_config",
]
