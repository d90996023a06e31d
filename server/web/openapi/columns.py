"""Columns of rows as JSON Schema: what a cell may be, and what training saw in it."""

from collections.abc import Collection, Mapping
from typing import Any

from server.schema import NUMERIC, Column, Kind
from server.service.interface import Interface
from server.web.openapi.operation import Schema, any_of, list_of, option

# More would be longer than anybody reads.
MOST_CATEGORIES = 100
# What stands in the place of values that must not be shown.
NEUTRAL: Mapping[Kind, Any] = {
    Kind.INTEGER: 0,
    Kind.NUMBER: 0,
    Kind.BOOLEAN: False,
    Kind.TEXT: "text",
    Kind.DATETIME: "2000-01-01",
    Kind.ANY: 0,
}
TYPES: Mapping[Kind, Schema] = {
    Kind.INTEGER: {"type": "number"},
    Kind.NUMBER: {"type": "number"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.TEXT: {"type": "string"},
    Kind.DATETIME: any_of({"type": "string"}, {"type": "integer"}),
    Kind.NESTED: {},
    Kind.ANY: {},
}


def shown_row(known: Interface, redacted: Collection[str]) -> dict[str, Any]:
    """The example of a row, with neutral values in the columns that must not be shown."""
    kinds = {column.name: column.kind for column in known.columns}
    return {
        name: NEUTRAL.get(kinds[name]) if name in redacted else cell
        for name, cell in known.example.items()
        if name in kinds
    }


def row_schema(known: Interface, redacted: Collection[str]) -> Schema:
    """One row as a JSON object; further columns are ignored by predictions, and stored by an append."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {column.name: _in_json(column, column.name in redacted) for column in known.columns},
    }
    if known.columns:
        schema["examples"] = [shown_row(known, redacted)]
    if not known.is_positional:
        schema["required"] = [column.name for column in known.columns]
    return schema


def query_parameters(known: Interface, redacted: Collection[str]) -> tuple[Schema, ...]:
    """One parameter for each column: given n times, it makes n rows."""
    example = shown_row(known, redacted)
    return tuple(
        _in_query(column, example.get(column.name), column.name in redacted)
        for column in known.columns
        if not column.name.startswith("_")
    )


def _in_json(column: Column, is_redacted: bool) -> Schema:
    cell = _cell(column, is_redacted)
    schema: dict[str, Any] = dict(any_of(cell, {"type": "null"})) if cell else {}
    told = _told(column, is_redacted)
    return schema | {"description": told} if told else schema


def _in_query(column: Column, example: Any, is_redacted: bool) -> Schema:
    # An empty field of a form is a missing cell.
    cell = any_of(_cell(column, is_redacted), {"const": ""})
    given = {} if example is None else {"example": example}
    return option(column.name, any_of(cell, {**list_of(cell), "minItems": 1}), _told(column, is_redacted), **given)


def _cell(column: Column, is_redacted: bool) -> Schema:
    """A cell that is there. A category that training did not see counts as none: it is no error, so any may be sent."""
    type_ = TYPES[column.kind]
    if is_redacted or not column.categories or len(column.categories) > MOST_CATEGORIES:
        return type_
    return any_of({"enum": list(column.categories)}, type_) if type_ else {"examples": list(column.categories)}


def _told(column: Column, is_redacted: bool) -> str:
    """What training saw in the column."""
    parts = []
    if column.kind in NUMERIC and not is_redacted and column.minimum is not None:
        whole = "whole numbers " if column.kind is Kind.INTEGER else ""
        parts.append(f"in training {whole}from {column.minimum:g} to {column.maximum:g}")
    if column.kind is Kind.DATETIME:
        parts.append("a moment in ISO 8601, or milliseconds since 1970")
    if column.categories and not is_redacted:
        parts.append("a category that training did not see counts as none of those listed")
    return "; ".join(parts)
