"""Processes that die, or find the disk full, at a chosen step of a change; the runner's children run them."""

import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from server.errors import StorageFull
from server.service.run_book import RunBook
from server.service.run_folder import active_runs
from server.service.run_log import open_run
from server.service.training import TrainingTask, train
from server.storage import training_data
from server.storage.endpoint_store import EndpointStore
from server.storage.files import Lock

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def die_at(step: int) -> None:
    """End this process, as a kill would, before the step-th change of a file from now on."""
    left = step

    def count() -> None:
        nonlocal left
        if left == 0:
            os._exit(9)
        left -= 1

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if writes or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink"):
            count()

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            # Delta's writer is written in Rust: Python does not hear of its steps.
            count()
            answer = function(*arguments, **options)
            count()
            return answer

        return call

    training_data.write_deltalake = counted(training_data.write_deltalake)
    sys.addaudithook(heard)


def stage(folder: Path, run: str, rows: pd.DataFrame | None) -> EndpointStore:
    """A store with a model, and rows if given, staged for the run."""
    store = EndpointStore(folder)
    if rows is not None:
        store.stage_rows(run, rows)
    store.stage_model(run, lambda path: path.write_bytes(f"model of {run}".encode()), {"run": run})
    return store


def stage_model(folder: Path, run: str, is_folder: bool) -> EndpointStore:
    """A store with a model staged for the run: a file, or a folder of two files."""

    def save(path: Path) -> None:
        if is_folder:
            (path / "config.json").write_text(run)
        weights = path / "model.safetensors" if is_folder else path
        weights.write_bytes(run.encode() * 1000)

    store = EndpointStore(folder)
    store.stage_model(run, save, {"run": run}, is_folder)
    return store


def publish_model(folder: Path, run: str, is_folder: bool) -> None:
    """Stage a model and publish it."""
    stage_model(folder, run, is_folder).publish(run, None)


def publish_model_dying(step: int, folder: Path, run: str, is_folder: bool) -> None:
    """Stage a model and publish it, and die at the step, of staging or of publishing."""
    die_at(step)
    publish_model(folder, run, is_folder)


def delete_model_dying(step: int, folder: Path) -> None:
    """Delete the model as an endpoint does, and die at the step."""
    store = EndpointStore(folder)
    die_at(step)
    with store.changing():
        store.save_state({"state": "deleted"})
        store.model.delete()


def publish(folder: Path, run: str, rows: pd.DataFrame | None, settings: dict[str, Any] | None) -> None:
    """Stage and publish."""
    change = None if settings is None else lambda before: before | settings
    stage(folder, run, rows).publish(run, change)


def publish_dying(
    step: int, folder: Path, run: str, rows: pd.DataFrame | None, settings: dict[str, Any] | None
) -> None:
    """Stage; then publish, and die at the step."""
    store = stage(folder, run, rows)
    die_at(step)
    store.publish(run, None if settings is None else lambda before: before | settings)


def recover_dying(step: int, folder: Path) -> None:
    """Recover, and die at the step."""
    store = EndpointStore(folder)
    die_at(step)
    store.recover()


def train_dying(step: int, task: TrainingTask, book: RunBook, rows: pd.DataFrame) -> None:
    """Train as an endpoint does, and die at the step."""
    store = EndpointStore(task.config.state_folder(task.endpoint))
    with active_runs(task.config).opened(task.key):
        run = open_run(book, task.key, task.endpoint, "any")
        die_at(step)
        store.stage_rows(run, rows)
        train(replace(task, run=run), book)


def with_little_room(size: int, function: Callable[..., Any], *arguments: Any) -> bool:
    """Whether the function ended well although no file could grow beyond the size."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        function(*arguments)
    except StorageFull:
        return False
    return True


def append(folder: Path, rows: pd.DataFrame) -> None:
    """Append to the training data."""
    store = EndpointStore(folder)
    with store.changing():
        store.data.append(rows)


def save_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Change the settings, as a PUT does."""
    store = EndpointStore(folder)
    with store.changing():
        store.save_settings({}, settings)


def hold(path: Path, ready: Path) -> None:
    """Hold the lock until killed."""
    with Lock(path).held():
        ready.touch()
        while True:
            time.sleep(1)
