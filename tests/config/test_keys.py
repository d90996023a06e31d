"""server.keys: keys in the configuration, in a variable, or in a file."""

import json

import pytest

from server.config import hash_of, keys_text, read_keys
from server.errors import ConfigError
from tests.conftest import titanic_endpoint

KEY = {"name": "app", "hash": hash_of("secret"), "scopes": ["predict"]}


@pytest.fixture
def keys_of(make_config):
    def keys(keys=None, environment=None):
        server = {} if keys is None else {"keys": keys}
        return make_config({"url": {"titanic": titanic_endpoint()}, "server": server}, environment).server.keys

    return keys


def test_no_keys_are_asked_for_by_default(keys_of):
    assert keys_of() is None


def test_keys_stand_in_a_list(keys_of):
    (key,) = keys_of([KEY | {"scopes": "predict", "endpoints": "titanic"}])
    assert (key.name, key.scopes, key.endpoints) == ("app", ("predict",), ("titanic",))
    assert (key.opens("titanic"), key.opens("iris")) == (True, False)


def test_a_file_is_named_relative_to_the_configuration(keys_of, tmp_path):
    assert keys_of("keys.yaml") == str(tmp_path / "keys.yaml")


@pytest.mark.parametrize("name", ["RESTIMATOR_KEYS", "RESTIMATOR_SERVER__KEYS"])
def test_a_variable_wins(keys_of, tmp_path, name):
    assert keys_of([KEY], {name: "other.yaml"}) == str(tmp_path / "other.yaml")
    (key,) = keys_of("keys.yaml", {name: json.dumps([KEY])})
    assert key.name == "app"


@pytest.mark.parametrize("name", ["RESTIMATOR_KEYS", "RESTIMATOR_SERVER__KEYS", "RESTIMATOR_SERVER__MODEL_SECRET"])
@pytest.mark.parametrize("value", ["", " ", "null", "~"])
def test_an_empty_variable_opens_nothing(keys_of, name, value):
    with pytest.raises(ConfigError, match=f"{name} is empty"):
        keys_of("keys.yaml", {name: value})


@pytest.mark.parametrize(
    ("keys", "pointer", "words"),
    [
        ([KEY | {"hash": "secret"}], "server.keys.0.hash", "keys create"),
        ([KEY | {"scopes": ["predict", "tran"]}], "server.keys.0.scopes", "did you mean 'train'"),
        ([KEY | {"scopes": []}], "server.keys.0.scopes", "at least 1"),
        ([KEY | {"scope": "read"}], "server.keys.0.scope", "did you mean 'scopes'"),
        ([KEY, {"name": "b"}], "server.keys.1.hash", "required"),
        ([KEY, KEY | {"hash": hash_of("x")}], "server.keys", "two keys have the name 'app'"),
        ([KEY, KEY | {"name": "b"}], "server.keys", "two keys have the hash"),
        ([KEY | {"name": ""}], "server.keys.0.name", "at least 1"),
        (7, "server.keys", "must be a list"),
    ],
)
def test_what_is_wrong_with_a_key_is_told(keys_of, keys, pointer, words):
    with pytest.raises(ConfigError, match="mistake") as caught:
        keys_of(keys)
    found = {problem.pointer: problem.detail for problem in caught.value.problems}
    assert words in found[pointer]


def test_a_file_holds_what_was_written(tmp_path, keys_of):
    keys = keys_of([KEY, KEY | {"name": "b", "hash": hash_of("b"), "endpoints": ["titanic"]}])
    file = tmp_path / "keys.yaml"
    file.write_text(keys_text(keys))
    assert read_keys(file) == keys
    assert read_keys(tmp_path / "none.yaml") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [("- name: [", "found '<stream end>'"), ("a: b", "a list of keys"), ("- name: x", r"\[0\].hash"), ("x", "a list")],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, text, words):
    file = tmp_path / "keys.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_keys(file)
