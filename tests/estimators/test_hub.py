"""Models are fetched from a hub whole or not at all, only what is needed of them, and every failure says what to do."""

import errno
import resource
import shutil
import socket
import time

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import HFValidationError, validate_repo_id

import server.estimators.hub
from server.errors import BadRequest, ModelUnreadable, StorageFull
from server.estimators.hub import HUB_NAME, cached, fetch
from server.estimators.text_folder import read_folder
from tests.hub import COMMIT

pytestmark = pytest.mark.slow

WHOLE = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
ELSEWHERE = (
    "; on a machine with a connection run `flask --app wsgi text fetch org/tiny DIR`, copy DIR here "
    "and set params.model to it"
)


def names(folder):
    return {file.name for file in folder.iterdir()}


def failure(name="org/tiny", revision=None, folder=None):
    """The sentence that fetching fails with."""
    with pytest.raises(ModelUnreadable) as caught:
        fetch(name, revision, folder)
    return caught.value.detail


@pytest.mark.parametrize(
    "name",
    [
        *("a", "gpt2", "org/name", "Foo-BAR_foo.bar123", "_a/_b_", "a" * 96, "a" * 96 + "/" + "b" * 96),
        *(
            "a" * 97,
            "org/",
            "/org",
            "a/b/c",
            ".a",
            "a.",
            "-a",
            "a-",
            "a--b",
            "a..b",
            "a.git",
            "a.git/b",
            "é",
            "a b",
            "",
        ),
        *("..", "../a", "a/..", "a\n", "a/b\n", "datasets/a/b", "https://hub/a"),
    ],
)
def test_names_follow_the_rules_of_the_hub(name):
    try:
        validate_repo_id(name)
        valid = True
    except HFValidationError:
        valid = False
    assert bool(HUB_NAME.fullmatch(name)) is valid


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:7], COMMIT])
def test_what_was_fetched_is_found_again_without_the_hub(hub, monkeypatch, revision):
    assert cached("org/tiny", revision) is None
    folder = fetch("org/tiny", revision)
    assert names(folder) == WHOLE
    asked = len(hub.asked)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert cached("org/tiny", revision) == folder
    assert len(hub.asked) == asked


def test_revisions_are_kept_apart(hub):
    fetch("org/tiny", COMMIT[:7])
    assert cached("org/tiny", COMMIT) is not None
    assert cached("org/tiny") is None
    fetch("org/tiny")
    assert cached("org/tiny") == cached("org/tiny", COMMIT[:7])


@pytest.mark.parametrize("into_folder", [True, False])
def test_only_what_is_needed_is_fetched(hub, model, tmp_path, into_folder):
    for name in ("pytorch_model.bin", "tf_model.h5", "modeling.py", "training_args.bin", ".gitattributes"):
        (model / name).write_text("no")
    for name in ("LICENSE", "README.md", "vocab.txt", "spiece.model"):
        (model / name).write_text("yes")
    (model / "onnx").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(model / name, model / "onnx" / name)
    folder = fetch("org/tiny", folder=tmp_path / "new" if into_folder else None)
    assert names(folder) == WHOLE | {"LICENSE", "README.md", "vocab.txt", "spiece.model"}
    assert not [path for path in hub.asked if "onnx" in path or path.endswith((".bin", ".py", ".h5"))]


def test_a_folder_gets_plain_files(hub, model, tmp_path):
    new = tmp_path / "new"
    assert fetch("org/tiny", folder=new) == new
    assert names(new) == WHOLE
    assert not any(file.is_symlink() for file in new.iterdir())
    assert all((new / name).read_bytes() == (model / name).read_bytes() for name in WHOLE)
    assert new.stat().st_mode == model.stat().st_mode


def test_the_weights_are_fetched_last(hub):
    fetch("org/tiny")
    fetched = [path.rsplit("/", 1)[1] for path in hub.asked if path.startswith("GET org/tiny/resolve")]
    assert fetched == ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]


def test_an_empty_folder_is_filled(hub, tmp_path):
    (tmp_path / "new").mkdir()
    assert names(fetch("org/tiny", folder=tmp_path / "new")) == WHOLE


def test_a_folder_with_files_is_refused(hub, model, tmp_path):
    before = names(model)
    with pytest.raises(BadRequest, match="texts/model is not empty; name a new folder"):
        fetch("org/tiny", folder=model)
    with pytest.raises(BadRequest, match="the folder .*/nowhere does not exist; make it first"):
        fetch("org/tiny", folder=tmp_path / "nowhere" / "new")
    with pytest.raises(BadRequest, match=r"config\.json is not empty"):
        fetch("org/tiny", folder=model / "config.json")
    assert (names(model), hub.asked) == (before, [])


@pytest.mark.parametrize(
    ("name", "revision", "words"),
    [
        ("org/none", None, "there is no such model, or it is private and needs HF_TOKEN"),
        ("org/tiny", "v9", "it has no revision 'v9'"),
        ("org/gated", None, "it is gated; accept its conditions there, and set HF_TOKEN"),
    ],
)
def test_what_the_hub_refuses_is_told(hub, model, tmp_path, name, revision, words):
    hub.repositories["org/gated"] = model
    hub.gated.add("org/gated")
    assert failure(name, revision, tmp_path / "new") == f"{name!r} cannot be fetched from the hub: {words}"
    assert names(tmp_path) == {"texts"}
    assert failure(name, revision).endswith(words)
    assert cached(name, revision) is None


def test_a_token_opens_what_is_gated(hub, monkeypatch):
    hub.gated.add("org/tiny")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert names(fetch("org/tiny")) == WHOLE


def test_without_a_connection_the_remedy_is_told_at_once(hub, tmp_path, monkeypatch):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        start = time.monotonic()
        detail = failure(folder=tmp_path / "new")
    assert (
        detail
        == f"'org/tiny' cannot be fetched from the hub: no connection ([Errno 111] Connection refused){ELSEWHERE}"
    )
    assert time.monotonic() - start < 5
    assert names(tmp_path) == {"texts"}


def test_a_hub_that_does_not_answer_is_not_waited_for(hub, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(server.estimators.hub, "TIMEOUT", 0.2)
        start = time.monotonic()
        detail = failure()
    assert detail == f"'org/tiny' cannot be fetched from the hub: no connection (timed out){ELSEWHERE}"
    assert time.monotonic() - start < 4


@pytest.mark.slow  # the library tries six times
def test_a_connection_that_breaks_leaves_nothing(hub, tmp_path):
    hub.broken.add("model.safetensors")
    detail = failure(folder=tmp_path / "new")
    assert detail.startswith("'org/tiny' cannot be fetched from the hub: no connection (")
    assert names(tmp_path) == {"texts"}


def test_the_offline_mode_is_named(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert failure() == f"'org/tiny' cannot be fetched from the hub: HF_HUB_OFFLINE is set{ELSEWHERE}"
    assert hub.asked == []


def test_a_name_that_the_hub_cannot_have_is_not_asked_for(hub):
    words = "'models/a/b' is neither the absolute path of a folder nor a name of the hub (org/name)"
    assert failure("models/a/b") == words
    assert hub.asked == []


def test_a_repository_of_pickles_is_refused_before_anything_is_fetched(hub, model, tmp_path):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    for folder in (None, tmp_path / "new"):
        assert failure(folder=folder).startswith("'org/tiny' has no model.safetensors on the hub: weights are read")
    assert not [path for path in hub.asked if "resolve" in path]
    assert names(tmp_path) == {"texts"}


@pytest.mark.parametrize("into_folder", [True, False])
def test_a_file_that_arrives_short_is_not_kept(hub, tmp_path, into_folder):
    hub.shorter.add("model.safetensors")
    detail = failure(folder=tmp_path / "new" if into_folder else None)
    assert "Consistency check failed: file should be of size" in detail
    assert cached("org/tiny") is None
    assert [file.parent.name for file in tmp_path.rglob("*.safetensors")] == ["model"]


@pytest.mark.parametrize("into_folder", [True, False])
def test_a_model_that_is_broken_on_the_hub_is_not_kept(hub, model, tmp_path, into_folder):
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    detail = failure(folder=tmp_path / "new" if into_folder else None)
    assert detail.startswith("model.safetensors of 'org/tiny' is cut short or broken")
    assert cached("org/tiny") is None
    assert not (tmp_path / "new").exists()


def test_a_snapshot_without_its_weights_is_not_whole(hub):
    folder = fetch("org/tiny")
    (folder / "model.safetensors").unlink()
    assert cached("org/tiny") is None
    assert names(fetch("org/tiny")) == WHOLE
    assert cached("org/tiny") == folder


@pytest.mark.parametrize("into_folder", [True, False])
def test_a_full_disk_is_said_and_nothing_is_kept(hub, tmp_path, into_folder):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))  # the weights are larger
    try:
        with pytest.raises(StorageFull) as caught:
            fetch("org/tiny", folder=tmp_path / "new" if into_folder else None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    place = f"holds {tmp_path}" if into_folder else "holds the hub's cache (HF_HOME)"
    assert caught.value.detail == f"no space is left for 'org/tiny' on the disk that {place}; nothing is kept of it"
    assert caught.value.__cause__.errno == errno.EFBIG
    assert not (tmp_path / "new").exists()
    assert cached("org/tiny") is None


def test_what_was_fetched_is_read(hub, tmp_path):
    assert read_folder(fetch("org/tiny", folder=tmp_path / "new")).labels == ("NEGATIVE", "POSITIVE")
