"""Commands: flask --app wsgi keys create, list, revoke."""

import secrets
import sys
from pathlib import Path
from typing import NoReturn

import click
from flask import current_app
from flask.cli import AppGroup

from server.app import Application
from server.config import SCOPES, Config, Key, Scope, checked_rate, hash_of, keys_text, read_keys
from server.errors import ConfigError
from server.storage.files import Lock, write_whole

# By it, tools that look for secrets in files know what they have found.
PREFIX = "restimator_"
key_commands = AppGroup("keys", help="Keys that open the server.")


@key_commands.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), required=True, help="What it opens.")
@click.option("--endpoint", "endpoints", multiple=True, help="An endpoint that it opens; none named: all.")
@click.option("--rate", help="How often it may be used, such as 100/minute; server.limits.rate by default.")
def create_key(name: str, scopes: tuple[Scope, ...], endpoints: tuple[str, ...], rate: str | None) -> None:
    """Make a key for NAME and print it: this once, since only its hash is kept.

    It is added to the file of server.keys, if there is one; else the lines to put there are printed, too.
    """
    config = _config()
    unknown = next((endpoint for endpoint in endpoints if endpoint not in config.url), None)
    if unknown is not None:
        _fail(f"there is no endpoint {unknown!r}; known: {', '.join(config.url)}")
    if rate is not None:
        _check_rate(config, rate)
    secret = PREFIX + secrets.token_urlsafe(32)
    key = Key(name=name, hash=hash_of(secret), scopes=scopes, endpoints=endpoints, rate=rate)
    file = _file(config)
    if file is None:
        click.echo(f"Put this below server.keys in the configuration:\n{keys_text([key])}", err=True, nl=False)
    else:
        with Lock(file.with_name(f".{file.name}.lock")).held():
            keys = _keys(config)
            if any(one.name == name for one in keys):
                _fail(f"there is a key {name!r} already; revoke it first, or choose another name")
            _write(file, (*keys, key))
    click.echo(secret)


@key_commands.command("list")
def list_keys() -> None:
    """List the keys: whose they are, and what they open."""
    for key in _keys(_config()):
        click.echo(f"{key.name}  {' '.join(key.scopes)}  {' '.join(key.endpoints) or 'all endpoints'}")


@key_commands.command("revoke")
@click.argument("name")
def revoke_key(name: str) -> None:
    """Remove NAME's key from the file of server.keys; a running server stops to know it within two seconds."""
    config = _config()
    file = _file(config)
    if file is None:
        _fail("the keys stand in the configuration; remove the key there, and restart the server")
    with Lock(file.with_name(f".{file.name}.lock")).held():
        keys = _keys(config)
        kept = tuple(key for key in keys if key.name != name)
        if len(kept) == len(keys):
            _fail(f"there is no key {name!r}; known: {', '.join(key.name for key in keys) or 'none'}")
        _write(file, kept)
    click.echo(f"{name} is revoked")


def _check_rate(config: Config, rate: str) -> None:
    try:
        checked_rate(rate)
    except ValueError as error:
        _fail(str(error))
    if config.server.limits.rate is None:
        _fail("a key's own rate counts only beside one for all; set server.limits.rate first")


def _config() -> Config:
    application: Application = current_app.extensions["restimator"]
    return application.config


def _file(config: Config) -> Path | None:
    return Path(config.server.keys) if isinstance(config.server.keys, str) else None


def _keys(config: Config) -> tuple[Key, ...]:
    file = _file(config)
    if file is None:
        return config.server.keys if isinstance(config.server.keys, tuple) else ()
    try:
        return read_keys(file)
    except ConfigError as error:
        _fail(error.detail)


def _write(file: Path, keys: tuple[Key, ...]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, keys_text(keys).encode())


def _fail(reason: str) -> NoReturn:
    click.echo(f"error: {reason}", err=True)
    sys.exit(1)
