"""The server's log: lines of text, or one JSON object each. What is logged during a request bears its ids."""

import logging
import os
import re
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

FORMATS = ("text", "json")
REQUESTS = "server.requests"
REDACTED = "[redacted]"
# As `keys create` makes them; somebody may write one where it does not belong.
KEYS = re.compile(r"restimator_[\w-]{20,}", re.ASCII)
THOUSANDTHS = tuple(f"{number:03d}" for number in range(1000))
QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
SysExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Ids(NamedTuple):
    """By what a request's lines are found again: its own id, and that of the trace that its client began."""

    request: str
    trace: str | None


class RequestLine:
    """What a line tells of requests alike, whatever time they took; made once for all of them.

    Args:
        method, status: of the request, and of its answer.
        path: as WSGI has it.
        others: route, endpoint, key, remote address and rows, in this order; None is not known, or not there.
    """

    def __init__(self, method: str, path: str, status: str, *others: str | int | None) -> None:
        # As it was sent: a line break in a path must not begin another line.
        sent = KEYS.sub(REDACTED, quote(path.encode("latin-1", "replace")))
        known = zip(("route", "endpoint", "key", "remote", "rows"), others, strict=True)
        self.fields = {"method": method, "path": sent, "status": int(status)}
        self.fields |= {name: value for name, value in known if value is not None}
        rest = "".join(f" {name}={self.fields[name]}" for name in ("key", "remote", "rows") if name in self.fields)
        self.sentence = f"{method} {sent} {status}{rest}"
        self.json_sentence, self.json_fields = _json(self.sentence)[1:-1], _json(self.fields)[1:]


def _json(told: object) -> str:
    return orjson.dumps(told, default=str).decode()


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
        # A second, and how the lines of requests answered in it begin.
        self._began = (-1, "")

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

    def request_text(self, seconds: float, line: RequestLine, ids: Ids | None) -> str:
        """What `format` makes of a record of a request, without the record."""
        second, thousandth = divmod(int(time.time() * 1000), 1000)
        micros = int(seconds * 10**6)
        # A format costs more than all else here.
        thousandths, spent = THOUSANDTHS[thousandth], f"{micros // 1000}.{THOUSANDTHS[micros % 1000]}"
        began = self._began
        if began[0] != second:
            began = self._began = (second, self._beginning(second))
        if not self._as_json:
            identity = f" [{ids.request}]" if ids else ""
            return f"{began[1]}{thousandths}] [{os.getpid()}] [INFO]{identity} {line.sentence} {spent} ms"
        # Ids hold nothing that JSON would have to escape.
        told = f'"request_id":"{ids.request}",' if ids else ""
        if ids and ids.trace:
            told += f'"trace_id":"{ids.trace}",'
        return (
            f'{began[1]}{thousandths}+00:00","level":"info","logger":"{REQUESTS}","process":{os.getpid()},"message":"'
            f'{line.json_sentence} {spent} ms",{told}"duration_ms":{spent},{line.json_fields}'
        )

    def _beginning(self, second: int) -> str:
        """A request's line up to the fraction of the second."""
        if self._as_json:
            return time.strftime('{"time":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second))
        return time.strftime("[%Y-%m-%d %H:%M:%S,", time.localtime(second))


def _told_of(ids: Ids | None) -> dict[str, Any]:
    if ids is None:
        return {}
    return {"request_id": ids.request, "trace_id": ids.trace} if ids.trace else {"request_id": ids.request}


class _Stderr(logging.StreamHandler):
    """The server's own handler, told from those of others."""

    def __init__(self, lines: LineFormatter) -> None:
        super().__init__()
        self.shape(lines)
        try:
            self._descriptor: int | None = self.stream.fileno()
        except OSError:
            # No file of the system, but somebody's object.
            self._descriptor = None

    def shape(self, lines: LineFormatter) -> None:
        """Write lines of this form from now on."""
        self.setFormatter(lines)
        self.lines = lines

    def put(self, line: str) -> None:
        """Write a line that needs no formatting; past the stream, which keeps nothing back."""
        if self._descriptor is None:
            self.stream.write(line + self.terminator)
            return
        content = line.encode() + b"\n"
        while content:
            content = content[os.write(self._descriptor, content) :]


_root, _own, _requests = logging.getLogger(), logging.getLogger("server"), logging.getLogger(REQUESTS)


def log_request(seconds: float, line: RequestLine, ids: Ids | None) -> None:
    """Log a request that took so long as a line of REQUESTS, with what is known of it as fields of a JSON line.

    A record of logging's costs more than a prediction: where nobody else wants one, none is made.
    """
    if not _requests.isEnabledFor(logging.INFO):
        return
    handlers = _own.handlers
    if len(handlers) == 1 and isinstance(handlers[0], _Stderr) and not (
        _root.handlers or _requests.handlers or _requests.filters or handlers[0].filters
    ):  # fmt: skip
        handlers[0].put(handlers[0].lines.request_text(seconds, line, ids))
        return
    spent = round(seconds * 1000, 3)
    _requests.info("%s %s ms", line.sentence, spent, extra={"fields": {"duration_ms": spent} | line.fields})


def log_to_stderr(as_json: bool, level: str, redacts: bool) -> None:
    """Show the server's own messages, unless somebody else has set up logging already.

    Args:
        as_json: objects instead of text.
        level: the least that is logged.
        redacts: see LineFormatter.
    """
    lines = LineFormatter(as_json, redacts)
    if not _own.handlers and not _root.handlers:
        _own.addHandler(_Stderr(lines))
    for handler in _own.handlers:
        if isinstance(handler, _Stderr):
            handler.shape(lines)
            _own.setLevel(level.upper())
