"""How many requests one caller may send: counted by Flask-Limiter, before anything else is looked at."""

import threading
import time
from functools import partial

from flask import Flask, Response, request
from flask_limiter import Limiter, RequestLimit

from server.config import Key, Limits
from server.service.keys import KeyRing
from server.web.responses import problem
from server.web.security import OPEN, key_of

# What is asked often by those who watch the server, and what every page needs: not that others' requests, of the same
# address behind a proxy, make the server look dead.
UNCOUNTED = OPEN - {"login", "logout"}
NOWHERE = "nowhere"
# Seconds that a Redis which does not answer may hold up a request.
PATIENCE = 1


def limit_rates(app: Flask, limits: Limits, keys: KeyRing, storage: str) -> None:
    """Refuse who asks more often than limits.rate, or the rate of the key, allows; callers share nothing.

    While the storage fails, each worker counts by itself.

    Args:
        app: nothing that looks at requests was registered yet.
        limits: its rate is set.
        keys: those that the server asks for.
        storage: the address of where is counted.
    """
    assert limits.rate is not None
    usual = limits.rate
    limiter = Limiter(
        partial(_caller, keys),
        app=app,
        application_limits=[partial(_rate, keys, usual)],
        storage_uri=storage,
        storage_options={"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE} if "redis" in storage else {},
        in_memory_fallback_enabled=True,
        on_breach=partial(_refusal, keys),
        # Otherwise the library passes over what no route takes, and guessed keys are told there, too.
        request_identifier=lambda: request.endpoint or NOWHERE,
    )
    limiter.request_filter(lambda: request.endpoint in UNCOUNTED)
    app.after_request(partial(_told, limiter))
    # The library begins one to expire counters; it must be over when this process forks.
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()


def _caller(keys: KeyRing) -> str:
    """Whose request it is: the holder of a key, or else an address."""
    return f"key {key.name!r}" if (key := _key(keys)) is not None else f"address {request.remote_addr}"


def _rate(keys: KeyRing, usual: str) -> str:
    key = _key(keys)
    return usual if key is None else key.rate or usual


def _key(keys: KeyRing) -> Key | None:
    return None if keys.is_open else key_of(keys)


def _wait(limit: RequestLimit) -> int:
    """Seconds until the caller may ask again as often as before."""
    return max(1, limit.reset_at - int(time.time()))


def _refusal(keys: KeyRing, limit: RequestLimit) -> Response:
    key = _key(keys)
    setting = "server.limits.rate" if key is None or key.rate is None else "the rate of the key"
    detail = f"the {limit.request_args[0]} may ask {limit.limit} ({setting}); ask again in {_wait(limit)} s"
    return problem(429, "Too many requests", detail, [], {"Retry-After": str(_wait(limit))})


def _told(limiter: Limiter, response: Response) -> Response:
    """The response with what is left to the caller of its rate, and for how many seconds."""
    limit = limiter.current_limit
    if limit is not None:
        response.headers["RateLimit-Limit"] = str(limit.limit.amount)
        response.headers["RateLimit-Remaining"] = str(limit.remaining)
        response.headers["RateLimit-Reset"] = str(_wait(limit))
    return response
