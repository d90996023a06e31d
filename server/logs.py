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
from urllib.parse import quote

import orjson

FORMATS = ("text", "json")
REQUESTS = "server.requests"
REDACTED = "[redacted]"
# As `keys create` makes them; somebody may write one where it does not belong.
KEYS = re.compile(r"restimator_[\w-]{20,}", re.ASCII)
QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
SysExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Ids(NamedTuple):
    """By what a request's lines are found again: its own id, and that of the trace that its client began."""

    request: str
    trace: str | None


# What a line tells of a request beside the time it took: method, path as WSGI has it, status, route, endpoint, key,
# remote address, rows; None is not known, or not there.
Facts = tuple[str, str, str, str, str | None, str | None, str | None, int | None]


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

    def request_line(self, seconds: float, facts: Facts) -> str:
        """What `format` makes of a record of a request, without the record."""
        ids = current_ids.get()
        second, rest = divmod(time.time_ns(), 10**9)
        thousandths, spent = "%03d" % (rest // 10**6), "%d.%03d" % divmod(int(seconds * 10**6), 1000)  # noqa: UP031 - fast
        if not self._as_json:
            identity = f" [{ids.request}]" if ids else ""
            return f"[{_local(second)},{thousandths}] [{os.getpid()}] [INFO]{identity} {_sentence(facts)} {spent} ms"
        told = _ids_text(ids) if ids else ""
        before, after = _ends(facts)
        return "".join((_utc(second), thousandths, before, spent, ' ms"', told, ',"duration_ms":', spent, after))


def _json(told: dict[str, Any]) -> str:
    return orjson.dumps(told, default=str).decode()


@lru_cache(maxsize=1024)
def _sentence(facts: Facts) -> str:
    fields = _fields(facts)
    others = "".join(f" {name}={fields[name]}" for name in ("key", "remote", "rows") if name in fields)
    return f"{fields['method']} {fields['path']} {fields['status']}{others}"


def _fields(facts: Facts) -> dict[str, Any]:
    """What is known of a request, as a JSON line tells it."""
    method, path, status, *others = facts
    # As it was sent: a line break in a path must not begin another line.
    sent = KEYS.sub(REDACTED, quote(path.encode("latin-1", "replace")))
    found = {"method": method, "path": sent, "status": int(status)}
    known = zip(("route", "endpoint", "key", "remote", "rows"), others, strict=True)
    return found | {name: value for name, value in known if value is not None}


@lru_cache(maxsize=1024)
def _ends(facts: Facts) -> tuple[str, str]:
    """What stands before and after the duration in a request's JSON line; most requests are like some before them."""
    head = {"level": "info", "logger": REQUESTS, "process": os.getpid(), "message": f"{_sentence(facts)} "}
    return f'+00:00",{_json(head)[1:-2]}', f",{_json(_fields(facts))[1:]}"


os.register_at_fork(after_in_child=_ends.cache_clear)


def _ids_text(ids: Ids) -> str:
    # Neither holds what JSON would have to escape.
    trace = f',"trace_id":"{ids.trace}"' if ids.trace else ""
    return f',"request_id":"{ids.request}"{trace}'


def _told_of(ids: Ids | None) -> dict[str, Any]:
    if ids is None:
        return {}
    return {"request_id": ids.request, "trace_id": ids.trace} if ids.trace else {"request_id": ids.request}


@lru_cache(maxsize=2)
def _local(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


@lru_cache(maxsize=2)
def _utc(second: int) -> str:
    return time.strftime('{"time":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second))


class _Stderr(logging.StreamHandler):
    """The server's own handler, told from those of others."""

    def __init__(self) -> None:
        super().__init__()
        try:
            self._descriptor: int | None = self.stream.fileno()
        except OSError:
            # No file of the system, but somebody's object.
            self._descriptor = None

    def put(self, line: str) -> None:
        """Write a line that needs no formatting; past the stream, which keeps nothing back."""
        if self._descriptor is None:
            self.stream.write(line + self.terminator)
            return
        content = line.encode() + b"\n"
        while content:
            content = content[os.write(self._descriptor, content) :]


_root, _own, _requests = logging.getLogger(), logging.getLogger("server"), logging.getLogger(REQUESTS)


def log_request(seconds: float, facts: Facts) -> None:
    """Log a request as a line of REQUESTS, with the facts as fields of a JSON line.

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
        handlers[0].put(formatter.request_line(seconds, facts))
        return
    spent = round(seconds * 1000, 3)
    _requests.info("%s %s ms", _sentence(facts), spent, extra={"fields": {"duration_ms": spent} | _fields(facts)})


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
