"""The configuration: one YAML file, parsed once into frozen models."""

from server.config.classifier import ClassifierHandlerEndpoint, ClassifierModelOptions
from server.config.config_file import ConfigFile
from server.config.database_url import database_file, without_secrets
from server.config.keys import SCOPES, Key, Scope, digest_of, hash_of, keys_text, read_keys
from server.config.limits import Limits, checked_rate
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
from server.config.sections import DataSource, ModelEntry, TextHandlerEndpoint, TextModelOptions, TrainingOptions
from server.config.server_section import LogSection, RequestsSection, ServerSection

__all__ = [
    "LISTS",
    "SCOPES",
    "SETTABLE",
    "STATUSES",
    "Algorithm",
    "AlgorithmOptions",
    "ClassifierHandlerEndpoint",
    "ClassifierModelOptions",
    "Config",
    "ConfigFile",
    "DataSource",
    "Key",
    "Limits",
    "LogSection",
    "ModelEntry",
    "RegistryHandlerEndpoint",
    "RequestsSection",
    "Scope",
    "ServerSection",
    "TextHandlerEndpoint",
    "TextModelOptions",
    "TrainingOptions",
    "algorithm_of",
    "checked_rate",
    "database_file",
    "digest_of",
    "hash_of",
    "keys_text",
    "load_config",
    "read_keys",
    "without_secrets",
]
