"""Commands: flask --app wsgi runs list, show, cancel, promote."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from server.app import Application
from server.config import Config
from server.errors import RunConflict, ServerError
from server.service.experiment_book import ExperimentBook
from server.service.promotion import promote
from server.service.runs import Runs
from server.service.stores import open_store

run_commands = AppGroup("runs", help="Trainings.")
COLUMNS = ("run_id", "endpoint", "status", "class", "score", "start_time", "duration")


def _config() -> Config:
    application: Application = current_app.extensions["restimator"]
    return application.config


def _runs() -> Runs:
    """A command is over before a process of its own would have kept the book."""
    return Runs(_config(), ExperimentBook(_config()))


def _or_exit(command: Callable[..., None]) -> Callable[..., None]:
    """What the server refuses as a sentence, and exit status 1."""

    @wraps(command)
    def call(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except ServerError as error:
            click.echo(f"error: {error.detail}", err=True)
            sys.exit(1)

    return call


@run_commands.command("list")
@click.option("--endpoint", help="Of this endpoint only.")
@click.option("--status", help="SCHEDULED, RUNNING, FINISHED, FAILED or KILLED.")
@click.option("--limit", default=20, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with everything that is known.")
@_or_exit
def list_runs(endpoint: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """The latest runs, the newest first; * marks those that serve."""
    found, _ = _runs().found(endpoint, status, limit)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = [[_cell(run, column) for column in COLUMNS] for run in found]
    widths = [max(map(len, cells)) for cells in zip(COLUMNS, *rows, strict=True)]
    for cells in [list(COLUMNS), *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def _cell(run: dict[str, Any], column: str) -> str:
    value = run["metrics"].get("score") if column == "score" else run[column]
    if value is None:
        return "-"
    mark = " *" if column == "status" and run["serving"] else ""
    return f"{value:.4g}" if isinstance(value, float) else f"{value}{mark}"


@run_commands.command("show")
@click.argument("run")
@_or_exit
def show_run(run: str) -> None:
    """All that is known of RUN, as JSON."""
    click.echo(json.dumps(_runs().show(run), indent=2, ensure_ascii=False))


@run_commands.command("cancel")
@click.argument("run")
@_or_exit
def cancel_run(run: str) -> None:
    """Stop RUN."""
    ended = _runs().cancel(run)
    click.echo(f"{ended['endpoint']}: run {run} is {ended['status']}")


@run_commands.command("promote")
@click.argument("run")
@_or_exit
def promote_run(run: str) -> None:
    """Let the model of RUN serve again."""
    config = _config()
    endpoint = _runs().show(run)["endpoint"]
    if endpoint not in config.models:
        raise RunConflict(f"run {run} is one of {endpoint}, whose models are asked by the ids of their runs")
    promote(ExperimentBook(config), open_store(config, endpoint), endpoint, run)
    click.echo(f"{endpoint}: the model of run {run} serves")
