"""The configuration file as a whole: the server's section and the endpoints of all handlers."""

from typing import Annotated

from pydantic import Field

from server.config.classifier import ClassifierHandlerEndpoint
from server.config.registry import RegistryHandlerEndpoint
from server.config.sections import ModelEntry, Section
from server.config.server_section import ServerSection

EndpointEntry = Annotated[
    ModelEntry | ClassifierHandlerEndpoint | RegistryHandlerEndpoint, Field(discriminator="handler")
]


class ConfigFile(Section):
    """config.yaml as a whole."""

    server: ServerSection = Field(default=ServerSection(), description="Settings of the server as a whole.")
    url: dict[str, EndpointEntry] = Field(min_length=1, description="The endpoints by name.")
