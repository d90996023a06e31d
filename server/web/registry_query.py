"""What a request says of the registry's lists and fields: the query and the body, parsed once."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Request

from server.config import STATUSES, Limits
from server.errors import BadRequest, InvalidParameter, UnsupportedFormat, did_you_mean, shortened
from server.service.entries import Page, known_filters
from server.tables.formats import format_of
from server.web.request_data import IGNORED, read_request

USUAL, MOST = 100, 1000
PAGING = ("limit", "after", "offset")
ORDERS = {"id": False, "created_at": False, "-id": True, "-created_at": True}
TEST_STATES = ("running", "ended")
# What databases count by.
LARGEST = 2**63 - 1
LONGEST_TEXT = 10_000


def check_names(given: Collection[str], known: Collection[str], what: str) -> None:
    """Refuse names that are not known here.

    Raises:
        InvalidParameter: with the nearest known name.
    """
    for name in given:
        if name not in known and name not in IGNORED:
            raise InvalidParameter(
                f"unknown {what} {shortened(name)!r}{did_you_mean(name, known)}; known: {', '.join(known)}"
            )


def read_filters(request: Request, name: str, others: Collection[str]) -> dict[str, Any]:
    """The filters of a list that the query gives; it may have the `others`, too.

    Raises:
        BadRequest: an unknown name, or a value that cannot be.
    """
    known = known_filters(name)
    check_names(request.args, (*known, *others), "filter")
    given = {key: _one(request, key) for key in known if key in request.args}
    return {key: _filter(name, key, value) for key, value in given.items()}


def read_page(request: Request) -> Page:
    """The page that the query asks for.

    Raises:
        BadRequest: a number or an order that cannot be.
    """
    given = _one(request, "limit")
    limit = USUAL if given is None else number_of("limit", given)
    if not 1 <= limit <= MOST:
        raise BadRequest(f"limit must be a number from 1 to {MOST}, not {limit}")
    after, offset = (_one(request, name) for name in ("after", "offset"))
    return Page(
        limit,
        None if after is None else number_of("after", after),
        0 if offset is None else number_of("offset", offset),
        read_order(request),
    )


def read_order(request: Request) -> bool:
    """Whether the newest come first.

    Raises:
        BadRequest: an unknown order.
    """
    given = _one(request, "order")
    order = "id" if given is None else given
    if order not in ORDERS:
        raise BadRequest(f"unknown order {order!r}{did_you_mean(order, ORDERS)}; known: {', '.join(ORDERS)}")
    return ORDERS[order]


def next_address(request: Request, last: int) -> str:
    """The address of what follows the entry of this number."""
    query = [(name, value) for name, value in request.args.items(multi=True) if name not in ("after", "offset")]
    return f"{request.script_root}{request.path}?{urlencode([*query, ('after', str(last))])}"


def read_fields(request: Request, limits: Limits, known: Collection[str], required: Collection[str]) -> dict[str, Any]:
    """The fields of a JSON body or a form.

    Raises:
        BadRequest: an unknown or a missing field, or no object.
    """
    data = read_request(request, limits)
    if data.options:
        check_names(data.options, known, "field")
    sent = data.given(limits)
    for name, values in data.fields.items():
        if len(values) > 1 or sent[name] is not values:
            raise BadRequest(f"the field {name!r} is given more than once; which one is meant?")
    given = {
        name: value[0] if isinstance(value, list) and name in data.fields and len(value) == 1 else value
        for name, value in sent.items()
    }
    check_names(given, known, "field")
    missing = [name for name in required if name not in given]
    if missing:
        raise BadRequest(f"the field {missing[0]!r} is missing; send {', '.join(required)}")
    return given


def read_instance_object(request: Request, limits: Limits) -> tuple[dict[str, Any], Mapping[str, str | None]]:
    """The instance to predict, and what the query says of the algorithm.

    Raises:
        BadRequest: no JSON object, or an unknown name in the query.
        UnsupportedFormat: a body that is not JSON.
    """
    if _is_plain(request):
        return _object(request.get_data(cache=False)), {}
    known = ("status", "version", "subject")
    check_names(request.args, known, "option")
    data = read_request(request, limits, named_options=known)
    if data.fields or len(data.uploads) > 1:
        raise UnsupportedFormat("send one instance as a JSON object, not as a form")
    if not data.uploads:
        raise BadRequest("the body is empty; send one instance as a JSON object")
    if format_of(data.uploads[0]) != "json":
        raise UnsupportedFormat("the body is not JSON; send one instance as a JSON object")
    return _object(data.uploads[0].held(limits)), {name: data.option(name) or None for name in known}


def _is_plain(request: Request) -> bool:
    """Whether the request is a JSON body and nothing else."""
    return (
        not request.environ.get("QUERY_STRING")
        and bool(request.content_length)
        and request.mimetype == "application/json"
        and "Content-Encoding" not in request.headers
    )


def _object(content: bytes) -> dict[str, Any]:
    if not content.strip():
        raise BadRequest("the body is empty; send one instance as a JSON object")
    try:
        instance = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(instance, dict):
        raise BadRequest(f"the body is a JSON {type(instance).__name__}; send one instance as a JSON object")
    return instance


def number_of(name: str, value: Any) -> int:
    """The whole number in a field or a part of the query.

    Raises:
        BadRequest: it is none, or none that anything is counted by.
    """
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) < 20):
        number = int(value)
        if 0 <= number <= LARGEST:
            return number
    raise BadRequest(f"{name} must be a whole number, not {value!r}")


def text_of(name: str, value: Any) -> str:
    """The text in a field.

    Raises:
        BadRequest: it is none, it is empty, or it is longer than anything needs.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_TEXT or "\0" in value:
        raise BadRequest(f"{name} must be a text of 1 to {LONGEST_TEXT:,} characters")
    return value


def flag_of(name: str, value: Any) -> bool:
    """Whether a field or a part of the query says true.

    Raises:
        BadRequest: it says neither true nor false.
    """
    text = str(value).lower()
    if text not in ("true", "false", "1", "0"):
        raise BadRequest(f"{name} must be true or false, not {value!r}")
    return text in ("true", "1")


def _one(request: Request, name: str) -> str | None:
    values = list(dict.fromkeys(request.args.getlist(name)))
    if len(values) > 1:
        raise InvalidParameter(f"{name} was given {len(values)} times with different values; give it once")
    return values[0] if values else None


def _filter(name: str, key: str, value: str | None) -> Any:
    text = value or ""
    if key in ("since", "until"):
        return _moment(key, text)
    if key == "status":
        known = TEST_STATES if name == "abtests" else STATUSES
        if text not in known:
            raise BadRequest(f"unknown status {text!r}{did_you_mean(text, known)}; known: {', '.join(known)}")
        return text
    if key == "parent_endpoint" and not text.isdecimal():
        return text_of(key, text)
    return number_of(key, text)


def _moment(key: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{key} must be a moment such as 2026-11-21T12:00:00Z, not {text!r}") from None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        # In UTC it lies before the year 1 or after 9999, where no entry does.
        return (datetime.min if moment.year == 1 else datetime.max).replace(tzinfo=UTC)
