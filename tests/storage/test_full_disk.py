"""A full disk: the answer says so, and nothing has changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from server.app import create_app
from server.config import load_config
from server.errors import StorageFull
from server.storage.endpoint_store import EndpointStore
from server.storage.files import Lock, room_on_disk
from tests.conftest import BriefRunner, write_config
from tests.storage import dying
from tests.storage.conftest import contents

# The launcher outlives the object that started it, and is meant to.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]

OLD = ("old", pd.DataFrame({"a": [1, 2], "y": [0, 1]}), {"model": {"class": "SVC", "params": {}}})
MORE = pd.DataFrame({"a": range(3000), "y": [n * n % 1009 for n in range(3000)]})
CHANGES = {
    "append": (dying.append, MORE),
    "put": (dying.save_settings, {"class": "SVC", "params": {"metric_params": {str(n): n for n in range(1000)}}}),
    "publish": (dying.publish, "new", MORE, {"model": {"class": "GaussianNB", "params": {}}}),
}
SIZES = [0, 1, 100, 300, 600, 1000, 2000, 4000, 8000, 16_000, 64_000, 2**20]


@pytest.mark.parametrize("change", CHANGES)
def test_without_room_a_change_says_so_and_changes_nothing(runner, tmp_path, change):
    function, *arguments = CHANGES[change]
    dying.publish(tmp_path / "old", *OLD)
    before = contents(tmp_path / "old")
    failures = 0
    for size in SIZES:
        folder = tmp_path / str(size)
        shutil.copytree(tmp_path / "old", folder)
        done = runner.run(dying.with_little_room, size, function, folder, *arguments)
        EndpointStore(folder).recover()
        assert (contents(folder) == before) is not done, f"with files of at most {size} bytes"
        failures += not done
    assert (done, failures > 1) == (True, True)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of four MiB: every training keeps a copy of its model."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount") if sys.platform == "linux" and os.geteuid() == 0 else None
    if not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False).returncode:
        pytest.skip("mounting a file system is not permitted")
    yield disk
    # Lazy: what a failed test still holds open must not keep the folder in its place, and with it pytest's last line.
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path, left: int) -> Path:
    """Take all of the disk's room but the bytes left."""
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    ballast.write_bytes(b"x" * max(0, room.f_bavail * room.f_frsize - left))
    return ballast


@pytest.fixture
def client(small_disk, tmp_path):
    """A trained endpoint whose state lies on the small disk."""
    model = {"class": "DecisionTreeClassifier", "target_col": "y", "params": {"random_state": 0}}
    url = {"m": {"pattern": "/m", "handler": "MLHandler", "kwargs": {"model": model}}}
    # A store of runs needs more room than this disk has, and keeps its file open.
    server = {"models_dir": str(small_disk / "models"), "tracking_uri": f"sqlite:///{tmp_path}/models/mlflow.db"}
    values = {"server": server, "url": url}
    app = create_app(load_config(write_config(tmp_path, values), {}), BriefRunner())
    app.testing = False
    client = app.test_client()
    assert client.post("/m?_action=train", json=[{"a": n, "y": n % 2} for n in range(20)]).status_code == 200
    return client


def state(client) -> list:
    return [client.get(f"/m?{view}").get_json() for view in ("_params", "_model", "_cache", "a=1&a=2")]


LARGE = [{"a": n, "y": n * 7919 % 11} for n in range(2000)]
REQUESTS = {
    "append": ("POST", "/m?_action=append", LARGE),
    "train": ("POST", "/m?_action=train", LARGE),
    "train with options": ("POST", "/m?_action=train&max_depth=3", LARGE),
    "retrain": ("POST", "/m?_action=retrain", None),
    "put": ("PUT", "/m?max_depth=3", None),
}


@pytest.mark.parametrize("request_", REQUESTS)
def test_on_a_full_disk_a_request_is_413_and_changes_nothing(client, small_disk, request_):
    method, url, rows = REQUESTS[request_]
    before = state(client)
    statuses = []
    for left in (0, 4096, 8192, 12_288, 20_480, 40_960, 81_920):
        ballast = fill(small_disk, left)
        response = client.open(url, method=method, json=rows)
        statuses.append(response.status_code)
        after = state(client)
        ballast.unlink()
        if response.status_code == 200:
            break
        assert response.status_code == 413, response.get_data(as_text=True)
        assert "no space is left" in response.get_json()["detail"]
        assert after == before, f"with {left} bytes left"
    assert statuses[0] == 413
    assert client.open(url, method=method, json=rows).status_code == 200


def test_on_a_full_disk_predictions_go_on(client, small_disk):
    before = client.get("/m?a=1&a=2").get_json()
    fill(small_disk, 0)
    assert client.get("/m?a=1&a=2").get_json() == before
    assert client.get("/m").status_code == 200


def test_a_delete_on_a_full_disk_works_or_says_so(client, small_disk):
    fill(small_disk, 0)
    for what in ("_model", "_cache"):
        assert client.delete(f"/m?{what}").status_code in (200, 413)


@pytest.mark.parametrize("what", ["state", "staging", "locks"])
def test_without_room_for_a_new_folder_the_answer_is_the_same(client, small_disk, what):
    """Inodes can run out before bytes do."""
    folder = {"state": "models", "staging": "models/m/staging", "locks": "models/m/.locks"}[what]
    shutil.rmtree(small_disk / folder, ignore_errors=True)
    subprocess.run(["mount", "-o", "remount,nr_inodes=1", small_disk], check=False, capture_output=True)
    used = os.statvfs(small_disk).f_files - os.statvfs(small_disk).f_ffree
    subprocess.run(["mount", "-o", f"remount,nr_inodes={used}", small_disk], check=True)
    assert client.post("/m?_action=train", json=LARGE[:50]).status_code == 413
    assert client.put("/m?max_depth=3").status_code == 413


def test_a_model_file_on_another_disk_that_is_full_leaves_everything_as_it_was(small_disk, tmp_path):
    store = EndpointStore(tmp_path / "state", small_disk / "mine.pkl")
    store.stage_rows("old", OLD[1])
    store.stage_model("old", lambda path: path.write_bytes(b"old"), {"run": "old"})
    store.publish("old", None)
    before = store.data.read().to_dict("list"), store.model.facts()
    ballast = fill(small_disk, 8192)
    store.stage_rows("new", MORE)
    with pytest.raises(StorageFull):
        store.stage_model("new", lambda path: path.write_bytes(b"x" * 100_000), {"run": "new"})
    store.discard_unpublished("new")
    ballast.unlink()
    store.recover()
    assert (store.data.read().to_dict("list"), store.model.facts()) == before


def test_a_publication_that_cannot_be_finished_does_not_stop_the_start(client, small_disk, tmp_path):
    folder = small_disk / "models" / "m"
    dying.stage(folder, "new", pd.DataFrame({"a": range(20_000), "y": range(20_000)}))
    (folder / "publication.json").write_text('{"run": "new"}')
    fill(small_disk, 0)
    restarted = create_app(load_config(tmp_path / "config.yaml", {}), BriefRunner()).test_client()
    assert restarted.get("/healthz").status_code == 200
    assert restarted.get("/m?a=1").status_code in (200, 503)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(122, "quota"), OSError(27, "large")])
def test_a_lack_of_room_is_told_apart(tmp_path, error):
    with pytest.raises(StorageFull, match="nothing was changed"), room_on_disk(tmp_path):
        raise error


@pytest.mark.parametrize("error", [OSError(13, "Permission denied"), ValueError("other")])
def test_other_failures_stay_what_they_are(tmp_path, error):
    with pytest.raises(type(error)), room_on_disk(tmp_path):
        raise error


def test_the_lock_of_a_full_disk_is_free_afterwards(small_disk):
    (small_disk / "locks").mkdir()
    fill(small_disk, 0)
    with pytest.raises(StorageFull), Lock(small_disk / "locks" / "a.lock").held(), room_on_disk(small_disk):
        (small_disk / "file").write_bytes(b"x" * 10_000)
    assert not Lock(small_disk / "locks" / "a.lock").is_held()
