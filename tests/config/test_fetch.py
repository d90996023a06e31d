"""`flask text fetch MODEL DIR`, as users run it: a whole folder, or one sentence."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from server.estimators.text_folder import read_folder
from tests.conftest import ROOT, write_config
from tests.hub import COMMIT, running_hub
from tests.live.processes import finished
from tests.tiny import tiny_model

pytestmark = pytest.mark.slow  # each starts a process with the whole server
COMMAND = ("flask", "--app", "wsgi", "text", "fetch")


@pytest.fixture
def hub(tmp_path):
    """A hub with the model `org/tiny`."""
    with running_hub() as hub:
        hub.repositories["org/tiny"] = tiny_model(tmp_path / "repositories" / "tiny")
        yield hub


@pytest.fixture
def environment(hub, tmp_path):
    """The variables that the command sees."""
    config = write_config(tmp_path, {"url": {"e": {"pattern": "/e", "handler": "MLHandler", "kwargs": {}}}})
    return os.environ | {"RESTIMATOR_CONFIG": str(config)} | hub.environment(tmp_path / "home")


@pytest.fixture
def start(environment):
    """Start the command as it is typed; its process is returned."""

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", *COMMAND, *map(str, arguments)],
            cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return start


@pytest.fixture
def run(environment, tmp_path_factory):
    """Exit status, output and errors of the command."""

    def run(*arguments, **variables):
        done = finished([*COMMAND, *map(str, arguments)], environment | variables, tmp_path_factory.mktemp("told"))
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_model_is_saved_and_the_line_for_the_configuration_told(start, tmp_path):
    new = tmp_path / "new: model"
    process = start("org/tiny", new)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert output.startswith(f"org/tiny is saved in {new} (0.1 MiB):\n  config.json\n  model.safetensors\n")
    line = output.splitlines()[-1].removeprefix("In config.yaml: ")
    assert yaml.safe_load(line) == {"params": {"model": str(new)}}
    assert read_folder(new).labels == ("NEGATIVE", "POSITIVE")


def test_a_revision_may_be_named(run, hub, tmp_path):
    assert run("org/tiny", tmp_path / "new", "--revision", COMMIT[:7])[0] == 0
    assert f"GET api/models/org/tiny/revision/{COMMIT[:7]}" in hub.asked
    status, _, errors = run("org/tiny", tmp_path / "other", "--revision", "v9")
    assert (status, errors) == (1, "error: 'org/tiny' cannot be fetched from the hub: it has no revision 'v9'\n")


@pytest.mark.parametrize(
    ("name", "variables", "words"),
    [
        ("org/none", {}, "there is no such model"),
        ("org/gated", {}, "it is gated; accept its conditions there, and set HF_TOKEN"),
        ("org/pickle", {}, "has no model.safetensors on the hub: weights are read from safetensors only"),
        ("no name", {}, "is neither the absolute path of a folder nor a name of the hub"),
        ("org/tiny", {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set; on a machine with a connection"),
        ("org/tiny", {"HF_ENDPOINT": "http://127.0.0.1:1"}, "no connection ([Errno 111] Connection refused); on a"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_sentence(run, hub, tmp_path, name, variables, words):
    hub.repositories["org/gated"] = hub.repositories["org/tiny"]
    hub.gated.add("org/gated")
    pickles = hub.repositories["org/pickle"] = tmp_path / "repositories" / "pickle"
    shutil.copytree(hub.repositories["org/tiny"], pickles)
    (pickles / "model.safetensors").rename(pickles / "pytorch_model.bin")
    before = sorted(tmp_path.iterdir())
    status, output, errors = run(name, tmp_path / "new", **variables)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(f"error: {name!r} ")
    assert words in errors
    assert {path.name for path in tmp_path.iterdir()} - {path.name for path in before} <= {"home", "models"}


def test_a_folder_with_files_is_not_touched(run, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "notes.txt").write_text("mine")
    status, _, errors = run("org/tiny", tmp_path / "old")
    assert (status, errors) == (1, f"error: {tmp_path / 'old'} is not empty; name a new folder\n")
    assert [file.name for file in (tmp_path / "old").iterdir()] == ["notes.txt"]


def test_an_interrupted_fetch_leaves_nothing(start, hub, tmp_path):
    hub.held.clear()
    process = start("org/tiny", tmp_path / "new")
    deadline = time.monotonic() + 120
    while not any(path.startswith("GET org/tiny/resolve") for path in hub.asked):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert list(tmp_path.glob(".new*"))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert not [path for path in tmp_path.iterdir() if "new" in path.name]
