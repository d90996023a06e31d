"""The WSGI entry point: gunicorn wsgi:app, or flask --app wsgi run."""

from server.app import create_app
from server.cli import add_commands
from server.config import load_config
from server.errors import ConfigError

try:
    app = create_app(load_config())
except ConfigError as error:
    raise SystemExit(f"Restimator cannot start: {error.detail}") from None
add_commands(app)
