"""Where the servers that share a models_dir keep what tells of their runs."""

from pathlib import Path

from server.config import Config
from server.storage.active_runs import ActiveRuns
from server.storage.run_counts import RunCounts


def active_runs(config: Config) -> ActiveRuns:
    """The lock files of the runs of all servers that share this models_dir."""
    return ActiveRuns(own_folder(config))


def run_counts(config: Config) -> RunCounts:
    """How many runs of this models_dir ended, and how."""
    return RunCounts(own_folder(config) / "ended")


def kept_models(config: Config) -> Path:
    """Where models of runs lie whose store is elsewhere."""
    return own_folder(config) / "models"


def own_folder(config: Config) -> Path:
    """Where the server keeps what tells of its runs."""
    return Path(config.server.models_dir) / ".runs"


def shared_folder(config: Config) -> str | None:
    """The identity of models_dir, which other machines must see, too, if they train; else None."""
    return active_runs(config).identity() if config.server.compute else None
