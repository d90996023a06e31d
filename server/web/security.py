"""Who may ask for what: keys, and requests that another site's page makes a browser send."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Flask, Request, Response, g, request
from flask_restful import Resource

from server.config import Key, Scope
from server.errors import Forbidden, KeyMissing
from server.service.keys import KeyRing
from server.web.observation import ENDPOINT, KEY

COOKIE = "restimator_key"
SAFE = ("GET", "HEAD", "OPTIONS")
# What anybody may ask for: whether the server lives, and what a page needs to ask for a key.
OPEN = frozenset({"health", "ready", "v2_live", "v2_ready", "ping", "login", "logout", "static_file"})
OF_PAGES = {
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class GuardedResource(Resource):
    """A resource that says which scope each of its methods needs; None where the method itself looks."""

    scopes: ClassVar[Mapping[str, Scope | None]] = {}
    # Whether another site's page may send what changes things.
    takes_other_sites = False

    def subject(self) -> str | None:
        """The name of the endpoint that this request is about; None if it is about none."""
        return None

    def scope(self) -> Scope | None:
        """The scope that this request needs."""
        return self.scopes["GET" if request.method == "HEAD" else request.method]

    def dispatch_request(self, *arguments: Any, **named: Any) -> Any:
        """The method's answer, if the key opens it."""
        if request.method not in SAFE and not self.takes_other_sites:
            refuse_other_sites(request)
        request.environ[ENDPOINT] = self.subject()
        # What needs no key is not to be kept waiting by what a key would need.
        if "key" in g and request.method != "OPTIONS":
            scope = self.scope()
            if scope is not None:
                require(scope, self.subject())
        return super().dispatch_request(*arguments, **named)


def require(scope: Scope, endpoint: str | None = None) -> None:
    """See to it that the request's key opens this.

    Raises:
        Forbidden: it lacks the scope, or is for other endpoints.
    """
    key: Key | None = g.get("key")
    if key is None:
        return
    if scope not in key.scopes:
        raise Forbidden(f"the key {key.name!r} does not open this: it needs the scope {scope} and has {_listed(key)}")
    if endpoint is not None and not key.opens(endpoint):
        raise Forbidden(f"the key {key.name!r} is not for {endpoint!r}; it opens {', '.join(key.endpoints)}")


def opens(endpoint: str) -> bool:
    """Whether the request's key is for this endpoint; any request is, where no keys are asked for."""
    key: Key | None = g.get("key")
    return key is None or key.opens(endpoint)


def opens_some() -> bool:
    """Whether the request's key is for some endpoints only."""
    key: Key | None = g.get("key")
    return key is not None and bool(key.endpoints)


def the_only_endpoint() -> str | None:
    """The endpoint that the request's key opens; None if it opens all.

    Raises:
        Forbidden: it opens some of them, and one must be named.
    """
    if not opens_some():
        return None
    key: Key = g.key
    if len(key.endpoints) > 1:
        raise Forbidden(f"the key {key.name!r} opens some endpoints only; name one by endpoint={key.endpoints[0]}")
    return key.endpoints[0]


def _listed(key: Key) -> str:
    return ", ".join(key.scopes)


def refuse_other_sites(sent: Request) -> None:
    """See to it that no other site's page made a browser send this.

    Browsers say where a request comes from (Fetch Metadata; before that, the Origin of RFC 6454). Who says neither is
    no browser, and carries nobody's cookie by accident.

    Raises:
        Forbidden: a page of another origin sent it.
    """
    site = sent.headers.get("Sec-Fetch-Site")
    origin = sent.headers.get("Origin")
    own = f"{sent.scheme}://{sent.host}"
    if site in ("same-origin", "none") or (site is None and origin in (None, own)):
        return
    raise Forbidden(
        f"a page of another site ({origin or site}) sent this; the server's own pages and programs may, and others "
        "where xsrf_cookies: false allows it"
    )


def presented(sent: Request) -> str | None:
    """The key that a request brings: Authorization: Bearer …, X-API-Key, or the cookie of a page."""
    authorization = sent.authorization
    if authorization is not None and authorization.type == "bearer" and authorization.token:
        return authorization.token
    return sent.headers.get("X-API-Key") or sent.cookies.get(COOKIE)


def key_of(ring: KeyRing) -> Key | None:
    """The key that the request brings, if the server knows it."""
    sent = presented(request)
    return ring.of(sent) if sent else None


def guard(app: Flask, keys: KeyRing) -> None:
    """Let in who has a key, where keys are asked for, and tell browsers what not to do with answers."""
    app.after_request(protected)
    if not keys.is_open:
        app.before_request(lambda: admit(keys))
        app.after_request(private)


def protected(response: Response) -> Response:
    """The response with what a browser must know: its type is what it says, and a page is in no other site's frame."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.headers.get("Content-Type", "").startswith("text/html"):
        response.headers.update(OF_PAGES)
    return response


def private(response: Response) -> Response:
    """The response, which must not be kept for another key if one opened it."""
    if "key" in g:
        response.headers.setdefault("Cache-Control", "private, no-cache")
    return response


def admit(ring: KeyRing) -> None:
    """Remember whose key the request brings.

    Raises:
        KeyMissing: there is none, or it is not known.
    """
    if request.endpoint in OPEN:
        return
    key = key_of(ring)
    if key is None:
        # Alike for all who are not let in: nobody learns whether a key was almost right.
        raise KeyMissing("this server asks for a key; send it as Authorization: Bearer … or as X-API-Key")
    g.key = key
    request.environ[KEY] = key.name
