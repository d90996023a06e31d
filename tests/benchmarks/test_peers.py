"""Other model servers: their files are whole and pinned, what they are asked is what their protocols say."""

import ast
import json
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from benchmarks.peers.catalogue import PEERS, SERVERS, Peer
from benchmarks.peers.comparison import Load
from benchmarks.peers.doors import Body, first_output, inference_request, split
from benchmarks.peers.environments import SHARED, installed, requirements, run
from benchmarks.peers.running import prepare, serving
from benchmarks.processes import Failed

INSTALLED = [peer for peer in PEERS if peer.installed]
PROGRAMS = Path(sys.executable).parent
ROWS = [{"Age": 22.0, "Sex": "male"}, {"Age": 38.0, "Sex": "female"}]


def test_every_folder_of_files_is_a_peer_and_every_peer_has_one():
    assert {path.name for path in SERVERS.iterdir()} == {peer.name for peer in INSTALLED}


@pytest.mark.parametrize("peer", INSTALLED, ids=lambda peer: peer.name)
def test_a_peer_is_installed_with_pins_and_with_the_libraries_that_serve_here(peer):
    pins = [Requirement(line) for line in requirements(peer.folder / "requirements.txt")]
    assert all([one.operator for one in pin.specifier] == ["=="] for pin in pins)
    assert [pin.name for pin in pins if pin.name in SHARED] == [*SHARED]


@pytest.mark.parametrize("peer", INSTALLED, ids=lambda peer: peer.name)
def test_a_peer_loads_the_model_that_lies_beside_its_files(peer):
    texts = {path.name: path.read_text() for path in peer.folder.iterdir()}
    assert any("model.pkl" in text for text in texts.values())
    for name, text in texts.items():
        if name.endswith(".py"):
            imported = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
            assert not {module for module in imported if module.startswith(("benchmarks", "server"))}
        elif name.endswith(".json"):
            assert json.loads(text)


def test_a_table_goes_to_mlflow_as_names_and_lists_of_cells():
    assert split(ROWS) == {"dataframe_split": {"columns": ["Age", "Sex"], "data": [[22.0, "male"], [38.0, "female"]]}}


def test_a_table_goes_to_mlserver_as_a_tensor_for_each_column():
    age, sex = inference_request(ROWS)["inputs"]
    assert age == {"name": "Age", "shape": [2, 1], "datatype": "FP64", "data": [22.0, 38.0]}
    assert (sex["datatype"], sex["data"]) == ("BYTES", ["male", "female"])
    assert first_output({"outputs": [{"name": "predict", "data": [0, 1]}]}) == [0, 1]


def test_an_answer_that_is_not_scikit_learns_is_named():
    load = Load(ROWS, [0, 1])
    load.check("naive", [0, 1])
    with pytest.raises(Failed, match="naive answered row 1 by 0, scikit-learn by 1"):
        load.check("naive", [0, 0])
    with pytest.raises(Failed, match="naive gave 3 answers to 2 rows"):
        load.check("naive", [0, 1, 1])


def test_what_a_command_said_last_is_its_reason(tmp_path):
    with pytest.raises(Failed, match="python -c: no such release$"):
        run([str(PROGRAMS / "python"), "-c", "print('looking'); raise SystemExit('no such release')"], tmp_path)


def test_an_environment_that_holds_what_is_wanted_is_kept(tmp_path):
    (tmp_path / "installed.txt").write_text("peer==1.0\njoblib==1.6.0")
    assert installed(tmp_path, ["peer==1.0", "joblib==1.6.0"]) == tmp_path / "bin"
    assert (tmp_path / "installed.txt").exists()


def test_a_peer_that_does_not_start_is_told_with_the_end_of_its_log(tmp_path):
    command = ("python", "-c", "print(open('model.pkl').read()); raise SystemExit('cannot listen on {port}')")
    peer = Peer("broken", command, ready="/", one=Body("/"), installed=False)
    (tmp_path / "any.pkl").write_text("a model")
    prepare(peer, PROGRAMS, tmp_path / "any.pkl", tmp_path / "peer")
    with (
        pytest.raises(Failed, match=r"ended with status 1; its log ends: cannot listen on \d+$"),
        serving(peer, PROGRAMS, tmp_path / "peer"),
    ):
        pass
