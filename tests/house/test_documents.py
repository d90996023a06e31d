"""What users read is true: keys, options, commands and statuses stand in the README, the schema is current."""

import re
from pathlib import Path

import pytest

from server import errors
from server.cli import config_commands, schema_text, text_commands
from server.cli_keys import key_commands
from server.config.limits import Limits
from server.config.sections import DataSource, MLHandlerKwargs, ModelOptions, TextHandlerKwargs, TextModelOptions
from server.config.server_section import LogSection, RequestsSection, ServerSection
from server.service.recipe import OPTIONS
from server.tables.formats import READABLE
from server.web import mlhandler, responses

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SECTIONS = [
    ServerSection, Limits, LogSection, RequestsSection, MLHandlerKwargs, ModelOptions, DataSource, TextHandlerKwargs,
    TextModelOptions,
]  # fmt: skip
KEYS = sorted({field.alias or name for section in SECTIONS for name, field in section.model_fields.items()})
STATUSES = sorted({thing.status for thing in vars(errors).values() if hasattr(thing, "status")})
WORDS = [*OPTIONS, *mlhandler.ACTIONS, *mlhandler.VIEWS, "_output", "_format", "_metric", "_opts"]
# Told as part of their room.
PARTS = {"__init__", "columns", "conversion", "arrow", "sections", "variables", "mistakes", "loading"}


def test_the_json_schema_is_current():
    assert (ROOT / "docs" / "config.schema.json").read_text() == schema_text(), "run: make schema"


@pytest.mark.parametrize("key", KEYS)
def test_readme_names_every_configuration_key(key):
    assert re.search(r"[`. ]" + key + r"[`: ,.]", README)


@pytest.mark.parametrize("name", WORDS)
def test_readme_names_every_option_and_action(name):
    assert name in README


@pytest.mark.parametrize("name", [*READABLE, *responses.TABLE_FORMATS])
def test_readme_names_every_format(name):
    assert re.search(rf"\b{name}\b", README)


@pytest.mark.parametrize("status", STATUSES)
def test_readme_explains_every_status(status):
    assert f"| {status} |" in README


@pytest.mark.parametrize("group", [config_commands, key_commands, text_commands], ids=lambda group: group.name)
def test_readme_names_every_command(group):
    for command in group.commands:
        assert f"flask --app wsgi {group.name} {command}" in README


def test_architecture_names_every_room_and_module():
    text = (ROOT / "docs" / "architecture.md").read_text()
    for path in (ROOT / "server").glob("*/*.py"):
        assert path.stem in PARTS or f"`{path.stem}`" in text, path


def test_every_setting_has_a_description():
    for section in SECTIONS:
        assert all(field.description for field in section.model_fields.values()), section


def test_links_between_documents_lead_somewhere():
    for document in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(((?!http|#)[^)#]+)", document.read_text()):
            assert (ROOT / target).exists(), f"{document.name}: {target}"
