"""Files that are whole or not there, and locks that end with their holder."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.storage.files import Lock, move_whole, read_json, write_json, write_whole
from tests.conftest import ROOT
from tests.waiting import until

HOLD = "import sys; from pathlib import Path; from tests.storage.dying import hold; hold(*map(Path, sys.argv[1:]))"


@pytest.fixture
def holder(tmp_path):
    """A process that holds tmp_path/a.lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "a.lock"), str(tmp_path / "ready")], cwd=ROOT
    )
    until((tmp_path / "ready").exists)
    yield process
    process.kill()
    process.wait()


def test_a_lock_is_free_when_its_holder_was_killed(holder, tmp_path):
    lock = Lock(tmp_path / "a.lock")
    assert lock.is_held()
    with lock.held(wait=False) as held:
        assert not held
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert not lock.is_held()
    with lock.held(wait=False) as held:
        assert held


def test_who_waits_for_a_lock_gets_it_when_its_holder_is_killed(holder, tmp_path):
    threading.Timer(0.3, holder.kill).start()
    started = time.monotonic()
    with Lock(tmp_path / "a.lock").held() as held:
        assert held
    assert 0.2 < time.monotonic() - started < 10
    holder.wait()


def test_a_lock_excludes_threads_and_other_objects_of_the_same_file(tmp_path):
    inside = []

    def enter() -> None:
        with Lock(tmp_path / "a.lock").held():
            inside.append(1)
            assert len(inside) == 1
            time.sleep(0.005)
            inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not Lock(tmp_path / "a.lock").is_held()


def test_a_lock_is_free_after_an_error(tmp_path):
    lock = Lock(tmp_path / "deep" / "a.lock")
    with pytest.raises(ValueError), lock.held():
        raise ValueError
    assert not lock.is_held()


def test_those_who_ask_for_a_lock_do_not_see_one_another(tmp_path):
    lock = Lock(tmp_path / "a.lock")
    with lock.held():
        assert lock.is_held()
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(lambda _: lock.is_held(), range(2000)))


def test_asking_whether_a_lock_is_held_makes_nothing(tmp_path):
    assert not Lock(tmp_path / "none" / "a.lock").is_held()
    assert list(tmp_path.iterdir()) == []


def test_write_whole_leaves_the_new_content_and_nothing_else(tmp_path):
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"two")]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a", {"old": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a", {"new": object()})
    assert read_json(tmp_path / "a") == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "a"
    contents = [bytes([letter]) * 200_000 for letter in b"ab"]
    write_whole(path, contents[0])
    writer = threading.Thread(target=lambda: [write_whole(path, contents[n % 2]) for n in range(100)])
    writer.start()
    while writer.is_alive():
        assert path.read_bytes() in contents
    writer.join()


def test_move_whole_replaces(tmp_path):
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "b").write_bytes(b"old")
    move_whole(tmp_path / "a", tmp_path / "b")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("b", b"new")]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b"\xff"])
def test_json_that_is_no_object_is_a_value_error(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError):
        read_json(tmp_path / "a")


def test_json_that_is_not_there_is_none(tmp_path):
    assert read_json(tmp_path / "a") is None
