"""Behind gunicorn: who is answered with keys, and without."""

import os

import pytest
import requests

from server.config import hash_of
from tests.conftest import titanic_endpoint, write_config
from tests.live.processes import finished

pytestmark = [pytest.mark.live, pytest.mark.slow]
KEY = {"name": "app", "hash": hash_of("secret"), "scopes": ["predict", "read"]}


def commands(live, *arguments):
    environment = os.environ | {"RESTIMATOR_CONFIG": str(live.config)}
    done = finished(["flask", "--app", "wsgi", "keys", *arguments], environment, live.config.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_key_made_while_the_server_runs_opens_every_worker_until_it_is_revoked(make_live):
    live = make_live({"titanic": titanic_endpoint()}, keys="keys.yaml")

    def statuses(key):
        headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
        return {requests.get(f"{live.url}/titanic?_params", headers=headers, timeout=60).status_code for _ in range(16)}

    def until(key, status):
        for _ in range(600):
            if statuses(key) == {status}:
                return
        raise AssertionError(statuses(key))

    assert statuses("nobody's") == {401}
    secret = commands(live, "create", "app", "--scope", "read")
    until(secret, 200)
    assert requests.delete(f"{live.url}/titanic?_model", headers={"X-API-Key": secret}, timeout=60).status_code == 403
    commands(live, "revoke", "app")
    until(secret, 401)
    assert secret not in live.log.read_text()


@pytest.mark.parametrize(("keys", "bound"), [(None, "127.0.0.1:8000"), ([KEY], "0.0.0.0:8000")])
def test_without_keys_only_this_machine_is_answered(tmp_path, keys, bound):
    config = write_config(tmp_path, {"url": {"titanic": titanic_endpoint()}, "server": {"keys": keys}})
    environment = {name: value for name, value in os.environ.items() if name != "RESTIMATOR_BIND"}
    environment["RESTIMATOR_CONFIG"] = str(config)
    done = finished(["gunicorn", "--print-config", "wsgi:app"], environment, tmp_path)
    assert f"'{bound}'" in next(line for line in done.stdout.splitlines() if line.startswith("bind "))


def test_who_can_reach_a_server_without_keys_is_told(make_live, monkeypatch):
    live = make_live({"titanic": titanic_endpoint()})
    assert "only this machine is answered" in live.log.read_text()
    live.stop()
    # gunicorn's own option wins over the variable.
    monkeypatch.setenv("GUNICORN_CMD_ARGS", f"--bind 0.0.0.0:{live.port}")
    live.start()
    assert "whoever reaches it can train, change and delete models" in live.log.read_text()
