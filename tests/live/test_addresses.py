"""kill -HUP with other keys: nobody is let in by it who was not, and the server goes on."""

import os
import re
import signal
from pathlib import Path

import pytest
import requests
import yaml

from server.config import hash_of
from tests.conftest import ROW, titanic_endpoint, write_config
from tests.live.conftest import LiveServer
from tests.live.processes import ROOT
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]
KEY = "restimator_" + "k" * 43
KEYS = [{"name": "app", "hash": hash_of(KEY), "scopes": ["predict"]}]
TAKEN = "the configuration was taken anew"
REFUSED = "the changed configuration is not taken"


def until_logged(live, words):
    def is_logged():
        assert live.process.poll() is None, live.log.read_text()
        return words in live.log.read_text()

    until(is_logged, told=live.log.read_text)


def change_keys(live, keys):
    values = yaml.safe_load(live.config.read_text())
    values["server"]["keys"] = keys
    live.config.write_text(yaml.safe_dump({**values, "server": {k: v for k, v in values["server"].items() if v}}))
    os.kill(live.process.pid, signal.SIGHUP)


def listens_at(live):
    """Addresses of the machine, as the kernel writes them, at which somebody listens on the server's port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {
        address for address, port in re.findall(r"^ *\d+: (\w+):(\w+) \w+:\w+ 0A", "\n".join(lines), re.MULTILINE)
        if int(port, 16) == live.port
    }  # fmt: skip


@pytest.fixture
def make_unbound(tmp_path):
    """A server whose address is decided by gunicorn.conf.py; in it stands another port."""
    servers = []

    def make(keys, bind=None, preloads=True):
        settings = {"keys": keys} if keys else {}
        config = write_config(tmp_path, {"url": {"titanic": titanic_endpoint()}, "server": settings})
        live = LiveServer(config, tmp_path / "server.log")
        servers.append(live)
        text = (ROOT / "gunicorn.conf.py").read_text()
        assert ":8000" in text
        assert "preload_app = True" in text
        text = text.replace(":8000", f":{live.port}").replace("preload_app = True", f"preload_app = {preloads}")
        (tmp_path / "own.conf.py").write_text(text)
        live.variables = {
            "RESTIMATOR_BIND": bind and f"{bind}:{live.port}",
            "GUNICORN_CMD_ARGS": f"--config {tmp_path / 'own.conf.py'}",
        }
        live.start()
        return live

    yield make
    for live in servers:
        live.end()


def test_keys_that_are_added_leave_the_server_on_loopback(make_unbound):
    live = make_unbound(None)
    assert listens_at(live) == {"0100007F"}
    change_keys(live, KEYS)
    until_logged(live, TAKEN)
    assert f"the server listens on 127.0.0.1:{live.port} only" in live.log.read_text()
    assert listens_at(live) == {"0100007F"}
    assert {requests.get(f"{live.url}/titanic", params=ROW, timeout=60).status_code for _ in range(8)} == {401}
    answer = requests.get(f"{live.url}/titanic", params=ROW, headers={"X-API-Key": KEY}, timeout=60)
    assert answer.json() == [0]


@pytest.mark.parametrize("preloads", [True, False])
def test_keys_are_not_taken_away_from_a_server_that_all_can_reach(make_unbound, preloads):
    live = make_unbound(KEYS, preloads=preloads)
    assert listens_at(live) == {"00000000"}
    change_keys(live, None)
    until_logged(live, REFUSED)
    assert f"its address would be 127.0.0.1:{live.port} instead of 0.0.0.0:{live.port}" in live.log.read_text()
    assert listens_at(live) == {"00000000"}
    assert {requests.get(f"{live.url}/titanic", params=ROW, timeout=60).status_code for _ in range(8)} == {401}


def test_a_reload_that_takes_keys_away_warns_where_the_address_was_chosen(make_unbound):
    live = make_unbound(KEYS, bind="0.0.0.0")
    change_keys(live, None)
    until_logged(live, TAKEN)
    assert (
        f"no keys are configured (server.keys), and the server listens on 0.0.0.0:{live.port}" in live.log.read_text()
    )
