"""The configuration: one YAML file, parsed once into frozen models."""

from server.config.loading import Config, load_config
from server.config.sections import ConfigFile, DataSource, Limits, MLHandlerEndpoint, ModelOptions, ServerSection

__all__ = [
    "Config",
    "ConfigFile",
    "DataSource",
    "Limits",
    "MLHandlerEndpoint",
    "ModelOptions",
    "ServerSection",
    "load_config",
]
