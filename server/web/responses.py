"""Answers → responses: JSON, tables in the format asked for, and problem+json (RFC 9457)."""

import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pandas as pd
from flask import Request, Response, request
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.wsgi import wrap_file

from server.config import Limits
from server.errors import InvalidParameter, KeyMissing, NotReady, ServerError, TooLarge, TooMany, did_you_mean
from server.service.prediction import Prediction
from server.tables.spooling import size_of, spooled
from server.tables.streaming import joined_json, joined_table
from server.tables.writing import CONTENT_TYPES, records, to_json, write_table

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

logger = logging.getLogger(__name__)
Method = Callable[..., Response]
PROBLEM = "application/problem+json"
PARTED_FORMATS = ("json", "csv", "jsonl", "parquet")
PREDICTION_FORMATS = ("json", "csv", "xlsx", "parquet", "jsonl")
TABLE_FORMATS = (*PREDICTION_FORMATS, "h5")
PAGE_FORMATS = ("html", "json")
OWN_FILES_ONLY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def json_response(value: Any, status: int = 200) -> Response:
    """The value as JSON; NaN and infinities are null."""
    return Response(to_json(value), status, content_type="application/json")


def html_response(page: str, status: int = 200) -> Response:
    """One of the server's own pages, which runs its own files only and is shown in no other site's frame."""
    response = Response(page, status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = OWN_FILES_ONLY
    return response


def page_or_json(request: Request, usual: str) -> str:
    """ "html" or "json": what ?_format= says, else what Accept prefers, else the usual one.

    Raises:
        InvalidParameter: another format.
    """
    name = request.args.get("_format")
    if name is None:
        types = {"text/html": "html", "application/json": "json"}
        offered = sorted(types, key=lambda type_: types[type_] != usual)
        return types[request.accept_mimetypes.best_match(offered, default=offered[0]) or offered[0]]
    if name not in PAGE_FORMATS:
        hint = did_you_mean(name, PAGE_FORMATS) or f"; known: {', '.join(PAGE_FORMATS)}"
        raise InvalidParameter(f"unknown _format {name!r}{hint}")
    return name


def varying(response: Response) -> Response:
    """The same URL answers in two ways: whoever keeps one of them must not give it to who wants the other."""
    response.vary.add("Accept")
    return response


def chosen_format(request: Request, name: str | None, offered: tuple[str, ...]) -> str:
    """The format that _format= names, else the best that Accept allows, else JSON.

    Raises:
        InvalidParameter: an unknown _format.
    """
    if name is not None:
        if name not in offered:
            hint = did_you_mean(name, offered) or f"; known: {', '.join(offered)}"
            raise InvalidParameter(f"unknown _format {name!r}{hint}")
        return name
    types = {CONTENT_TYPES[format_].split(";")[0]: format_ for format_ in offered}
    best = request.accept_mimetypes.best_match(list(types), default="application/json")
    return types[best or "application/json"]


def prediction_response(prediction: Prediction, format_: str) -> Response:
    """Plain values as a JSON list, or as a table of one column named as the target."""
    if format_ == "json":
        values = prediction.values if prediction.values is not None else records(prediction.frame)
        return json_response(values)
    return table_response(prediction.frame, format_)


def parts_response(predictions: Iterable[Prediction], format_: str, environ: "WSGIEnvironment") -> Response:
    """As `prediction_response` for all rows, of predictions for parts of them: complete before any of it is sent.

    Raises:
        What getting the predictions raises; there is no response then.
        StorageFull: there is no room for it.
    """
    if format_ == "json":
        lists = (part.values if part.values is not None else records(part.frame) for part in predictions)
        file = spooled(joined_json(lists))
    else:
        file = spooled(joined_table((part.frame for part in predictions), format_))
    size = size_of(file)
    response = Response(wrap_file(environ, file), content_type=CONTENT_TYPES[format_], direct_passthrough=True)
    response.content_length = size
    return _attached(response, format_, "data")


def table_response(frame: pd.DataFrame, format_: str, filename: str = "data") -> Response:
    """The rows in the format; those that a browser cannot show come as attachments."""
    return _attached(Response(write_table(frame, format_), content_type=CONTENT_TYPES[format_]), format_, filename)


def _attached(response: Response, format_: str, filename: str) -> Response:
    if format_ in ("xlsx", "parquet", "h5"):
        response.headers.set("Content-Disposition", "attachment", filename=f"{filename}.{format_}")
    return response


def picture_response(request: Request, svg: bytes) -> Response:
    """The picture; 304 and no picture for a request that has it already."""
    response = Response(svg, content_type="image/svg+xml; charset=utf-8")
    # Opened by itself it is a document of this server: nothing in it may run or be loaded.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def problem(
    status: int, title: str, detail: str, errors: list[dict[str, str]], headers: Mapping[str, str] | None = None
) -> Response:
    """An RFC 9457 problem document."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "errors": errors}
    response = Response(to_json(body), status, content_type=PROBLEM)
    response.headers.update(headers or {})
    return response


def error_response(error: Exception, limits: Limits) -> Response:
    """The response to any exception; what nobody foresaw is logged and told without its inside."""
    if isinstance(error, ServerError):
        return _known(error)
    if isinstance(error, RequestEntityTooLarge):
        detail = f"the body is larger than {limits.body_mb:g} MiB (server.limits.body_mb)"
        return problem(413, "Content too large", detail, [])
    if isinstance(error, HTTPException):
        return _http(error)
    if isinstance(error, ParseException | NoMoreData):
        # gunicorn reads a body's chunks when somebody asks for them.
        return problem(400, "Bad request", "the body breaks off, or is not chunked as its Transfer-Encoding says", [])
    logger.error("an unforeseen error", exc_info=error)
    return problem(500, "Internal server error", "the server failed to answer; its log says why", [])


def errors_told_by(tell: Callable[[ServerError], Response]) -> Callable[[Method], Method]:
    """A decorator of methods whose errors are told in another shape than a problem document's."""

    def decorate(method: Method) -> Method:
        def answer(*arguments: Any, **named: Any) -> Response:
            try:
                return method(*arguments, **named)
            except RequestEntityTooLarge:
                most = (request.max_content_length or 0) / 2**20
                return tell(TooLarge(f"the body is larger than {most:g} MiB (server.limits.body_mb)"))
            except ServerError as error:
                response = tell(error)
                if isinstance(error, NotReady):
                    logger.warning("%s: %s", error.title, error.detail)
                response.headers.update(_headers(error))
                return response

        return answer

    return decorate


def _headers(error: ServerError) -> dict[str, str]:
    if isinstance(error, NotReady | TooMany) and error.retry_after is not None:
        return {"Retry-After": str(error.retry_after)}
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, KeyMissing) else {}


def _known(error: ServerError) -> Response:
    if error.status >= 500:
        logger.warning("%s: %s", error.title, error.detail)
    errors = [{"pointer": part.pointer, "detail": part.detail} for part in error.problems]
    return problem(error.status, error.title, error.detail, errors, _headers(error))


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        # Made by who raised it.
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    headers = {}
    detail = error.description or HTTPStatus(status).phrase
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
        detail = f"this URL takes {headers['Allow']}"
    return problem(status, HTTPStatus(status).phrase, detail, [], headers)
