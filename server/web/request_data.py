"""A request → options, columns and rows, parsed once at the edge."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import parse_qsl

import orjson
import pandas as pd
from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from server.config import Limits
from server.errors import BadRequest, InvalidParameter, TooLarge, did_you_mean, shortened
from server.tables.extent import check_fields
from server.tables.formats import Upload, is_read_whole
from server.tables.reading import read_uploads, type_cells
from server.tables.spooling import SPOOLED, chunks_of, is_blank, size_of, spooled, temporary_room
from server.tables.unpacking import decoded, decoded_file

DELIMITERS = (",", ";", "\t")
FORM = "application/x-www-form-urlencoded"
IGNORED = frozenset({"_", "_xsrf"})
CURL_HINT = (
    "the body is labelled as a form and is no form: curl's -d strips line breaks and NULs, so a file sent that way "
    "cannot be read; use --data-binary @file with a Content-Type, or -F file=@file; for a value with an & in it, "
    "--data-urlencode name=value"
)

Fields = dict[str, list[str]]


@dataclass(frozen=True)
class RequestData:
    """What a request brought: options (names starting with _), other fields, and uploaded tables."""

    options: Fields = field(default_factory=dict)
    fields: Fields = field(default_factory=dict)
    uploads: tuple[Upload, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing but ignored names was sent."""
        return not (self.options or self.fields or self.uploads)

    @property
    def is_one_large_table(self) -> bool:
        """Whether one table that lies in a file is all there is of rows."""
        return len(self.uploads) == 1 and self.uploads[0].is_large and not self.fields

    def option(self, name: str, default: str | None = None) -> str | None:
        """The value of a single-valued option.

        Raises:
            InvalidParameter: it was given more than once with different values.
        """
        values = list(dict.fromkeys(self.options.get(name, [])))
        if len(values) > 1:
            raise InvalidParameter(f"{name} was given {len(values)} times with different values; give it once")
        return values[0] if values else default

    def check_options(self, known: Collection[str]) -> None:
        """Refuse options that this kind of request does not have.

        Raises:
            InvalidParameter: with the nearest known name.
        """
        for name in self.options:
            if name not in known:
                hint = did_you_mean(name, known) or f"; known: {', '.join(sorted(known))}"
                raise InvalidParameter(f"unknown option {shortened(name)!r}{hint}")

    @property
    def has_rows(self) -> bool:
        """Whether a table or fields were sent, be they empty."""
        return bool(self.uploads or self.fields)

    def rows(self, limits: Limits, text_columns: Collection[str] = ()) -> pd.DataFrame:
        """The rows sent, as files, as a body, or as fields; an empty frame without columns if there are none.

        Raises:
            BadRequest: rows came in two ways at once, or cannot be read.
        """
        if self.uploads and self.fields:
            raise BadRequest(
                f"the rows came both as a table and as fields ({', '.join(self.fields)}); send them in one way"
            )
        if self.fields:
            return rows_of_fields(self.fields, limits)
        return read_uploads(self.uploads, limits, text_columns)

    def typed_rows(self, limits: Limits, text_columns: Collection[str] = ()) -> pd.DataFrame:
        """As `rows`, with the cells of fields typed as a CSV's would be: they are to be stored."""
        if not self.fields or self.uploads:
            return self.rows(limits, text_columns)
        return type_cells(rows_of_fields(self.fields, limits))

    def given(self, limits: Limits) -> dict[str, Any]:
        """Fields as names and values for a change of settings; a JSON body's object counts as fields.

        Raises:
            BadRequest: the body is no JSON object.
            TooLarge: it was packed, and grows larger than a body may be.
        """
        given: dict[str, Any] = dict(self.fields)
        for upload in self.uploads:
            try:
                values = orjson.loads(upload.held(limits))
            except orjson.JSONDecodeError as error:
                raise BadRequest(f"the body is not valid JSON: {error}") from error
            if not isinstance(values, dict):
                raise BadRequest("the body must be a JSON object of names and values")
            given |= {name: value for name, value in values.items() if name not in IGNORED}
        return given


class StrictFormParser(FormDataParser):
    """Refuses a broken multipart body; by default its parts would silently be none."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **(options | {"silent": False}))


class StrictRequest(Request):
    """Flask's request with the strict parser, and the file of a large body, which lives as long as the request."""

    form_data_parser_class = StrictFormParser
    body_file: IO[bytes] | None = None

    def close(self) -> None:
        """Close all files."""
        super().close()
        if self.body_file is not None:
            self.body_file.close()


def rows_of_fields(fields: Fields, limits: Limits) -> pd.DataFrame:
    """Fields given n times make n rows; those given once are repeated.

    Raises:
        BadRequest: fields given different numbers of times.
        TooLarge: more of them than allowed, or a longer text.
    """
    check_fields(fields, limits)
    count = max(len(values) for values in fields.values())
    odd = [name for name, values in fields.items() if len(values) not in (1, count)]
    if odd:
        lengths = ", ".join(f"{name}: {len(values)}" for name, values in fields.items())
        raise BadRequest(f"every column needs {count} values, or one for all rows ({lengths})")
    cells = {name: values if len(values) == count else values * count for name, values in fields.items()}
    return pd.DataFrame(cells, dtype="str")


def read_request(request: Request, limits: Limits, named_options: Iterable[str] = ()) -> RequestData:
    """Query, form, JSON and files of a request.

    Args:
        request: Flask's request; nothing has read its body yet.
        limits: how far a compressed body may grow.
        named_options: names without an underscore that are options here, not columns.

    Raises:
        BadRequest: the body is labelled as a form and is none.
        TooLarge: the form has too many parts.
    """
    pairs = list(request.args.items(multi=True))
    uploads: Sequence[Upload] = ()
    if request.mimetype == "multipart/form-data":
        try:
            with temporary_room():
                pairs += list(request.form.items(multi=True))
        except RequestEntityTooLarge as error:
            if request.content_length is None or request.content_length > (request.max_content_length or 0):
                raise
            raise TooLarge(
                f"the form has more than {request.max_form_parts} parts (server.limits.columns, and 1000 at least); "
                "send rows as a file, or as JSON"
            ) from error
        except ValueError as error:
            raise BadRequest(f"the multipart body is broken or cut short: {error}; let curl -F make it") from error
        # None where the header of a part could not be read.
        if any(name is None for name, _ in pairs):
            raise BadRequest("a part of the multipart body has no name that can be read; let curl -F make it")
        uploads = [
            Upload(_held(file), file.filename or None, file.mimetype or None)
            for _, file in request.files.items(multi=True)
            if file.filename or file.mimetype != "application/octet-stream"
        ]
    else:
        body_pairs, uploads = _body(request, limits)
        pairs += body_pairs
    options, fields = _sorted(pairs, set(named_options))
    return RequestData(options, fields, tuple(uploads))


def _sorted(pairs: Iterable[tuple[str, str]], named_options: set[str]) -> tuple[Fields, Fields]:
    options: Fields = {}
    fields: Fields = {}
    for name, value in pairs:
        if name not in IGNORED:
            place = options if name.startswith("_") or name in named_options else fields
            place.setdefault(name, []).append(value)
    return options, fields


def _held(file: FileStorage) -> bytes | IO[bytes]:
    """The bytes of a file, or the file itself if it is large."""
    large = size_of(file.stream) > SPOOLED
    return file.stream if large else file.read()


def whole_body(request: Request, limits: Limits) -> bytes:
    """All bytes of the body, without its Content-Encoding.

    Raises:
        TooLarge, UnsupportedFormat: it grows too far, or nobody knows how.
    """
    length, most = request.content_length, request.max_content_length
    content = request.get_data(cache=False)
    if length is None and most is not None and len(content) >= most:
        # A chunked body is cut off at the limit without a word.
        raise RequestEntityTooLarge
    encoding = request.headers.get("Content-Encoding", "")
    return decoded(content, encoding, limits) if encoding and content else content


def _body(request: Request, limits: Limits) -> tuple[list[tuple[str, str]], list[Upload]]:
    length = request.content_length
    # How large a packed body is shows only when it is unpacked.
    may_be_large = length is None or length > SPOOLED or "Content-Encoding" in request.headers
    if may_be_large and request.mimetype != FORM:
        return [], _large_body(request, limits)
    content = whole_body(request, limits)
    if not content.strip():
        return [], []
    if request.mimetype != FORM:
        return [], [Upload(content, None, request.mimetype or None)]
    if content.lstrip()[:1] in (b"{", b"["):
        return [], [Upload(content, None, "application/json")]
    return _form(content), []


def _large_body(request: Request, limits: Limits) -> list[Upload]:
    """The body in a file, or as bytes if it turns out to be small."""
    assert isinstance(request, StrictRequest)
    file = request.body_file = spooled(chunks_of(request.stream))
    most = request.max_content_length
    size = size_of(file)
    if request.content_length is None and most is not None and size >= most:
        raise RequestEntityTooLarge
    encoding = request.headers.get("Content-Encoding", "") if size else ""
    kind = request.mimetype or None
    file = request.body_file = decoded_file(file, encoding, limits, whole=is_read_whole(None, kind))
    if size_of(file) > SPOOLED and not is_blank(file):
        return [Upload(file, None, kind)]
    content = file.read()
    return [Upload(content, None, kind)] if content.strip() else []


def _form(content: bytes) -> list[tuple[str, str]]:
    try:
        text = content.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=1_000_000)
    except ValueError as error:
        raise BadRequest(CURL_HINT) from error
    # The name of a field is no line of a table, with an equals sign somewhere in it.
    most = 0 if len(pairs) == 1 else 1
    if any(max(map(name.count, DELIMITERS)) > most for name, _ in pairs):
        raise BadRequest(CURL_HINT)
    return pairs
