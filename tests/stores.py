"""A fresh MLflow store, made once: MLflow needs seconds for each."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from server.tracking.mlflow_store import MlflowStore


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="restimator-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    MlflowStore(f"sqlite:///{folder}/mlflow.db", folder, folder / "lock").experiments()
    return folder / "mlflow.db"


def fresh_store(models: Path) -> None:
    """Put an empty store where the server would make one, unless there is one."""
    if not (models / "mlflow.db").exists():
        models.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_template(), models / "mlflow.db")
