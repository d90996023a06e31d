"""Plain rows: one in a query string, or a few in a JSON body. No table is made of them.

Whatever is out of the ordinary is left, unread, to the usual way, which answers it or says what is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson
from flask import Request, Response

from server.config import Limits
from server.service.one_row import is_plain
from server.web.observation import tell_rows
from server.web.request_data import FORM, IGNORED
from server.web.responses import PREDICTION_FORMATS, chosen_format, json_response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

JSON = "application/json"
MOST_ROWS = 16
MOST_BYTES = 2**16
# What asks for JSON, or for nothing in particular.
PLAIN_ACCEPT = frozenset({"", "*/*", JSON})
# What an option may say here; None is any value.
OPTIONS: dict[str, str | None] = {"_output": None, "_action": "predict", "_format": "json"}

Row = dict[str, Any]
# What answers for rows and options; None leaves them to the usual way.
Few = Callable[[Sequence[Row], Mapping[str, str]], Any | None]


@dataclass(frozen=True)
class PlainRows:
    """Rows of the same columns, each cell a text, number, boolean or None, and the options beside them."""

    rows: Sequence[Row]
    options: Mapping[str, str] = field(default_factory=dict)


def row_of_query(environ: "WSGIEnvironment", limits: Limits) -> PlainRows | None:
    """The row in the query of a GET, with one value for each column."""
    if environ.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in environ:
        return None
    query = environ.get("QUERY_STRING", "")
    found = _options_and_row(query) if len(query) <= limits.text_chars else None
    return PlainRows([found[1]], found[0]) if found and 0 < len(found[1]) <= limits.columns else None


def rows_of_body(environ: "WSGIEnvironment", read: Callable[[], bytes], limits: Limits) -> PlainRows | None:
    """The rows of a POST: a small JSON object, or a short list of them; `read` gives the body, if it may be one."""
    length = environ.get("CONTENT_LENGTH", "")
    # No text is longer than the body that holds it.
    most = min(MOST_BYTES, limits.body_mb * 2**20, limits.text_chars)
    if not length.isdecimal() or not 0 < int(length) <= most:
        return None
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind not in (JSON, FORM) or "HTTP_CONTENT_ENCODING" in environ or "HTTP_TRANSFER_ENCODING" in environ:
        return None
    found = _options_and_row(environ.get("QUERY_STRING", ""))
    if found is None or found[1]:
        return None
    rows = _rows(read(), limits)
    return None if rows is None else PlainRows(rows, found[0])


def plain_answer(request: Request, few: Few, found: PlainRows | None) -> Response | None:
    """The predictions for plain rows, if there are any and JSON is to tell them."""
    if found is None:
        return None
    if not wants_json(request.environ) and chosen_format(request, None, PREDICTION_FORMATS) != "json":
        return None
    values = few(found.rows, found.options)
    if values is None:
        return None
    tell_rows(len(found.rows))
    return json_response(values)


def wants_json(environ: "WSGIEnvironment") -> bool:
    """Whether Accept says no more than that JSON will do."""
    return environ.get("HTTP_ACCEPT", "") in PLAIN_ACCEPT


def _options_and_row(query: str) -> tuple[dict[str, str], Row] | None:
    """Options and columns of the query; None if it holds anything else."""
    options: dict[str, str] = {}
    row: Row = {}
    try:
        pairs = _pairs(query)
    except UnicodeDecodeError:
        return None
    for name, value in pairs:
        if name[:1] != "_":
            row[name] = value
        elif name in OPTIONS and OPTIONS[name] in (None, value):
            options[name] = value
        elif name not in IGNORED:
            return None
    # What is given more than once is for the usual way.
    return (options, row) if len({name for name, _ in pairs}) == len(pairs) else None


def _pairs(query: str) -> list[tuple[str, str]]:
    """Names and values of the query, as Werkzeug reads them; one without escapes needs no parser."""
    if "%" in query or not query.isascii():
        return parse_qsl(query.encode("latin1").decode(), keep_blank_values=True, errors="werkzeug.url_quote")
    parts = [part.partition("=") for part in query.replace("+", " ").split("&") if part]
    return [(name, value) for name, _, value in parts]


def _rows(content: bytes, limits: Limits) -> list[Row] | None:
    if content.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    rows = value if isinstance(value, list) else [value]
    if not 0 < len(rows) <= min(MOST_ROWS, limits.rows) or not all(type(row) is dict for row in rows):
        return None
    if len(rows[0]) > limits.columns or any(row.keys() != rows[0].keys() for row in rows):
        return None
    return rows if all(map(is_plain, rows)) else None
