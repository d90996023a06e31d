"""Rows of text models: no blank texts, and lists of entities in a form into which any later list fits.

What no training could learn from is told here, as long as rows have the numbers under which they were sent.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from server.errors import Problem
from server.estimators.catalogue import TEXT_CLASSES
from server.estimators.entities import NER, word_check
from server.estimators.spans import Entity, WrongEntities, entities_json, parse_entities
from server.estimators.texts import refuse_blank, refuse_wrong
from server.schema import Column, Kind, pointer
from server.service.recipe import Recipe


def storable(rows: pd.DataFrame, recipe: Recipe, stored: Sequence[Column] = ()) -> pd.DataFrame:
    """The rows as they are stored: entities as JSON text, unless `stored` rows hold lists; other rows as they are.

    Raises:
        InvalidRows: a text is blank, or a cell is no list of entities, or not of its text; empty cells are neither.
    """
    rows = _without_blank(rows, recipe)
    target = _entity_column(recipe)
    if target is None or target not in rows or recipe.text_col not in rows:
        return rows
    lists = any(column.name == target and column.kind is Kind.NESTED for column in stored)
    form: Callable[[Sequence[Entity]], Any] = _plain if lists else entities_json
    check = word_check(recipe.params.get("model"))
    cells, problems = [], []
    for row, (text, cell) in enumerate(zip(rows[recipe.text_col], rows[target], strict=True)):
        if _is_missing(text) or _is_missing(cell):
            cells.append(None if _is_missing(cell) else cell)
            continue
        try:
            entities = parse_entities(cell, str(text))
            check(str(text), entities)
            cells.append(form(entities))
        except WrongEntities as error:
            problems.append(Problem(pointer(row, target), f"row {row + 1}, {target}: {error}"))
    refuse_wrong(problems)
    return rows.assign(**{target: pd.Series(cells, index=rows.index, dtype=object if lists else "str")})


def shown(rows: pd.DataFrame, recipe: Recipe) -> pd.DataFrame:
    """Stored rows with their entities as lists."""
    target = _entity_column(recipe)
    if target is None or target not in rows or not isinstance(rows[target].dtype, pd.StringDtype):
        return rows
    try:
        cells = [None if _is_missing(cell) else json.loads(cell) for cell in rows[target]]
    except ValueError:
        # What was stored before the endpoint's class was NER may be any text.
        return rows
    return rows.assign(**{target: pd.Series(cells, index=rows.index, dtype=object)})


def _without_blank(rows: pd.DataFrame, recipe: Recipe) -> pd.DataFrame:
    """The rows with empty texts as missing cells, which every table can hold; white space alone is refused."""
    name = recipe.text_col
    if name is None or recipe.class_name not in TEXT_CLASSES or name not in rows:
        return rows
    cells = enumerate(rows[name])
    refuse_blank(name, [row for row, cell in cells if isinstance(cell, str) and cell and not cell.strip()])
    empty = rows[name].map(lambda cell: isinstance(cell, str) and not cell).astype(bool)
    return rows.assign(**{name: rows[name].mask(empty)}) if empty.any() else rows


def _entity_column(recipe: Recipe) -> str | None:
    return recipe.options.target_col if recipe.class_name == NER.__name__ else None


def _plain(entities: Sequence[Entity]) -> list[dict[str, Any]]:
    return [entity.to_dict() for entity in entities]


def _is_missing(cell: Any) -> bool:
    # A list is never missing, and has no single answer to the question.
    return (isinstance(cell, str) and not cell) or (pd.api.types.is_scalar(cell) and bool(pd.isna(cell)))
