"""Servers under measurement: why one did not start is told, and nothing of it is left."""

import sys
import time
from pathlib import Path

import pytest

from benchmarks.processes import Failed, free_port, started

# A server that starts a process in a session of its own, which nobody ends.
LEAVING = """
import http.server, subprocess, sys
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open("other", "w").write(str(other.pid))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_a_server_left_in_another_session_ends_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.processes.FOLLOWING", 0.1)
    port = free_port()
    command = [sys.executable, "-c", LEAVING, str(port)]
    with started(command, port, "/", {}, core=None, folder=tmp_path) as server:
        other = int((tmp_path / "other").read_text())
        assert {server.process.pid, other} <= set(server.processes())
    deadline = time.monotonic() + 10
    while alive(other) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(other)


def test_a_server_that_ends_is_told_with_its_status(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(Failed, match="the server ended with status 3"), started(command, free_port(), "/", {}):
        pass


def test_another_status_than_200_is_told_with_the_answer(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    with (
        started(command, port, "/", {}, core=None, folder=tmp_path) as server,
        pytest.raises(Failed, match="GET /nothing was answered by 404"),
    ):
        server.ask("GET", "/nothing")
