"""The model folder of a text model: published in one step, whatever dies, and in exchange with a file."""

import os
import shutil
import threading
import zipfile
from pathlib import Path

import pytest

from server.errors import ModelMissing
from server.storage import endpoint_store
from server.storage.endpoint_store import EndpointStore
from server.storage.model_folder import FACTS, ModelFolder, zipped
from tests.storage import dying
from tests.storage.conftest import dies

pytestmark = pytest.mark.slow

FILE, FOLDER = False, True
MOST_STEPS = 80
# Before → what a training then publishes.
CHANGES = {
    "nothing → folder": (None, FOLDER),
    "folder → folder": (FOLDER, FOLDER),
    "file → folder": (FILE, FOLDER),
    "folder → file": (FOLDER, FILE),
    "a user's folder → folder": ("user", FOLDER),
    "a user's folder → file": ("user", FILE),
}
launching = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


def prepare(folder: Path, before) -> None:
    if before == "user":
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "config.json").write_text("old")
        (folder / "model" / "model.safetensors").write_bytes(b"old" * 1000)
    elif before is not None:
        dying.publish_model(folder, "old", before)


def served(folder: Path) -> str | None:
    """The run of the model that serves, by its contents, all of which must be of that run."""
    model = EndpointStore(folder).model
    if model.signature() is None:
        return None
    place = model.location()
    parts = [place] if place.is_file() else [place / "model.safetensors", place / "config.json"]
    runs = {run for part in parts for run in ("old", "new") if run.encode() in part.read_bytes()}
    facts = model.facts()
    assert len(runs) == 1, f"a mixture of {runs}"
    assert facts is None or {facts["run"]} == runs
    return runs.pop()


def assert_nothing_is_left(folder: Path) -> None:
    """Only the serving model is there, once what is stale has been cleared."""
    EndpointStore(folder).recover()
    live = EndpointStore(folder).model.location()
    names = {path.name for path in folder.glob("*") if "model" in path.name}
    assert names == ({"model.pkl"} if live.is_file() else {"model", live.name} if live.exists() else set())
    assert not (folder / "publication.json").exists()
    assert not (folder / "staging").exists() or not list((folder / "staging").iterdir())


@pytest.mark.slow
@launching
@pytest.mark.parametrize("change", CHANGES)
def test_a_death_at_any_step_leaves_the_old_model_or_the_new(runner, tmp_path, monkeypatch, change):
    monkeypatch.setattr(endpoint_store, "STALE_STAGING", -1.0)
    before, after = CHANGES[change]
    seen = []
    for step in range(MOST_STEPS):
        folder = tmp_path / str(step)
        prepare(folder, before)
        died = dies(runner, dying.publish_model_dying, step, folder, "new", after)
        at_once = served(folder)
        # Of a user's folder, the exchange for a link takes two steps.
        assert at_once is not None or before in (None, "user"), f"no model after a death at step {step}"
        EndpointStore(folder).recover()
        seen.append(served(folder))
        assert at_once in (None, "old", seen[-1])
        assert_nothing_is_left(folder)
        shutil.rmtree(folder, ignore_errors=True)
        if not died:
            break
    old = None if before is None else "old"
    assert (died, seen[0], seen[-1]) == (False, old, "new")
    assert set(seen) == {old, "new"}
    assert seen == sorted(seen, key=["old", None, "new"].index), "what was new at an earlier step is old at a later one"


@pytest.mark.slow
@launching
@pytest.mark.parametrize("before", [FILE, FOLDER, "user"], ids=str)
def test_a_death_during_a_deletion_leaves_the_model_or_nothing(runner, tmp_path, monkeypatch, before):
    monkeypatch.setattr(endpoint_store, "STALE_STAGING", -1.0)
    seen = []
    for step in range(MOST_STEPS):
        folder = tmp_path / str(step)
        prepare(folder, before)
        died = dies(runner, dying.delete_model_dying, step, folder)
        store = EndpointStore(folder)
        seen.append(served(folder))
        assert seen[-1] is not None or store.state() == {"state": "deleted"}
        store.model.delete()
        assert served(folder) is None
        assert_nothing_is_left(folder)
        if not died:
            break
    assert (died, seen[0], seen[-1]) == (False, "old", None)


@pytest.mark.parametrize("change", CHANGES)
def test_a_publication_leaves_only_the_new_model(tmp_path, change):
    before, after = CHANGES[change]
    prepare(tmp_path, before)
    dying.publish_model(tmp_path, "new", after)
    assert served(tmp_path) == "new"
    assert_nothing_is_left(tmp_path)


def test_a_publication_repeated_changes_nothing(tmp_path):
    for is_folder in (FOLDER, FILE, FOLDER):
        store = dying.stage_model(tmp_path, "new", is_folder)
        store.model.publish("new")
        signature = store.model.signature()
        store.model.publish("new")
        store.model.publish("gone")
        assert store.model.signature() == signature
        store.discard("new")
        assert store.model.signature() == signature


def test_a_discarded_model_leaves_nothing(tmp_path):
    dying.publish_model(tmp_path, "old", FOLDER)
    store = dying.stage_model(tmp_path, "new", FOLDER)
    store.discard("new")
    assert served(tmp_path) == "old"
    assert_nothing_is_left(tmp_path)


def test_every_change_of_a_file_changes_the_signature(tmp_path):
    dying.publish_model(tmp_path, "old", FOLDER)
    folder = ModelFolder(tmp_path / "model")
    seen = [folder.signature()]
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(b"another length")
    seen.append(folder.signature())
    status = weights.stat()
    (tmp_path / "copy").write_bytes(b"another weight")
    os.utime(tmp_path / "copy", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(tmp_path / "copy", weights)
    seen.append(folder.signature())
    (tmp_path / "model" / "vocab.txt").touch()
    seen.append(folder.signature())
    dying.publish_model(tmp_path, "new", FOLDER)
    seen.append(folder.signature())
    assert len(set(seen)) == 5
    assert folder.signature() == seen[-1]


def test_without_a_folder_there_is_neither_signature_nor_facts(tmp_path):
    folder = ModelFolder(tmp_path / "model")
    assert (folder.signature(), folder.facts()) == (None, None)
    folder.delete()
    (tmp_path / "model").mkdir()
    assert folder.signature() is None, "an empty folder is no model"
    (tmp_path / "file").touch()
    assert (ModelFolder(tmp_path / "file").signature(), ModelFolder(tmp_path / "file").facts()) == (None, None)


def test_a_link_to_nowhere_is_no_model(tmp_path):
    (tmp_path / "model").symlink_to("nowhere")
    folder = ModelFolder(tmp_path / "model")
    assert (folder.signature(), folder.facts()) == (None, None)
    dying.publish_model(tmp_path, "new", FOLDER)
    assert served(tmp_path) == "new"


def test_a_users_link_is_replaced_and_what_it_names_stays(tmp_path):
    own = tmp_path / "elsewhere"
    own.mkdir()
    (own / "config.json").write_text("old")
    state = tmp_path / "state"
    state.mkdir()
    (state / "model").symlink_to(own)
    dying.publish_model(state, "new", FOLDER)
    assert served(state) == "new"
    assert (own / "config.json").read_text() == "old"


def test_facts_that_are_broken_are_none(tmp_path):
    dying.publish_model(tmp_path, "old", FOLDER)
    for content in (b"", b"{", b"[]", b"\xff"):
        (tmp_path / "model" / FACTS).write_bytes(content)
        assert ModelFolder(tmp_path / "model").facts() is None


def test_who_reads_while_others_publish_always_finds_a_model(tmp_path):
    prepare(tmp_path, "user")
    stop, missing, seen = threading.Event(), [], set()

    def read() -> None:
        model = EndpointStore(tmp_path).model
        while not stop.is_set():
            signature = model.signature()
            seen.add(signature)
            if signature is None:
                missing.append(signature)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        dying.publish_model(tmp_path, f"new {number}", number % 3 != 1)
    stop.set()
    reader.join()
    assert not missing
    assert len(seen) > 10


def test_a_zip_holds_all_files_under_one_name(tmp_path):
    prepare(tmp_path, "user")
    (tmp_path / "model" / "deeper").mkdir()
    (tmp_path / "model" / "deeper" / "file").write_text("x")
    with zipped(tmp_path / "model", "model") as file, zipfile.ZipFile(file) as archive:
        assert sorted(archive.namelist()) == ["model/config.json", "model/deeper/file", "model/model.safetensors"]
        assert archive.testzip() is None


def test_a_folder_replaced_while_it_is_zipped_is_told(tmp_path, monkeypatch):
    prepare(tmp_path, "user")
    written = zipfile.ZipFile.write

    def write(archive, file, name):
        written(archive, file, name)
        shutil.rmtree(tmp_path / "model")

    monkeypatch.setattr(zipfile.ZipFile, "write", write)
    with pytest.raises(ModelMissing, match="replaced"):
        zipped(tmp_path / "model", "model")
