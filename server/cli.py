"""Commands: flask --app wsgi config check, text fetch; those of runs and keys are in `cli_runs` and `cli_keys`."""

import json
import sys
from pathlib import Path

import click
import yaml
from flask import Flask, current_app
from flask.cli import AppGroup

from server.app import Application, template_problems
from server.cli_keys import key_commands
from server.cli_runs import run_commands
from server.config import Config, ConfigFile, without_secrets
from server.errors import ServerError
from server.estimators.hub import fetch
from server.estimators.pretrained import REVISIONS

config_commands = AppGroup("config", help="The configuration.")
text_commands = AppGroup("text", help="Text models.")


@config_commands.command("schema")
def schema() -> None:
    """Print the JSON Schema (2020-12) of the configuration file."""
    click.echo(schema_text(), nl=False)


def schema_text() -> str:
    """The JSON Schema as docs/config.schema.json holds it."""
    schema = ConfigFile.model_json_schema(by_alias=True)
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "config.yaml"} | schema
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


@config_commands.command("check")
def check() -> None:
    """Print the effective configuration, or what is wrong with it (exit status 1)."""
    application: Application = current_app.extensions["restimator"]
    click.echo(effective_yaml(application.config), nl=False)
    for warning in application.config.warnings:
        click.echo(f"warning: {warning}", err=True)
    defects = {name: endpoint.readiness.defect() for name, endpoint in application.endpoints.items()}
    for name, defect in defects.items():
        if defect:
            click.echo(f"error: url.{name}: {defect}", err=True)
    registry = application.registry.own_defects() if application.registry else []
    for defect in registry:
        click.echo(f"error: {defect}", err=True)
    templates = template_problems(application.config)
    for problem in templates:
        click.echo(f"error: {problem.pointer}: {problem.detail}", err=True)
    sys.exit(1 if any(defects.values()) or registry or templates else 0)


def effective_yaml(config: Config) -> str:
    """The configuration with all defaults, passwords in URLs hidden."""
    values = {
        "server": config.server.model_dump(mode="json", by_alias=True),
        "url": {name: entry.model_dump(mode="json", by_alias=True) for name, entry in config.url.items()},
    }
    return yaml.safe_dump(without_secrets(values), sort_keys=False, allow_unicode=True, width=1000)


@text_commands.command("fetch")
@click.argument("model")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--revision", help="A branch, a tag or a commit; the main branch by default.")
def fetch_text_model(model: str, folder: Path, revision: str | None) -> None:
    """Save MODEL of the hub into DIR.

    DIR, which must be new or empty, can be copied to a machine without a connection.
    """
    try:
        path = fetch(model, revision or REVISIONS.get(model), folder)
    except ServerError as error:
        click.echo(f"error: {error.detail}", err=True)
        sys.exit(1)
    files = sorted(path.iterdir())
    size = sum(file.stat().st_size for file in files) / 2**20
    line = yaml.safe_dump({"model": str(path)}, default_flow_style=True, allow_unicode=True, width=10_000)
    click.echo(f"{model} is saved in {path} ({size:.1f} MiB):")
    click.echo("".join(f"  {file.name}\n" for file in files), nl=False)
    click.echo(f"In config.yaml: params: {line}", nl=False)


def add_commands(app: Flask) -> None:
    """Make the commands known to `flask --app wsgi`."""
    app.cli.add_command(config_commands)
    app.cli.add_command(text_commands)
    app.cli.add_command(run_commands)
    app.cli.add_command(key_commands)
