"""Starting: what the configuration says, what it said before, and what is wrong with it."""

import os
import subprocess
import sys
import time

import pytest
import requests
import yaml

from tests.conftest import ROOT, ROW, TITANIC_MODEL, titanic_endpoint, write_config
from tests.live.processes import finished

pytestmark = pytest.mark.live
STARTS = {
    "gunicorn": ["gunicorn", "wsgi:app"],
    "config check": ["flask", "--app", "wsgi", "config", "check"],
}


def start(config, way="config check", **environment):
    """The finished process of a start with this configuration."""
    environment = os.environ | {"RESTIMATOR_CONFIG": str(config), "RESTIMATOR_BIND": "127.0.0.1:0"} | environment
    return finished(STARTS[way], environment, config.parent)


def typed(config, way):
    """The same by the command that users type, some seconds later."""
    environment = os.environ | {"RESTIMATOR_CONFIG": str(config), "RESTIMATOR_BIND": "127.0.0.1:0"}
    return subprocess.run(
        [sys.executable, "-m", *STARTS[way]], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def rewrite(live, **kwargs):
    """Stop, give the titanic endpoint other kwargs, and start."""
    live.stop()
    values = yaml.safe_load(live.config.read_text())
    values["url"]["titanic"] = titanic_endpoint(**kwargs)
    live.config.write_text(yaml.safe_dump(values))
    live.start()


def params(live):
    return requests.get(f"{live.url}/titanic?_params", timeout=60).json()


def test_a_changed_model_section_is_shown_as_stale_until_the_next_training(live):
    assert params(live)["stale"] is False
    rewrite(live, model=TITANIC_MODEL | {"class": "DecisionTreeClassifier"})
    assert params(live)["stale"] is True
    assert "Changed since the last training" in requests.get(f"{live.url}/titanic", timeout=60).text
    assert "coef_" in params(live)["attrs"]
    requests.post(f"{live.url}/titanic?_action=retrain", timeout=60)
    assert params(live)["stale"] is False


def test_a_changed_data_source_is_shown_as_stale(live):
    source = live.config.parent / "data" / "titanic.csv"
    source.write_text("".join(source.read_text().splitlines(keepends=True)[:500]))
    assert params(live)["stale"] is True


def test_retrain_on_change_retrains_while_the_old_model_serves(live):
    forest = {"class": "RandomForestClassifier", "params": {"n_estimators": 1000, "random_state": 0}}
    rewrite(live, model=TITANIC_MODEL | forest, retrain_on_change=True)
    assert requests.get(f"{live.url}/titanic", ROW, timeout=60).json() == [0]
    assert params(live)["stale"] is True
    deadline = time.monotonic() + 60
    while params(live)["stale"]:
        assert requests.get(f"{live.url}/titanic", ROW, timeout=60).json() == [0]
        assert time.monotonic() < deadline
    assert "feature_importances_" in params(live)["attrs"]


def broken_endpoints():
    return {
        "titanic": titanic_endpoint(),
        "lost": titanic_endpoint(data="$YAMLPATH/gone.csv") | {"pattern": "/lost"},
        "broken": titanic_endpoint(model={"path": "$YAMLPATH/broken.pkl"}, data=None) | {"pattern": "/broken"},
    }


def test_an_endpoint_that_cannot_be_made_ready_does_not_stop_the_others(make_live, tmp_path):
    (tmp_path / "broken.pkl").write_text("no pickle")
    live = make_live(broken_endpoints(), ready=False)
    live.wait("/titanic?_model")
    assert requests.get(f"{live.url}/titanic", ROW, timeout=60).json() == [0]
    for name, word in (("lost", "gone.csv"), ("broken", "broken.pkl")):
        answer = requests.get(f"{live.url}/{name}", ROW, timeout=60)
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
        assert word in answer.json()["detail"]
    ready = requests.get(f"{live.url}/readyz", timeout=60)
    assert ready.status_code == 503
    assert ready.json()["endpoints"]["titanic"] == "ready"
    assert "gone.csv" in ready.json()["endpoints"]["lost"]
    assert "broken.pkl" in ready.json()["endpoints"]["broken"]
    done = start(live.config)
    assert done.returncode == 1
    assert "url.lost" in done.stderr
    assert "url.broken" in done.stderr
    assert "url.titanic:" not in done.stderr


def test_config_check_of_a_good_configuration_prints_it_with_defaults(tmp_path):
    done = typed(write_config(tmp_path, {"url": {"titanic": titanic_endpoint()}}), "config check")
    assert done.returncode == 0, done.stderr
    shown = yaml.safe_load(done.stdout)
    assert shown["server"]["limits"]["body_mb"] == 256
    assert shown["url"]["titanic"]["kwargs"]["model"]["class"] == "LogisticRegression"


@pytest.mark.parametrize("way", list(STARTS))
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"url": {"titanic": titanic_endpoint(model={"clas": "SVC"})}},
            ["url.titanic.kwargs.model.clas", "unknown key", "did you mean 'class'"],
        ),
        (
            {"url": {"titanic": titanic_endpoint(model={"class": "LogisticRegresion"})}},
            ["url.titanic.kwargs.model.class", "'LogisticRegression'"],
        ),
        ({"url": {"a": titanic_endpoint(), "b": titanic_endpoint()}}, ["url.b.pattern", "/titanic"]),
        ({"url": {}}, ["url", "no endpoint"]),
        ({"titanic": titanic_endpoint()}, ["titanic", "under 'url:'"]),
        ({"url": {"titanic": titanic_endpoint(auth=True)}}, ["url.titanic.kwargs.auth", "section 10"]),
    ],
    ids=["key", "class", "pattern", "nothing", "old guide", "auth"],
)
def test_a_bad_configuration_stops_the_start_with_one_readable_message(tmp_path, way, values, words):
    done = start(write_config(tmp_path, values), way)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in said
    for word in words:
        assert said.count(word) >= 1, said
    assert said.count("Restimator cannot start") == 1


def test_a_typed_command_says_what_one_that_was_prepared_says(tmp_path):
    config = write_config(tmp_path, {"url": {"titanic": titanic_endpoint(model={"class": "LogisticRegresion"})}})
    for way in STARTS:
        done, prepared = typed(config, way), start(config, way)
        assert done.returncode == prepared.returncode != 0
        assert "Restimator cannot start" in done.stderr
        assert done.stderr.splitlines()[-1] == prepared.stderr.splitlines()[-1]


def test_two_mistakes_are_told_at_once(tmp_path):
    model = TITANIC_MODEL | {"clas": "SVC", "exclud": "Name"}
    done = start(write_config(tmp_path, {"url": {"titanic": titanic_endpoint(model=model)}}))
    assert "model.clas:" in done.stderr
    assert "model.exclud:" in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://owner:hunter2@localhost/db",
        "postgresql://owner:$PASSWORD@localhost/db",
        "postgresql://owner:hunter2%40home@localhost/db",
        "mssql+pymssql://localhost/db?user=owner&password=hunter2",
    ],
)
def test_config_check_hides_passwords(tmp_path, url):
    source = {"url": url, "table": "passengers"}
    # The registry is kept in SQLite or PostgreSQL only.
    server = {"database": url} if url.startswith("postgresql") else {}
    values = {"url": {"titanic": titanic_endpoint(data=source)}, "server": server}
    done = start(write_config(tmp_path, values), PASSWORD="hunter2")
    assert "localhost/db" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
