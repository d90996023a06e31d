"""What is told of an endpoint: its class and parameters, and what has changed since its training."""

from collections.abc import Sequence
from typing import Any

from server.config import MLHandlerEndpoint
from server.service.recipe import Recipe
from server.service.serving import ServedModel
from server.service.source import fingerprint, has_changed


def described(recipe: Recipe, served: ServedModel | None, allowed: Sequence[str]) -> dict[str, Any]:
    """Class and all its parameters as it will next be trained; of a model that a user brought, its own."""
    if recipe.class_name is None:
        return {"params": {}, "model": None}
    if served is not None and served.estimator.parameters() == recipe.params:
        return {"params": recipe.params, "model": recipe.class_name}
    return {"params": recipe.all_parameters(allowed), "model": recipe.class_name}


def configured_model(entry: MLHandlerEndpoint) -> dict[str, Any]:
    """The model section of the configuration, as it is remembered with a trained model."""
    return entry.kwargs.model.model_dump(mode="json", by_alias=True) | {"class": entry.model_class}


def stale_reasons(entry: MLHandlerEndpoint, served: ServedModel | None) -> list[str]:
    """What has changed in the configuration since the serving model was trained."""
    if served is None or not served.facts:
        return []
    reasons = []
    if served.facts.get("configured") != configured_model(entry):
        reasons.append("the model section of the configuration")
    before = served.facts.get("source")
    if has_changed(before, fingerprint(entry.kwargs.data, before)):
        reasons.append("data.url or what it holds")
    return reasons
