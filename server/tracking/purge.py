"""Removing an experiment from MLflow's store for good."""

import shutil
from typing import Any
from urllib.parse import unquote, urlsplit

from server.tracking.runs import Experiment

PAGE = 1000


def purge(client: Any, experiment: Experiment) -> None:
    """Remove a deleted experiment, its runs and what they hold, and nothing else; begun before, it is finished.

    MLflow's own command, `mlflow gc --experiment-ids`, removes all deleted runs and models of the whole store, other
    people's as well. These are the steps that it takes for each.
    """
    from mlflow.entities import ViewType
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    store = client._tracking_client.store
    location = urlsplit(experiment.artifact_location)
    while runs := client.search_runs([experiment.id], run_view_type=ViewType.ALL, max_results=PAGE):
        for run in runs:
            if location.scheme != "file":
                get_artifact_repository(run.info.artifact_uri).delete_artifacts()
            store._hard_delete_run(run.info.run_id)
    store._hard_delete_experiment(experiment.id)
    if location.scheme == "file":
        shutil.rmtree(unquote(location.path), ignore_errors=True)
