"""The server's log: lines of text, or one JSON object each. What is logged during a request bears its ids."""

import logging
import os
import re
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple

import orjson

FORMATS = ("text", "json")
REQUESTS = "server.requests"
REDACTED = "[redacted]"
QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
SysExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Ids(NamedTuple):
    """By what a request's lines are found again: its own id, and that of the trace that its client began."""

    request: str
    trace: str | None


current_ids: ContextVar[Ids | None] = ContextVar("current_ids", default=None)


class LineFormatter(logging.Formatter):
    """Lines of either format.

    Args:
        as_json: an object for each line instead of text.
        redacts: some columns must not be kept. A sentence that quotes a cell does not say of which column it is, so
            warnings and errors are logged without what they quote, and exceptions without their sentences.
    """

    def __init__(self, as_json: bool = False, redacts: bool = False) -> None:
        super().__init__("[%(asctime)s] [%(process)d] [%(levelname)s]%(request_id)s %(message)s")
        self._as_json, self._redacts = as_json, redacts

    def format(self, record: logging.LogRecord) -> str:
        ids = current_ids.get()
        if self._as_json:
            return _json(self._object(record, ids))
        record.request_id = f" [{ids.request}]" if ids else ""
        # Another handler's traceback may be whole.
        record.exc_text = None
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line before a traceback."""
        record.message = self._message(record)
        return super().formatMessage(record)

    def _object(self, record: logging.LogRecord, ids: Ids | None) -> dict[str, Any]:
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": self._message(record),
        }
        told |= _told_of(ids) | getattr(record, "fields", {})
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return told

    def _message(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        return QUOTED.sub(REDACTED, message) if self._redacts and record.levelno >= logging.WARNING else message

    def formatException(self, ei: SysExcInfo) -> str:  # noqa: N802 - logging's name
        """The traceback; where values must not be kept, only its places."""
        if not self._redacts or ei[0] is None:
            return super().formatException(ei)
        places = "".join(traceback.format_tb(ei[2]))
        return f"Traceback (most recent call last):\n{places}{ei[0].__name__}: {REDACTED}"

    def request_line(self, message: str, fields: dict[str, Any]) -> str:
        """What `format` makes of a record of a request, without the record."""
        ids = current_ids.get()
        now = time.time()
        if not self._as_json:
            identity = f" [{ids.request}]" if ids else ""
            stamp = f"{_second(int(now))},{int(now % 1 * 1000):03d}"
            return f"[{stamp}] [{os.getpid()}] [INFO]{identity} {message}"
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
            "level": "info",
            "logger": REQUESTS,
            "process": os.getpid(),
            "message": message,
        }
        return _json(told | _told_of(ids) | fields)


def _json(told: dict[str, Any]) -> str:
    return orjson.dumps(told, default=str).decode()


def _told_of(ids: Ids | None) -> dict[str, Any]:
    if ids is None:
        return {}
    return {"request_id": ids.request, "trace_id": ids.trace} if ids.trace else {"request_id": ids.request}


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


class _Stderr(logging.StreamHandler):
    """The server's own handler, told from those of others."""

    def put(self, line: str) -> None:
        """Write a line that needs no formatting."""
        self.acquire()
        try:
            self.stream.write(line + self.terminator)
            self.flush()
        finally:
            self.release()


_root, _own, _requests = logging.getLogger(), logging.getLogger("server"), logging.getLogger(REQUESTS)


def log_request(message: str, fields: dict[str, Any]) -> None:
    """Log a request as a line of REQUESTS, with the fields of a JSON line.

    A record of logging's costs more than a prediction: where nobody else wants one, none is made.
    """
    if not _requests.isEnabledFor(logging.INFO):
        return
    handlers = _own.handlers
    if len(handlers) == 1 and isinstance(handlers[0], _Stderr) and not (
        _root.handlers or _requests.handlers or _requests.filters or handlers[0].filters
    ):  # fmt: skip
        formatter = handlers[0].formatter
        assert isinstance(formatter, LineFormatter)
        handlers[0].put(formatter.request_line(message, fields))
    else:
        _requests.info("%s", message, extra={"fields": fields})


def log_to_stderr(as_json: bool, level: str, redacts: bool) -> None:
    """Show the server's own messages, unless somebody else has set up logging already.

    Args:
        as_json: objects instead of text.
        level: the least that is logged.
        redacts: see LineFormatter.
    """
    own = logging.getLogger("server")
    if not own.handlers and not logging.getLogger().handlers:
        own.addHandler(_Stderr())
    for handler in own.handlers:
        if isinstance(handler, _Stderr):
            handler.setFormatter(LineFormatter(as_json, redacts))
            own.setLevel(level.upper())
