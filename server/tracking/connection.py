"""Opening MLflow's store, and letting go of it when it fails."""

import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock

# A server that cannot be reached must not hold up an answer for minutes, and nobody is told of what is trained here.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
REMOTE = ("http", "https", "databricks", "databricks-uc", "uc")
# Seconds until a database that does not answer is given up.
CONNECT = 10


def is_remote(uri: str) -> bool:
    """Whether a tracking server keeps the store, and the artifacts as well."""
    return urlsplit(uri).scheme in REMOTE


def open_client(uri: str, lock: Path) -> Any:
    """MLflow's client of the store, which is made if it is not there yet.

    Raises:
        Exception: any of those that MLflow and SQLAlchemy know.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    lock.parent.mkdir(parents=True, exist_ok=True)
    # Processes that create a fresh store at the same time destroy it.
    with FileLock(lock):
        if not is_remote(uri):
            _check_database(uri)
        from mlflow import MlflowClient

        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    return client


def let_go(client: Any) -> None:
    """Close the connections to a database: its file may have been replaced, or its server started anew."""
    engine = getattr(client._tracking_client.store, "engine", None) if client else None
    if engine is not None:
        engine.dispose()


def _check_database(uri: str) -> None:
    """Raise at once what MLflow would try again for minutes."""
    # A worker that never looks at runs does not need it.
    import sqlalchemy

    timeout = {"connect_timeout": CONNECT} if uri.startswith("postgresql") else {}
    engine = sqlalchemy.create_engine(uri, connect_args=timeout)
    try:
        engine.connect().close()
    finally:
        engine.dispose()
