"""A publication is all or nothing, whatever step the process dies at."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from server.errors import BadRequest
from server.service.run_book import RunBook
from server.service.run_folder import active_runs
from server.service.training import TrainingTask
from server.storage.endpoint_store import EndpointStore
from server.tracking import Status
from tests.storage import dying
from tests.storage.conftest import contents, dies
from tests.waiting import until

# The launcher outlives the object that started it, and is meant to.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]

OLD = ("old", pd.DataFrame({"a": [1, 2], "y": [0, 1]}), {"model": {"class": "SVC", "params": {}}})
NEW = ("new", pd.DataFrame({"a": [3, 4, 5], "y": [1, 0, 1]}), {"model": {"class": "GaussianNB", "params": {}}})
# What is there before, what a training changes.
CASES = {
    "everything changes": (OLD, NEW),
    "only the model changes": (OLD, ("new", None, None)),
    "model and rows change": (OLD, (*NEW[:2], None)),
    "model and settings change": (OLD, ("new", None, NEW[2])),
    "there was nothing": (None, NEW),
}
MOST_STEPS = 60


def prepared(folder: Path, before) -> None:
    if before is not None:
        dying.publish(folder, *before)


def assert_tidy(folder: Path) -> None:
    """Nothing is left half done, and the next publication works."""
    assert not (folder / "publication.json").exists()
    dying.publish(folder, "next", OLD[1], OLD[2])
    assert contents(folder)[0] == OLD[1].to_dict("list")
    assert EndpointStore(folder).model.facts() == {"run": "next"}


@pytest.mark.parametrize("case", CASES)
def test_a_death_at_any_step_leaves_all_of_the_old_or_all_of_the_new(runner, tmp_path, case):
    before, after = CASES[case]
    for name, states in (("old", [before]), ("new", [before, after])):
        for state in states:
            prepared(tmp_path / name, state)
    old, new = contents(tmp_path / "old"), contents(tmp_path / "new")
    seen = []
    for step in range(MOST_STEPS):
        folder = tmp_path / str(step)
        prepared(folder, before)
        died = dies(runner, dying.publish_dying, step, folder, *after)
        EndpointStore(folder).recover()
        found = contents(folder)
        assert found in (old, new), f"mixed after a death at step {step}: {found}"
        seen.append(found == new)
        assert_tidy(folder)
        if not died:
            break
    assert (died, seen[0], seen[-1]) == (False, False, True)
    assert seen == sorted(seen), "what was new at an earlier step is old at a later one"


@pytest.mark.slow
def test_a_death_during_recovery_is_recovered_from(runner, tmp_path):
    prepared(tmp_path / "new", OLD)
    prepared(tmp_path / "new", NEW)
    new = contents(tmp_path / "new")
    prepared(tmp_path / "before", OLD)
    old = contents(tmp_path / "before")
    recoveries = 0
    for step in range(MOST_STEPS):
        dead = tmp_path / f"dead{step}"
        shutil.copytree(tmp_path / "before", dead)
        if not dies(runner, dying.publish_dying, step, dead, *NEW):
            break
        for again in range(MOST_STEPS):
            folder = tmp_path / f"{step}-{again}"
            shutil.copytree(dead, folder)
            survived = not dies(runner, dying.recover_dying, again, folder)
            EndpointStore(folder).recover()
            assert contents(folder) in (old, new), f"mixed after deaths at {step} and {again}"
            shutil.rmtree(folder)
            if survived:
                break
            recoveries += 1
    assert recoveries


@pytest.mark.slow
def test_a_training_that_dies_at_any_step_leaves_model_rows_and_settings_together(runner, make_config, tmp_path):
    entry = {"pattern": "/m", "handler": "MLHandler", "kwargs": {"model": {"class": "GaussianNB", "target_col": "y"}}}
    config = make_config({"url": {"m": entry}})
    folder, kept = config.state_folder("m"), tmp_path / "kept"
    book = runner.keep(RunBook, config)
    runner.run(dying.train_dying, -1, TrainingTask("m", config, "old"), book, OLD[1])
    shutil.copytree(folder, kept)
    given = {"class": "DecisionTreeClassifier", "max_depth": "2"}

    def found() -> tuple[str, str, int]:
        store = EndpointStore(folder)
        chosen = store.settings().get("model") or {"class": "GaussianNB"}
        return store.model.facts()["class"], chosen["class"], store.data.count()

    outcomes = []
    for step in range(MOST_STEPS):
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        died = dies(runner, dying.train_dying, step, TrainingTask("m", config, f"new{step}", given=given), book, NEW[1])
        # Its end is heard of a moment before it lets go of its files.
        until(lambda key=f"new{step}": not active_runs(config).is_held(key))
        book.tick()
        outcomes.append(found())
        run = book.runs("m")[0][0]
        assert run.has_ended
        assert (run.status is Status.FINISHED) == (found()[0] == "DecisionTreeClassifier"), (step, run)
        if not died:
            break
    old, new = ("GaussianNB", "GaussianNB", 2), ("DecisionTreeClassifier", "DecisionTreeClassifier", 3)
    assert set(outcomes) == {old, new}
    assert (outcomes[0], outcomes[-1]) == (old, new)


def test_a_publication_that_fails_leaves_everything_as_it_was(tmp_path):
    dying.publish(tmp_path, *OLD)
    before = contents(tmp_path)
    store = dying.stage(tmp_path, "new", pd.DataFrame({"a": [1], "A": [2]}))
    with pytest.raises(BadRequest):
        store.publish("new", lambda settings: NEW[2])
    assert contents(tmp_path) == before
    store.recover()
    assert contents(tmp_path) == before


def test_a_change_that_is_refused_at_publication_leaves_everything_as_it_was(tmp_path):
    dying.publish(tmp_path, *OLD)
    before = contents(tmp_path)

    def refuse(settings):
        raise BadRequest("changed meanwhile")

    with pytest.raises(BadRequest):
        dying.stage(tmp_path, "new", NEW[1]).publish("new", refuse)
    assert contents(tmp_path) == before
    assert not (tmp_path / "publication.json").exists()


@pytest.mark.parametrize("journal", [b"", b"{", b"[]", b"{}", json.dumps({"run": "gone"}).encode()])
def test_a_journal_without_anything_to_finish_is_passed_over(tmp_path, journal):
    dying.publish(tmp_path, *OLD)
    before = contents(tmp_path)
    (tmp_path / "publication.json").write_bytes(journal)
    EndpointStore(tmp_path).recover()
    assert contents(tmp_path) == before
    assert_tidy(tmp_path)


def test_whoever_changes_next_finishes_what_a_death_began(runner, tmp_path):
    dying.publish(tmp_path, *OLD)
    store = dying.stage(tmp_path, "new", NEW[1])
    (tmp_path / "publication.json").write_text('{"run": "new"}')
    with store.changing():
        assert store.data.read()["a"].tolist() == [3, 4, 5]
        assert store.model.facts() == {"run": "new"}


def test_a_model_path_elsewhere_is_published_there(tmp_path):
    store = EndpointStore(tmp_path / "state", tmp_path / "elsewhere" / "mine.pkl")
    store.stage_model("new", lambda path: path.write_bytes(b"model"), {"run": "new"})
    store.publish("new", None)
    assert store.model.facts() == {"run": "new"}
    assert not (tmp_path / "state" / "model.pkl").exists()
