"""Whatever is sent, the answer is a 4xx, the server's memory stays near what it was, and nothing has changed."""

import ctypes
import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import ROOT, ROW, titanic_endpoint
from tests.hostile.files import HostileFile, hostile_files
from tests.hostile.requests import INFER, HostileRequest, hostile_requests, packed_requests
from tests.live.conftest import LiveServer, serving
from tests.registering import flower, registry, write_models
from tests.web.classifying import classifier_entry, write_documents

pytestmark = [pytest.mark.live, pytest.mark.slow]
# MiB of all processes together beyond what they held when each had been used once.
MOST = 300
# Seconds between two looks at it.
BETWEEN = 0.03
# Of the system's call kcmp on x86-64, and of what it compares.
KCMP, KCMP_VM = 312, 1
GROUPS = ("bomb", "code", "JSON", "text", "damaged")
BOUNDARY = "a-boundary-of-no-file"
VIEWS = ("/titanic?_params", "/titanic?_model", "/titanic?_cache", "/reviews?_params", "/api/v1/mlalgorithms")


@pytest.fixture(scope="module")
def canary(tmp_path_factory) -> Path:
    """What no request may make."""
    return tmp_path_factory.mktemp("canary") / "alive"


@pytest.fixture(scope="module")
def temporary(tmp_path_factory) -> Path:
    """Where the server puts its temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(tmp_path_factory, temporary) -> Iterator[LiveServer]:
    """Every handler behind one worker, each used once."""
    folder = tmp_path_factory.mktemp("hostile")
    write_models(folder)
    write_documents(folder)
    text = {"class": "MultinomialNB", "text_col": "text", "target_col": "label"}
    reviews = {"data": str(ROOT / "data" / "reviews.csv"), "model": text}
    url = {
        "titanic": titanic_endpoint(),
        "reviews": {"pattern": "/reviews", "handler": "TextHandler", "kwargs": reviews},
        "documents": classifier_entry(),
        "api": registry(),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        with serving(folder, url, workers=1, prepared=False) as live:
            _use_all(live)
            yield live


def _use_all(live: LiveServer) -> None:
    """Whatever is loaded at its first use is loaded now."""
    asked = [
        requests.post(f"{live.url}/titanic?_action=retrain"),
        requests.put(f"{live.url}/titanic?class=LogisticRegresion"),
        requests.get(f"{live.url}/titanic?_picture=roc_curve"),
        requests.post(f"{live.url}/api/v1/iris/predict", json=flower(0)),
        requests.post(f"{live.url}/titanic", data=(ROOT / "data" / "titanic.csv").read_bytes()),
        requests.get(f"{live.url}/runs"),
    ]
    assert [answer.status_code for answer in asked] == [200, 400, 200, 200, 200, 200], [one.text for one in asked]
    live.wait_for_trainings(0)


def _memory(live: LiveServer) -> float:
    """MiB of all the server's processes; a page that they share counts once (PSS).

    Pages of libraries are not counted: they weigh more as soon as other programs end that have them, too.
    A child that has not begun its program is its parent (vfork(2)), and not as much again.
    """
    total = 0
    for pid, parent in live.processes().items():
        with suppress(OSError):
            if _is_same_memory(pid, parent):
                continue
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
    return total / 1024


def _is_same_memory(pid: int, other: int) -> bool:
    """Whether two processes share one address space; see kcmp(2)."""
    return ctypes.CDLL(None).syscall(KCMP, pid, other, KCMP_VM, 0, 0) == 0


def _state(live: LiveServer) -> dict[str, Any]:
    told = {path: requests.get(live.url + path).content for path in VIEWS}
    told["row"] = requests.get(f"{live.url}/titanic", params=ROW).content
    told["text"] = requests.get(f"{live.url}/reviews", params={"query": "a fine film"}).content
    model = live.config.parent / "models" / "titanic" / "model.pkl"
    return told | {"file": model.read_bytes()}


@pytest.fixture(scope="module")
def idle(server) -> float:
    """MiB of the server at rest."""
    time.sleep(1)
    return _memory(server)


@pytest.fixture
def nothing_happens(server, idle, canary, temporary):
    """What the tests do changes nothing, makes nothing, and takes little memory."""

    @contextmanager
    def watching() -> Iterator[None]:
        peak, ended = 0.0, threading.Event()

        def look() -> None:
            nonlocal peak
            while not ended.wait(BETWEEN):
                peak = max(peak, _memory(server))

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        assert peak - idle < MOST, f"{peak - idle:.0f} MiB more than the {idle:.0f} at rest"

    before = _state(server)
    with watching():
        yield
    assert _state(server) == before
    assert not canary.exists()
    assert not list(Path("/tmp").glob("escaped*"))
    # What the libraries keep there is not the requests'.
    assert not [path for path in temporary.rglob("*") if path.is_file() and path.stat().st_size > 2**20]


def _send(live: LiveServer, request: HostileRequest) -> tuple[int, bytes]:
    """The answer to a request as it stands; http.client mends nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=120)
    connection.putrequest(request.method, request.path, skip_accept_encoding=True)
    headers = dict(request.headers)
    if request.body is not None:
        headers.setdefault("Content-Length", str(len(request.body)))
    for name, value in headers.items():
        connection.putheader(name, value)
    # A server that has read enough answers, and does not wait for the rest.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.endheaders()
        connection.send(request.body or b"")
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def _refused(live: LiveServer, asked: list[HostileRequest]) -> None:
    odd = []
    for request in asked:
        status, content = _send(live, request)
        if not 400 <= status < 500 or b"Traceback" in content:
            odd.append((request.name, request.method, request.path[:100], status, content[:200]))
    assert not odd, "\n".join(map(str, odd))


@pytest.mark.usefixtures("nothing_happens")
def test_hostile_requests_are_refused(server):
    _refused(server, hostile_requests())


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("group", GROUPS)
def test_hostile_files_are_refused(server, canary, group):
    files = [file for file in hostile_files(canary) if file.name.startswith(group)]
    asked = [request for file in files for request in _requests_of(file)]
    _refused(server, asked)


def _requests_of(file: HostileFile) -> list[HostileRequest]:
    """The file as a body to predict, and as a file to train; what is not slow also to append and to score."""
    content = file.make()
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{file.filename}"\r\n'
    form = f"{head}Content-Type: {file.content_type}\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()

    def body(action: str) -> HostileRequest:
        headers = {"Content-Type": file.content_type}
        return HostileRequest(f"{file.name}, {action}", "POST", f"/titanic?_action={action}", headers, content)

    def upload(action: str) -> HostileRequest:
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return HostileRequest(f"{file.name}, file to {action}", "POST", f"/titanic?_action={action}", headers, form)

    if file.is_slow:
        return [body("predict")]
    own = [body("predict"), upload("train"), upload("append"), body("score")]
    others = [(path, f"{file.name} at {path}") for path in (INFER, "/invocations")]
    found = [HostileRequest(name, "POST", path, {"Content-Type": file.content_type}, content) for path, name in others]
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    texts = [(f"/reviews?_action={action}", f"{file.name}, texts to {action}") for action in ("train", "append")]
    return own + found + [HostileRequest(name, "POST", path, headers, form) for path, name in texts]


@pytest.mark.usefixtures("nothing_happens")
def test_packed_bodies_that_grow_to_gigabytes_are_refused(server):
    _refused(server, packed_requests())


def test_the_corpus_is_large(canary):
    count = len(hostile_requests()) + sum(len(_requests_of(file)) for file in hostile_files(canary))
    assert count >= 1_000
