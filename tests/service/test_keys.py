"""Keys of a file open from the moment they are written, and until they are revoked."""

import os
from itertools import count

import pytest

from server.config import Key, hash_of, keys_text
from server.errors import ConfigError
from server.service import keys as module
from server.service.keys import KeyRing
from tests.conftest import titanic_endpoint

APP = Key(name="app", hash=hash_of("secret"), scopes=("read",))
moments = count(1_700_000_000)


@pytest.fixture
def make_ring(make_config, monkeypatch):
    monkeypatch.setattr(module, "BETWEEN_LOOKS", 0.0)

    def make(**server):
        return KeyRing(make_config({"url": {"titanic": titanic_endpoint()}, "server": server}))

    return make


def write(file, text):
    file.write_text(text)
    # Two changes within the clock's resolution would look like one.
    moment = next(moments)
    os.utime(file, (moment, moment))


def test_without_keys_nobody_is_asked(make_ring):
    ring = make_ring()
    assert (ring.is_open, ring.all()) == (True, [])


def test_a_key_is_found_by_what_was_sent(make_ring):
    ring = make_ring(keys=[APP.model_dump(mode="json")])
    assert ring.of("secret") == APP
    assert ring.of("Secret") is ring.of("") is ring.of("sécret\udcff".encode("utf-8", "replace").decode()) is None


def test_a_key_opens_its_scopes_and_endpoints_however_often_it_is_asked(make_ring):
    narrow = Key(name="narrow", hash=hash_of("narrow"), scopes=("predict",), endpoints=("titanic",))
    ring = make_ring(keys=[key.model_dump(mode="json") for key in (APP, narrow)])
    for _ in range(2):
        assert ring.opening("narrow", "predict", "titanic") == narrow
        assert ring.opening("secret", "read", "any") == APP
        assert ring.opening("narrow", "predict", "other") is ring.opening("narrow", "read", "titanic") is None
        assert ring.opening("secret", "predict", "any") is ring.opening("neither", "read", "any") is None


def test_what_a_key_opened_it_opens_no_more_once_the_file_says_so(make_ring, tmp_path):
    write(tmp_path / "keys.yaml", keys_text([APP]))
    ring = make_ring(keys="keys.yaml")
    assert ring.opening("secret", "read", "titanic") == APP
    fewer = APP.model_copy(update={"scopes": ("predict",)})
    write(tmp_path / "keys.yaml", keys_text([fewer]))
    assert ring.opening("secret", "read", "titanic") is None
    assert ring.opening("secret", "predict", "titanic") == fewer
    write(tmp_path / "keys.yaml", keys_text([]))
    assert ring.opening("secret", "predict", "titanic") is None


def test_a_file_that_is_not_there_yet_lets_nobody_in(make_ring, tmp_path):
    ring = make_ring(keys="keys.yaml")
    assert (ring.is_open, ring.all(), ring.of("secret")) == (False, [], None)
    write(tmp_path / "keys.yaml", keys_text([APP]))
    assert ring.of("secret") == APP
    write(tmp_path / "keys.yaml", keys_text([]))
    assert ring.of("secret") is None


def test_half_a_file_changes_nothing(make_ring, tmp_path, caplog):
    write(tmp_path / "keys.yaml", keys_text([APP]))
    ring = make_ring(keys="keys.yaml")
    write(tmp_path / "keys.yaml", keys_text([APP])[:20])
    assert ring.of("secret") == APP
    assert "the keys stay as they were" in caplog.text
    assert caplog.text.count("cannot be read") == 1
    assert ring.of("secret") == APP
    assert caplog.text.count("cannot be read") == 1


def test_a_file_that_is_wrong_at_the_start_stops_it(make_ring, tmp_path):
    write(tmp_path / "keys.yaml", "- name: app")
    with pytest.raises(ConfigError, match="hash"):
        make_ring(keys="keys.yaml")


def test_a_key_that_is_revoked_while_it_is_compared_is_not_remembered(make_ring, monkeypatch):
    ring = make_ring(keys=[APP.model_dump(mode="json")])

    def compared(one, other):
        ring._keep(())
        return one == other

    monkeypatch.setattr(module.hmac, "compare_digest", compared)
    assert ring.of("secret") == APP
    assert ring.of("secret") is None
