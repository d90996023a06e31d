"""The endpoint's page: what its model does, a form that asks it, its data, a training, and the calls for programs."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flask import Response, render_template, request

from server.service.endpoint import Endpoint
from server.service.overview import USUAL_TEXT_CLASSES, Details, details, usual_classes
from server.service.recipe import Recipe
from server.service.text import TextEndpoint
from server.service.training_arguments import training_arguments
from server.web.form import Field, argument_field, fields
from server.web.responses import html_response

# Fields that stand in the form at once; the others wait behind a fold.
SHOWN_FIELDS = 24
DATA_FORMATS = {"csv": "CSV", "xlsx": "XLSX", "parquet": "Parquet", "json": "JSON"}
PICTURES = {
    "confusion_matrix": ("Confusion matrix", "How often each true class was predicted as which"),
    "roc_curve": ("ROC curve", "How much of a class is found, against how much of the others is taken for it"),
    "prediction_error": (
        "Predicted against true values",
        "One point for each row; a perfect model puts all on the diagonal",
    ),
    "coefficients": ("Coefficients", "How much each column weighs in the model's sum; numbers are scaled before"),
    "feature_importances": ("Feature importances", "How much each column contributes to the model's decisions"),
    "components": ("Components", "The rows on the first two columns that the model makes of them"),
    "clusters": ("Clusters", "How many rows the model puts into each cluster"),
    "forecast": ("Forecast", "The series, what the model expected of it, and how it goes on"),
    "terms": ("Terms", "The words that speak most for each class"),
    "entity_scores": ("Entities by type", "How many of those found are right, how many of the right ones are found"),
}
# The classes that training arguments are for.
TUNED = tuple(name for names in USUAL_TEXT_CLASSES.values() for name in names)
LEARNED = frozenset({"coefficients", "feature_importances", "terms"})


def endpoint_page(endpoint: Endpoint) -> Response:
    """The page as HTML; whatever state the endpoint is in."""
    known = details(endpoint)
    form = _form(endpoint, known)
    url = request.script_root + endpoint.entry.pattern
    page = render_template(
        "endpoint.html",
        known=known,
        seen=known.overview,
        url=url,
        now=datetime.now(UTC),
        shown_fields=form[:SHOWN_FIELDS],
        folded_fields=form[SHOWN_FIELDS:],
        formats=DATA_FORMATS,
        pictures=[picture_words(name, "the stored rows, which the model may have seen") for name in known.pictures],
        text_col=known.recipe.text_col if known.recipe else None,
        classes=usual_classes(known.recipe),
        arguments=[argument_field(argument) for argument in training_arguments(known.recipe)],
        tuned=TUNED,
        chosen=_chosen_columns(known),
        facts=_facts(endpoint, known, form, url),
    )
    return html_response(page)


def _form(endpoint: Endpoint, known: Details) -> list[Field]:
    """The fields of one row; of a TextHandler the one argument that it takes."""
    form = fields(known.inputs, known.example, known.days)
    if known.overview.texts and len(form) == 1:
        name = endpoint.query if isinstance(endpoint, TextEndpoint) else form[0].name
        return [replace(form[0], name=name, control="textarea")]
    return form


def _facts(endpoint: Endpoint, known: Details, form: list[Field], url: str) -> dict[str, Any]:
    """What the page's script needs to know, as JSON values."""
    return {
        "url": url,
        "state": known.overview.state,
        "waiting": known.overview.waiting,
        "run": known.overview.run,
        "hasModel": known.overview.kind is not None,
        "kind": known.overview.kind,
        "texts": known.overview.texts,
        "column": known.inputs[0].name if known.inputs else None,
        "answers": known.answers,
        "hasProbabilities": known.has_probabilities,
        "target": known.overview.target,
        "example": {field.name: field.value for field in form},
        "text": _text_facts(endpoint) if isinstance(endpoint, TextEndpoint) else None,
        "tuned": _tuned_facts(known.recipe),
        "mostBytes": int(endpoint.config.server.limits.body_mb * 2**20),
    }


def _text_facts(endpoint: TextEndpoint) -> dict[str, Any]:
    return {"column": endpoint.text_col, "labels": endpoint.labels}


def _tuned_facts(recipe: Recipe | None) -> dict[str, Any] | None:
    """Class and columns of the rows from which pretrained weights are to learn; None for other models."""
    if recipe is None or recipe.class_name not in TUNED:
        return None
    return {"class": recipe.class_name, "column": recipe.text_col, "target": recipe.options.target_col}


def picture_words(name: str, rows: str) -> dict[str, str]:
    """Name, title and caption of a picture that was drawn from these rows, if it was not read off the model."""
    title, caption = PICTURES.get(name, (name.replace("_", " ").capitalize(), ""))
    source = "Read off the model." if name in LEARNED else f"Drawn from {rows}."
    return {"name": name, "title": title, "caption": f"{caption}. {source}" if caption else source}


def _chosen_columns(known: Details) -> set[str]:
    """The stored columns that the next training learns from."""
    names = [column.name for column in known.stored.columns]
    if known.recipe is None:
        return set(names)
    return set(_learned_from(known.recipe, names))


def _learned_from(recipe: Recipe, names: list[str]) -> list[str]:
    options = recipe.options
    kept = [name for name in names if name in options.include] if options.include else names
    left_out = {options.target_col, options.index_col} | (set() if options.include else set(options.exclude))
    return [name for name in kept if name not in left_out]
