"""A page that asks for a key, and keeps it in a cookie which scripts cannot read."""

from urllib.parse import urlsplit

from flask import Response, redirect, render_template, request, url_for
from flask_restful import Api, Resource
from werkzeug.wrappers import Response as BaseResponse

from server.service.keys import KeyRing
from server.web.responses import html_response
from server.web.security import COOKIE, refuse_other_sites

LOGIN, LOGOUT = "/_login", "/_logout"
LONGEST = 1000


class Login(Resource):
    """The page, and what its form sends."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def get(self) -> Response:
        return login_page(200, request.args.get("next", ""))

    def post(self) -> BaseResponse:
        """Keep the key in the browser, and go where the page was asked for."""
        refuse_other_sites(request)
        following, key = request.form.get("next", ""), request.form.get("key", "").strip()
        if len(key) > LONGEST or self._keys.of(key) is None:
            return login_page(401, following, "This server does not know the key.")
        response = redirect(_own(following))
        response.set_cookie(
            COOKIE, key, httponly=True, samesite="Strict", secure=request.is_secure, path=request.script_root or "/"
        )
        return response


class Logout(Resource):
    """Forget the key."""

    def post(self) -> BaseResponse:
        refuse_other_sites(request)
        response = redirect(url_for("login"))
        response.delete_cookie(COOKIE, path=request.script_root or "/")
        return response


def login_page(status: int, following: str, problem: str = "") -> Response:
    """The page that asks for a key and then leads on."""
    response = html_response(render_template("login.html", following=_own(following), problem=problem), status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _own(address: str) -> str:
    """The address, if it is one of this server; else its first page."""
    plain = address.replace("\\", "/")
    parts = urlsplit(plain)
    # Slashes at the beginning are made fewer on the way, and two of them name a host.
    is_path = address.startswith("/") and not plain.startswith("//")
    is_own = is_path and not parts.scheme and not parts.netloc and address.isprintable()
    return address if is_own else f"{request.script_root}/"


def register_login(api: Api, keys: KeyRing, base: str) -> None:
    """Give the page its addresses."""
    api.add_resource(Login, base + LOGIN, endpoint="login", resource_class_kwargs={"keys": keys})
    api.add_resource(Logout, base + LOGOUT, endpoint="logout")
