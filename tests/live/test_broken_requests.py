"""What gunicorn refuses before the application sees it is not quoted in the log."""

import socket

import pytest

from tests.conftest import titanic_endpoint
from tests.live.conftest import serving
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]
SECRET = "Secretive"
HEAD = b"POST /titanic HTTP/1.1\r\nHost: here\r\n"


@pytest.fixture(scope="module")
def talkative(tmp_path_factory):
    """A server that logs all that gunicorn has to say."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUNICORN_CMD_ARGS", "--log-level debug")
        with serving(tmp_path_factory.mktemp("talkative"), {"titanic": titanic_endpoint()}) as live:
            yield live


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (f"GET /titanic?Name=Müller{SECRET} HTTP/1.1\r\n\r\n".encode(), "Invalid HTTP request line"),
        (f"{SECRET} /titanic HTTP/1.1\r\n\r\n".encode(), "Invalid HTTP method"),
        (HEAD + f"X-API-Key {SECRET}\r\n\r\n".encode(), "Invalid HTTP Header"),
        (HEAD + f"X Key {SECRET}: it's\r\n\r\n".encode(), "Invalid HTTP header name"),
        (HEAD + b"Content-Length: 2\r\n\r\n{}" + f'{{"Name": "{SECRET}"}}\r\n\r\n'.encode(), "Invalid HTTP"),
        (HEAD + f"Transfer-Encoding: {SECRET}\r\n\r\n".encode(), "Unsupported transfer coding"),
        (HEAD + f"Expect: {SECRET}\r\n\r\n".encode(), "Unable to comply with expectation"),
        (HEAD + f"Transfer-Encoding: chunked\r\n\r\n{SECRET}\r\n\r\n".encode(), ""),
        (HEAD + f"Transfer-Encoding: chunked\r\n\r\nff\r\n{SECRET}".encode(), ""),
        (f"GET /titanic?Name={SECRET} HTT".encode(), "Ignored premature client disconnection"),
    ],
    ids=[
        "request line",
        "method",
        "header",
        "name of a header",
        "body",
        "coding",
        "expectation",
        "chunk",
        "half a chunk",
        "cut off",
    ],
)
def test_nothing_of_a_broken_request_is_logged(talkative, sent, told):
    before = len(talkative.log.read_text())
    with socket.create_connection(("127.0.0.1", talkative.port), timeout=60) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        answered = b"".join(iter(lambda: client.recv(4096), b""))
    until(lambda: told in talkative.log.read_text()[before:], told=lambda: (talkative.log.read_text(), answered))
    logged = talkative.log.read_text()[before:]
    assert SECRET not in logged
    # Who cut a request off hears nothing.
    assert answered.partition(b" ")[2][:3] != b"500"
