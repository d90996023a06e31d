"""A small hub of models on a free port, which speaks what huggingface_hub asks."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves folders as repositories with one commit, under every revision in `revisions`.

    Attributes:
        repositories: name → folder, whose sub-folders are served, too.
        gated: names whose files need a token.
        shorter: files that end one byte early, though they were announced whole.
        broken: files during which the connection is closed.
        held: when cleared, files wait until it is set.
        asked: method and path of every request.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.revisions = {"main", COMMIT[:7], COMMIT}
        self.gated: set[str] = set()
        self.shorter: set[str] = set()
        self.broken: set[str] = set()
        self.held = Event()
        self.held.set()
        self.asked: list[str] = []
        self.url = ""

    def environment(self, cache: Path) -> dict[str, str]:
        """The variables with which a process of its own asks this hub."""
        return {"HF_ENDPOINT": self.url, "HF_HOME": str(cache), "HF_HUB_CACHE": str(cache / "hub")}


class _Answer(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server.hub
        path = unquote(urlsplit(self.path).path).strip("/")
        hub.asked.append(f"{self.command} {path}")
        if path.startswith("api/models/"):
            name, _, revision = path.removeprefix("api/models/").partition("/revision/")
            self.describe(hub, name, revision or "main")
        elif "/resolve/" in path:
            name, _, rest = path.partition("/resolve/")
            self.give(hub, name, *rest.split("/", 1))
        else:
            self.refuse(404)

    def describe(self, hub: Hub, name: str, revision: str) -> None:
        if name not in hub.repositories:
            self.refuse(401, "RepoNotFound")
        elif revision not in hub.revisions:
            self.refuse(404, "RevisionNotFound")
        else:
            folder = hub.repositories[name]
            files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
            values = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]}
            self.answer(200, json.dumps(values).encode(), {"Content-Type": "application/json"})

    def give(self, hub: Hub, name: str, revision: str, file: str) -> None:
        if name in hub.gated and "Authorization" not in self.headers:
            self.refuse(401, "GatedRepo")
        elif revision not in hub.revisions:
            self.refuse(404, "RevisionNotFound")
        elif not (hub.repositories[name] / file).is_file():
            self.refuse(404, "EntryNotFound")
        else:
            content = (hub.repositories[name] / file).read_bytes()
            headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
            if self.command == "GET":
                hub.held.wait(30)
                if file in hub.broken:
                    self.connection.shutdown(SHUT_RDWR)
                    self.close_connection = True
                    return
                content = content[:-1] if file in hub.shorter else content
            self.answer(200, content, headers)

    def refuse(self, status: int, code: str = "") -> None:
        self.answer(status, b"", {"X-Error-Code": code} if code else {})

    def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.hub = hub

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that leave are part of the tests


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers until the end of the block."""
    hub = Hub()
    with _Server(hub) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        yield hub
        hub.held.set()
        server.shutdown()
        thread.join()


@contextmanager
def hub_in_reach(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Hub]:
    """As `running_hub`; this process asks it instead of the real one, and keeps what comes in `cache`."""
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    with running_hub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        files = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
        yield hub
        close_session()
