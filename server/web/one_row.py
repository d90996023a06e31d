"""The door for a plain row in the query string, and for a few in a JSON body: no table is made of them.

Whatever is out of the ordinary is left, unread, to the usual way, which answers it or says what is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from flask import Request, Response

from server.config import Limits
from server.service.one_row import is_plain
from server.web.request_data import FORM, IGNORED
from server.web.responses import PREDICTION_FORMATS, chosen_format, json_response

MOST_ROWS = 16
MOST_BYTES = 2**16
# What asks for JSON, or for nothing in particular.
PLAIN_ACCEPT = frozenset({"", "*/*", "application/json"})
# What an option may say here; None is any value.
OPTIONS: dict[str, str | None] = {"_output": None, "_action": "predict", "_format": "json"}

Row = dict[str, Any]
# What answers for rows and options; None leaves them to the usual way.
Few = Callable[[Sequence[Row], Mapping[str, str]], Any | None]


def query_answer(request: Request, few: Few, limits: Limits) -> Response | None:
    """The prediction for a GET with one value for each column."""
    environ = request.environ
    if environ.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in environ:
        return None
    if len(environ.get("QUERY_STRING", "")) > limits.text_chars:
        return None
    found = _options_and_row(request)
    if found is None or not found[1]:
        return None
    return _answer(request, few, [found[1]], found[0])


def body_answer(request: Request, few: Few, limits: Limits) -> Response | None:
    """The predictions for a POST of a small JSON object, or of a short list of them."""
    length, kind = request.content_length, request.mimetype
    # No text is longer than the body that holds it.
    most = min(MOST_BYTES, request.max_content_length or MOST_BYTES, limits.text_chars)
    if not length or length > most or kind not in ("application/json", FORM) or "Content-Encoding" in request.headers:
        return None
    found = _options_and_row(request)
    if found is None or found[1]:
        return None
    # Kept for the usual way, should that have to read it again.
    rows = _rows(request.get_data(), limits)
    return None if rows is None else _answer(request, few, rows, found[0])


def _options_and_row(request: Request) -> tuple[dict[str, str], Row] | None:
    """Options and columns of the query; None if it holds anything else."""
    options: dict[str, str] = {}
    row: Row = {}
    pairs = _pairs(request)
    for name, value in pairs:
        if name[:1] != "_":
            row[name] = value
        elif name in OPTIONS and OPTIONS[name] in (None, value):
            options[name] = value
        elif name not in IGNORED:
            return None
    # What is given more than once is for the usual way.
    return (options, row) if len({name for name, _ in pairs}) == len(pairs) else None


def _pairs(request: Request) -> list[tuple[str, str]]:
    """Names and values of the query; one without escapes needs no parser."""
    query = request.environ.get("QUERY_STRING", "")
    if "%" in query or not query.isascii():
        return list(request.args.items(multi=True))
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


def _answer(request: Request, few: Few, rows: list[Row], options: Mapping[str, str]) -> Response | None:
    accept = request.environ.get("HTTP_ACCEPT", "")
    if accept not in PLAIN_ACCEPT and chosen_format(request, None, PREDICTION_FORMATS) != "json":
        return None
    values = few(rows, options)
    return None if values is None else json_response(values)
