"""The door for plain rows: a WSGI layer that answers them before Flask makes a request of them.

Making Flask's request, finding its route and running its hooks cost twice what a linear model's prediction takes. Here
only the keys of a dictionary are looked up. Whatever is out of the ordinary, every error among it, goes on to Flask,
whose answer to the same request is the same to the last header.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from flask import Flask
from flask.signals import request_finished, request_started, request_tearing_down

from server.config import Limits
from server.service.keys import KeyRing
from server.tables.writing import to_json
from server.web.observation import ENDPOINT, KEY, ROUTE, ROWS
from server.web.one_row import Few, PlainRows, row_of_query, rows_of_body, wants_json

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADERS = [("X-Content-Type-Options", "nosniff")]
HEADERS_WITH_KEY = [*HEADERS, ("Cache-Control", "private, no-cache")]
# A browser says where a request comes from; whether it may is for the usual way.
OF_BROWSERS = ("HTTP_SEC_FETCH_SITE", "HTTP_ORIGIN")
SIGNALS = (request_started, request_finished, request_tearing_down)


@dataclass(frozen=True)
class Place:
    """What answers at one path: the rule of the URL, an endpoint's name, and its answer for a few plain rows."""

    route: str
    endpoint: str
    few: Few


class RowDoor:
    """A WSGI application before another.

    Args:
        app: Flask's object, with all the hooks that it has by itself; while it has others, somebody's code wants to see
            every request, and nothing is answered here.
        places: what answers.
        keys: who may ask.
        limits: how large a body may be.
        start: what is to be done before the first answer; called before each.
    """

    def __init__(
        self, app: Flask, places: Iterable[Place], keys: KeyRing, limits: Limits, start: Callable[[], None]
    ) -> None:
        self._usual: WSGIApplication = app.wsgi_app
        self._app = app
        # As WSGI spells paths.
        self._places = {place.route.encode().decode("latin1"): place for place in places}
        self._keys = keys
        self._limits = limits
        self._start = start
        self._own_hooks = self._hooks()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The answer, of whoever gives it."""
        place = self._places.get(environ["PATH_INFO"])
        content = self._content(environ, place) if place is not None else None
        if content is None:
            return self._usual(environ, start_response)
        headers = HEADERS if self._keys.is_open else HEADERS_WITH_KEY
        own = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
        start_response("200 OK", own + headers)
        return [content]

    def _content(self, environ: "WSGIEnvironment", place: Place) -> bytes | None:
        if not wants_json(environ) or self._hooks() != self._own_hooks or not self._admits(environ, place.endpoint):
            return None
        found = self._found(environ)
        if found is None:
            return None
        self._start()
        try:
            values = place.few(found.rows, found.options)
        except Exception:  # noqa: BLE001 - the usual way meets it, too, and tells it
            return None
        if values is None:
            return None
        environ[ROUTE], environ[ENDPOINT], environ[ROWS] = place.route, place.endpoint, len(found.rows)
        return to_json(values)

    def _found(self, environ: "WSGIEnvironment") -> PlainRows | None:
        method = environ["REQUEST_METHOD"]
        if method == "GET":
            return row_of_query(environ, self._limits)
        if method != "POST" or any(name in environ for name in OF_BROWSERS):
            return None
        return rows_of_body(environ, lambda: _read(environ), self._limits)

    def _admits(self, environ: "WSGIEnvironment", endpoint: str) -> bool:
        """Whether a key in a header opens this; without one, the usual way looks further."""
        if self._keys.is_open:
            return True
        sent = environ.get("HTTP_X_API_KEY")
        if "HTTP_AUTHORIZATION" in environ:
            scheme, _, token = environ["HTTP_AUTHORIZATION"].partition(" ")
            sent = token.strip() if scheme == "Bearer" and "=" not in token else None
        key = self._keys.opening(sent, "predict", endpoint) if sent else None
        if key is None:
            return False
        environ[KEY] = key.name
        return True

    def _hooks(self) -> tuple[int, ...]:
        """How many functions want to see every request."""
        app = self._app
        hooks = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)
        return (
            *(len(functions.get(None, ())) for functions in hooks),
            len(app.url_value_preprocessors.get(None, ())),
            len(app.teardown_appcontext_funcs),
            *(len(signal.receivers) for signal in SIGNALS),
        )


def _read(environ: "WSGIEnvironment") -> bytes:
    """The body, which stays there for who reads it next."""
    content: bytes = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = BytesIO(content)
    return content
