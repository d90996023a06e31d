"""All requests that match as one file, a batch at a time."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from server.service.entries import moment_text, request_told
from server.storage.registry.connection import RegistryDatabase
from server.storage.registry.listing import Page, rows_of
from server.tables.streaming import FORMATS, streamed
from server.tables.writing import plain_json

__all__ = ["FORMATS", "exported"]
BATCH = 1000
# What begins a formula, as OWASP lists it.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# In a table, what clients sent and got stands as JSON, and labels and feedback as text.
COLUMNS = {
    "id": "int",
    "input_data": "text",
    "full_response": "text",
    "response": "text",
    "feedback": "text",
    "created_at": "text",
    "parent_mlalgorithm": "int",
    "parent_abtest": "int",
}


def exported(
    database: RegistryDatabase, filters: Mapping[str, Any], newest_first: bool, format_: str
) -> Iterator[bytes]:
    """The bytes of the file, part by part; requests that come meanwhile may be among them.

    Raises:
        RegistryUnavailable: the database cannot be reached.
    """
    batches = _batches(database, filters, newest_first)
    # Asked for at once, so that an error can still be told.
    first = next(batches, [])
    rows = chain([first], batches)
    if format_ in ("json", "jsonl"):
        return streamed(([_nested(row) for row in batch] for batch in rows), COLUMNS, format_)
    flat = _harmless if format_ == "csv" else _flat
    return streamed(([flat(row) for row in batch] for batch in rows), COLUMNS, format_)


def _batches(
    database: RegistryDatabase, filters: Mapping[str, Any], newest_first: bool
) -> Iterator[list[dict[str, Any]]]:
    after = None
    while True:
        with database.reading() as connection:
            rows = rows_of(connection, "mlrequests", filters, Page(BATCH, after, newest_first=newest_first))
        yield rows
        if len(rows) < BATCH:
            return
        after = rows[-1]["id"]


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    told = request_told(row) | {"created_at": moment_text(row["created_at"])}
    return {name: told[name] for name in COLUMNS}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    told = _nested(row)
    plain = {name: _text(row[name]) for name in ("response", "feedback")}
    return told | plain | {"input_data": row["input_data"], "full_response": plain_json(told["full_response"])}


def _harmless(row: dict[str, Any]) -> dict[str, Any]:
    """A row for people's spreadsheets, which would run some texts as formulas; an apostrophe keeps them text."""
    return {
        name: f"'{cell}" if isinstance(cell, str) and cell[:1] in FORMULA and not _is_number(cell) else cell
        for name, cell in _flat(row).items()
    }


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(value: str | None) -> str | None:
    """A JSON text's own text, if it is one."""
    parsed = None if value is None else json.loads(value)
    return parsed if isinstance(parsed, str) else value
