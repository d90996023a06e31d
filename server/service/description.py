"""What is told of an endpoint: its class and parameters, and what has changed since its training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from server.config import ModelEntry
from server.errors import NotReady
from server.estimators.catalogue import TEXT_CLASSES
from server.service.recipe import Recipe
from server.service.served_model import ServedModel
from server.service.source import fingerprint, has_changed
from server.tables.transform import find_transform


def described(recipe: Recipe, served: ServedModel | None, allowed: Sequence[str]) -> dict[str, Any]:
    """Class and all its parameters as it will next be trained; of a model that a user brought, its own."""
    if recipe.class_name is None:
        return {"params": {}, "model": None}
    if served is not None and served.estimator.parameters() == recipe.params:
        return {"params": recipe.params, "model": recipe.class_name}
    return {"params": recipe.all_parameters(allowed), "model": recipe.class_name}


def configured_model(entry: ModelEntry) -> dict[str, Any]:
    """The model section of the configuration, as it is remembered with a trained model."""
    section = entry.kwargs.model.model_dump(mode="json", by_alias=True) | {"class": entry.model_class}
    if entry.handler == "MLHandler" and entry.model_class not in TEXT_CLASSES:
        del section["text_col"]
    return section


def stale_reasons(entry: ModelEntry, served: ServedModel | None, folder: Path) -> list[str]:
    """What has changed in the configuration since the serving model was trained."""
    if served is None or not served.facts:
        return []
    reasons = []
    if served.facts.get("configured") != configured_model(entry):
        reasons.append("the model section of the configuration")
    before = served.facts.get("source")
    if has_changed(before, fingerprint(entry.kwargs.data, before)):
        reasons.append("data.url or what it holds")
    transform = configured_transform(entry, folder)
    if (served.transform, served.facts.get("transform_digest")) != transform:
        reasons.append("data.transform or the file it lies in")
    return reasons


def configured_transform(entry: ModelEntry, folder: Path) -> tuple[str | None, str | None]:
    """The configuration's transform and the checksum of its file, as remembered with a trained model."""
    text = entry.kwargs.data.transform if entry.kwargs.data else None
    if text is None:
        return None, None
    try:
        return text, find_transform(text, folder).digest()
    except NotReady:
        return text, None
