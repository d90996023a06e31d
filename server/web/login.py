"""A page that asks for a key, and keeps it in a cookie which scripts cannot read."""

from urllib.parse import parse_qsl, urlsplit

from flask import Response, redirect, render_template, request, url_for
from flask_restful import Api, Resource
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as BaseResponse

from server.errors import BadRequest, TooLarge, UnsupportedFormat
from server.service.keys import KeyRing
from server.web.request_data import FORM
from server.web.responses import html_response
from server.web.security import COOKIE, refuse_other_sites

LOGIN, LOGOUT = "/_login", "/_logout"
LONGEST = 1000
# Bytes that anybody may have read: a key, and the longest address that a page was asked for with, escaped.
LARGEST = 64 * 2**10


class Login(Resource):
    """The page, and what its form sends."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def get(self) -> Response:
        return login_page(200, request.args.get("next", ""))

    def post(self) -> BaseResponse:
        """Keep the key in the browser, and go where the page was asked for."""
        refuse_other_sites(request)
        form = _form()
        following, key = form.get("next", ""), form.get("key", "").strip()
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


def _form() -> dict[str, str]:
    """The fields of the form that the page sends.

    Raises:
        UnsupportedFormat, TooLarge, BadRequest: it is another form, or none.
    """
    if request.mimetype != FORM:
        raise UnsupportedFormat(f"a login is sent as {FORM} with the field 'key'")
    request.max_content_length = LARGEST
    try:
        content = request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise _too_large() from error
    if request.content_length is None and len(content) >= LARGEST:
        # A chunked body is cut off at the limit without a word.
        raise _too_large()
    try:
        return dict(parse_qsl(content.decode(), keep_blank_values=True, errors="strict"))
    except ValueError as error:
        raise BadRequest("the form is no text in UTF-8; send the field 'key'") from error


def _too_large() -> TooLarge:
    return TooLarge(f"a login is larger than {LARGEST >> 10} KiB; send the field 'key' only")


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
