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
        self.as_json, self._redacts = as_json, redacts

    def format(self, record: logging.LogRecord) -> str:
        ids = current_ids.get()
        if self.as_json:
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
        try:
            if self._descriptor is None:
                self.stream.write(line)
                return
            content = line.encode()
            while content:
                content = content[os.write(self._descriptor, content) :]
        except (OSError, ValueError):
            # Nobody reads it any more, the disk is full, or it was closed: that takes nobody's answer away.
            return


_root, _own, _requests = logging.getLogger(), logging.getLogger("server"), logging.getLogger(REQUESTS)


class _Second(NamedTuple):
    """What lines of requests that are answered within one second share."""

    second: int
    # Who writes them; None while they are to be records, or nothing at all.
    handler: _Stderr | None = None
    # Before the fraction of the second, and between it and the request's id.
    began: str = ""
    went_on: str = ""


NEVER = _Second(-1)


def _look(second: int) -> _Second:
    """See who wants lines, and how they begin."""
    first = _own.handlers[0] if _own.handlers else None
    others = _root.handlers or _requests.handlers or _requests.filters or _own.handlers[1:]
    if others or not isinstance(first, _Stderr) or first.filters or not _requests.isEnabledFor(logging.INFO):
        # Asked again for the next line: whoever wants records of the rest of the second is to have them.
        return NEVER
    if first.lines.as_json:
        began = time.strftime('{"time":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second))
        went_on = f'+00:00","level":"info","logger":"{REQUESTS}","process":{os.getpid()},"request_id":"'
    else:
        began = time.strftime("[%Y-%m-%d %H:%M:%S,", time.localtime(second))
        went_on = f"] [{os.getpid()}] [INFO] ["
    return _Second(second, first, began, went_on)


class RequestLine:
    """What a line tells of requests alike, whatever time they took; made once for all of them.

    Args:
        method, status: of the request, and of its answer.
        path: as WSGI has it.
        others: route, endpoint, key, remote address and rows, in this order; None is not known, or not there.
    """

    # Of the last line.
    _now = NEVER

    def __init__(self, method: str, path: str, status: str, *others: str | int | None) -> None:
        # As it was sent: a line break in a path must not begin another line.
        sent = KEYS.sub(REDACTED, quote(path.encode("latin-1", "replace")))
        known = zip(("route", "endpoint", "key", "remote", "rows"), others, strict=True)
        self.fields = {"method": method, "path": sent, "status": int(status)}
        self.fields |= {name: value for name, value in known if value is not None}
        rest = "".join(f" {name}={self.fields[name]}" for name in ("key", "remote", "rows") if name in self.fields)
        self.sentence = f"{method} {sent} {status}{rest}"
        self.json_sentence, self.json_fields = _json(self.sentence)[1:-1], _json(self.fields)[1:]

    def log(self, seconds: float, ids: Ids) -> None:
        """Log one of them, which took so long, as a line of REQUESTS with what is known of it as fields of JSON.

        A record of logging's costs more than a prediction: where nobody else wants one, none is made.
        """
        second, thousandth = divmod(int(time.time() * 1000), 1000)
        now = RequestLine._now
        if now.second != second:
            now = RequestLine._now = _look(second)
        handler = now.handler
        if handler is None:
            millis = round(seconds * 1000, 3)
            _requests.info("%s %s ms", self.sentence, millis, extra={"fields": {"duration_ms": millis} | self.fields})
            return
        micros = int(seconds * 10**6)
        # A format costs more than all else here, and ids hold nothing that JSON would have to escape.
        spent = f"{micros // 1000}.{THOUSANDTHS[micros % 1000]}"
        told = f"{now.began}{THOUSANDTHS[thousandth]}{now.went_on}{ids.request}"
        if not handler.lines.as_json:
            handler.put(f"{told}] {self.sentence} {spent} ms\n")
            return
        if ids.trace:
            told += f'","trace_id":"{ids.trace}'
        handler.put(f'{told}","message":"{self.json_sentence} {spent} ms","duration_ms":{spent},{self.json_fields}\n')

    @classmethod
    def forget(cls) -> None:
        """See at the next line who wants lines, which may be others now."""
        cls._now = NEVER


# The process is another one.
os.register_at_fork(after_in_child=RequestLine.forget)


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
    RequestLine.forget()
