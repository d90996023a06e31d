"""Two workers are one server: what one changes every one sees, also after a restart and a death."""

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import joblib
import pandas as pd
import pytest
import requests
from sklearn.dummy import DummyClassifier

from tests.conftest import ROW, TITANIC_MODEL, titanic_endpoint
from tests.waiting import until

pytestmark = pytest.mark.live
FOREST = {"class": "RandomForestClassifier", "params": {"n_estimators": 1200, "random_state": 0}}
PASSENGER = {"PassengerId": 892, "Survived": 1, "Name": "A, B", "Ticket": "T", "Cabin": None} | ROW


def ask(live, method="GET", wait=120, json=None, **query):
    return requests.request(method, f"{live.url}/titanic", params=query, json=json, timeout=wait)


def view(live, name):
    return requests.get(f"{live.url}/titanic?{name}", timeout=60)


def fifty(live):
    """What 50 new connections are answered: gunicorn gives them to any worker."""
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda _: ask(live, **ROW, _output="proba").json()[0]["1"], range(50)))


def state(live):
    views = {name: view(live, name).json() for name in ("_params", "_model", "_cache")}
    return views | {"predictions": ask(live, **ROW, _output="proba").json()}


def start_long_training(live):
    """A training of some seconds in the background; its answer, and the process that trains."""
    # The one before may still draw its pictures.
    live.wait_for_trainings(0)
    thread = ThreadPoolExecutor(1)
    answer = thread.submit(ask, live, "POST", _action="retrain", **{"class": FOREST["class"]}, **FOREST["params"])
    thread.shutdown(wait=False)
    # A process is there before it was told what to do.
    until(lambda: requests.get(f"{live.url}/runs", params={"status": "RUNNING"}, timeout=60).json()["runs"])
    return answer, live.wait_for_trainings(1)[0]


def test_every_worker_serves_a_retrained_model_at_the_next_request(live):
    before = fifty(live)
    for strength in (0.01, 0.1):
        ask(live, "PUT", C=strength)
        assert ask(live, "POST", _action="retrain").status_code == 200
        after = fifty(live)
        assert len(set(before)) == len(set(after)) == 1
        assert set(after) != set(before)
        before = after


def test_every_worker_knows_a_change_at_the_next_request(live):
    for value in (1, 2, 3):
        ask(live, "PUT", C=value)
        assert {view(live, "_model").json()["params"]["C"] for _ in range(50)} == {value}


@pytest.mark.parametrize("atomic", [True, False], ids=["moved", "copied"])
def test_every_worker_serves_a_model_file_that_a_user_put_there(live, tmp_path, atomic):
    rows = pd.DataFrame({"Age": [22.0, 30.0], "Fare": [7.25, 80.0]})
    own = tmp_path / "own.pkl"
    for certainty in (1, 0):
        joblib.dump(DummyClassifier(strategy="constant", constant=certainty).fit(rows, [0, 1]), own)
        place = tmp_path / "models" / "titanic" / "model.pkl"
        os.replace(own, place) if atomic else shutil.copyfile(own, place)
        assert fifty(live) == [certainty] * 50


def test_a_restart_finds_everything_as_it_was(live):
    ask(live, "POST", json=[PASSENGER, PASSENGER | {"PassengerId": 893}], _action="append")
    ask(live, "PUT", C=0.5, exclude=["Name", "Ticket", "Cabin"])
    assert ask(live, "POST", _action="retrain").status_code == 200
    ask(live, "PUT", **{"class": "RidgeClassifier"}, alpha=2, dropna="Age")
    before = state(live)
    assert len(before["_cache"]) == 893
    live.restart()
    assert state(live) == before


def test_every_worker_describes_the_model_alike(live):
    assert ask(live, "POST", _action="retrain", **{"class": "DecisionTreeClassifier"}).status_code == 200
    assert len({view(live, "_params").text for _ in range(20)}) == 1


def test_a_deleted_model_and_deleted_data_stay_so_after_a_restart(live):
    requests.delete(f"{live.url}/titanic?_model", timeout=60)
    requests.delete(f"{live.url}/titanic?_cache", timeout=60)
    live.restart()
    for _ in range(10):
        assert ask(live, **ROW).status_code == 404
    assert view(live, "_model").status_code == 404
    assert view(live, "_cache").json() == []


def test_predictions_go_on_from_the_old_model_and_switch_in_one_step(live):
    old = fifty(live)[0]
    answer, _ = start_long_training(live)
    seen, moments = [], [time.monotonic()]
    while not answer.done():
        seen.append(ask(live, **ROW, _output="proba").json()[0]["1"])
        moments.append(time.monotonic())
    assert answer.result().status_code == 200
    # Who asks first reads the new forest, and that is all that anybody waits for.
    assert max(after - before for before, after in pairwise(moments)) < (moments[-1] - moments[0]) / 2
    new = set(fifty(live))
    assert len(new) == 1
    assert len(seen) > 20
    assert set(seen) <= {old} | new
    assert seen == sorted(seen, key=lambda value: value != old)
    assert seen[len(seen) // 2] == old


def test_a_second_training_waits_for_the_first(live):
    first, process = start_long_training(live)
    second = ask(live, "POST", _action="retrain", **{"class": "DecisionTreeClassifier"}, max_depth=2)
    assert first.done() or process not in live.trainings()
    assert first.result().status_code == second.status_code == 200
    assert view(live, "_model").json()["model"] == "DecisionTreeClassifier"
    assert "feature_importances_" in view(live, "_params").json()["attrs"]
    assert second.json()["score"] < 0.9


def test_appends_and_changes_do_not_wait_for_a_training(live):
    answer, process = start_long_training(live)
    assert ask(live, "POST", json=[PASSENGER], _action="append").json() == {"rows": 892, "appended": 1}
    assert ask(live, "PUT", exclude="Name").status_code == 200
    assert process in live.trainings()
    assert answer.result().status_code == 200
    assert len(view(live, "_cache").json()) == 892
    assert view(live, "_params").json()["opts"]["exclude"] == ["Name"]


def test_a_killed_training_is_a_truthful_500_and_changes_nothing(live):
    before = state(live)
    answer, process = start_long_training(live)
    os.kill(process, signal.SIGKILL)
    failed = answer.result()
    assert failed.status_code == 500
    assert failed.headers["Content-Type"] == "application/problem+json"
    assert "killed" in failed.json()["detail"]
    assert state(live) == before
    assert ask(live, "POST", _action="retrain").status_code == 200


def test_a_killed_launcher_is_replaced(live):
    answer, process = start_long_training(live)
    launcher = live.processes()[process]
    os.kill(process, signal.SIGKILL)
    os.kill(launcher, signal.SIGKILL)
    assert answer.result().status_code == 500
    assert [ask(live, "POST", _action="retrain").status_code for _ in range(4)] == [200] * 4


def test_a_killed_worker_is_replaced_and_its_training_is_done_all_the_same(live):
    answer, process = start_long_training(live)
    launcher = live.processes()[process]
    workers = [pid for pid, parent in live.processes().items() if parent == live.process.pid and pid != launcher]
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert isinstance(answer.exception(), requests.ConnectionError)
    live.wait("/readyz")
    live.wait_for_trainings(0)
    assert view(live, "_model").json()["model"] == FOREST["class"]
    assert ask(live, "POST", _action="retrain", n_estimators=5).status_code == 200


def test_while_the_first_training_runs_predictions_are_503_and_then_there(make_live):
    live = make_live({"titanic": titanic_endpoint(model=TITANIC_MODEL | FOREST)}, ready=False)
    answer = ask(live, **ROW)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert requests.get(f"{live.url}/readyz", timeout=60).json()["ready"] is False
    assert requests.get(f"{live.url}/titanic", timeout=60).status_code == 200
    live.wait("/readyz")
    assert ask(live, **ROW).json() == [0]


def test_two_workers_start_one_first_training(make_live):
    live = make_live({"titanic": titanic_endpoint(model=TITANIC_MODEL | FOREST)}, ready=False)
    live.wait("/readyz")
    # Both workers have started by then.
    assert len(set(fifty(live))) == 1
    live.wait_for_trainings(0)
    runs = requests.get(f"{live.url}/runs", timeout=60).json()["runs"]
    assert [run["status"] for run in runs] == ["FINISHED"]


def test_a_url_of_8000_characters_works(reading):
    query = "&".join(f"{name}={value}" for name, value in ROW.items())
    path = f"/titanic?{query}&Name="
    assert requests.get(reading.url + path + "x" * (8000 - len(path)), timeout=60).json() == [0]


def test_a_chunked_body_is_read_whole_or_refused(make_live):
    live = make_live({"empty": {"pattern": "/empty", "handler": "MLHandler"}}, limits={"body_mb": 0.1})
    url, headers = f"{live.url}/empty?_action=append", {"Content-Type": "text/csv"}
    large = requests.post(url, data=iter([b"x\n", *[b"1234567\n" * 1000] * 40]), headers=headers, timeout=60)
    assert large.status_code == 413, large.text
    assert "server.limits.body_mb" in large.json()["detail"]
    small = requests.post(url, data=iter([b"x\n", *[b"1234567\n" * 1000] * 10]), headers=headers, timeout=60)
    assert small.json() == {"rows": 10000, "appended": 10000}
