"""The section of a RegistryHandler."""

import pytest

from server.config import algorithm_of
from server.errors import ConfigError

PICKLE = {"name": "forest", "type": "classifier", "model": "forest.pkl"}


def registry(*algorithms, name="iris", **kwargs):
    endpoints = {name: {"algorithms": [*algorithms]}}
    return {"pattern": "/api/v1", "handler": "RegistryHandler", "kwargs": {"endpoints": endpoints} | kwargs}


def test_what_is_not_said_has_a_default(make_config, tmp_path):
    config = make_config({"url": {"api": registry(PICKLE)}})
    name, entry = config.registry
    algorithm = entry.kwargs.endpoints["iris"].algorithms[0]
    assert (name, algorithm.version, algorithm.status) == ("api", "1", "testing")
    assert algorithm.model_path == tmp_path / "forest.pkl"
    assert config.server.database == f"sqlite:///{tmp_path}/models/server.db"


def test_a_version_may_be_a_number_in_yaml(make_config):
    config = make_config({"url": {"api": registry(PICKLE | {"version": 1.0})}})
    assert config.registry[1].kwargs.endpoints["iris"].algorithms[0].version == "1.0"


def test_a_path_of_sqlite_is_relative_to_the_file(make_config, tmp_path):
    config = make_config({"url": {"api": registry()}, "server": {"database": "sqlite:///here.db"}})
    assert config.server.database == f"sqlite:///{tmp_path}/here.db"


@pytest.mark.parametrize(
    ("algorithms", "words"),
    [
        (
            [PICKLE | {"status": "ab_testing"}],
            "algorithms.0.status: input should be 'production', 'testing' or 'inactive'",
        ),
        ([PICKLE | {"typ": "x"}], "algorithms.0.typ: unknown key; did you mean 'type'?"),
        ([PICKLE | {"endpoint": "titanic"}], "needs model: (a file) or endpoint: (an MLHandler endpoint), one of them"),
        ([{"name": "forest", "type": "classifier"}], "one of them"),
        ([None], "algorithms.0: this must be a section of keys and values, not None"),
        ([PICKLE, PICKLE], "the algorithm 'forest' has version '1' twice"),
        ([{"name": "a", "type": "classifier", "endpoint": "titanik"}], "no MLHandler endpoint 'titanik'; known: none"),
        ([PICKLE | {"version": "2"}, {"name": "forest", "type": "classifier", "endpoint": "x"}], "each training"),
        ([PICKLE | {"name": " "}], "must be a text of 1 to 255 characters"),
    ],
)
def test_an_algorithm_that_cannot_be_is_told_with_its_path(make_config, algorithms, words):
    with pytest.raises(ConfigError) as told:
        make_config({"url": {"api": registry(*algorithms)}})
    assert words in told.value.detail


@pytest.mark.parametrize("name", ["a/b", "", "mlrequests", "stop_ab_test", "a?b", "..", "123"])
def test_an_endpoint_needs_a_name_that_can_be_part_of_a_url(make_config, name):
    with pytest.raises(ConfigError, match="choose (a name|another name)"):
        make_config({"url": {"api": registry(name=name)}})


def test_a_server_has_one_registry(make_config):
    with pytest.raises(ConfigError, match="url.other.handler: a server has one registry, and that is 'api'"):
        make_config({"url": {"api": registry(), "other": registry() | {"pattern": "/other"}}})


@pytest.mark.parametrize("pattern", ["/api/v1/mlrequests", "/api/v1/stop_ab_test/3"])
def test_no_other_endpoint_has_the_path_of_a_list(make_config, pattern):
    other = {"pattern": pattern, "handler": "MLHandler"}
    with pytest.raises(ConfigError, match="url.other.pattern: .* belongs to the registry 'api'"):
        make_config({"url": {"api": registry(), "other": other}})
    make_config({"url": {"api": registry(), "other": other | {"pattern": "/api/v1/others"}}})


@pytest.mark.parametrize("url", ["mysql://u:p@h/d", "server.db", "sqlite://", "postgresql+nodriver://h/d"])
def test_a_database_that_cannot_keep_a_registry_is_refused(make_config, url):
    with pytest.raises(ConfigError, match="server.database"):
        make_config({"url": {"api": registry()}, "server": {"database": url}})


@pytest.mark.parametrize("requests", [{"keep_days": 0}, {"keep_days": 1e6}, {"keep": 1}])
def test_settings_of_requests_are_checked(make_config, requests):
    with pytest.raises(ConfigError, match="server.requests.keep"):
        make_config({"url": {"api": registry()}, "server": {"requests": requests}})


@pytest.mark.parametrize(
    ("endpoint", "changes", "words"),
    [
        ("iris", {"type": "clusterer"}, "type: input should be 'classifier' or 'regressor'"),
        ("iris", {"status": "live"}, "status: input should be"),
        ("iris", {"version": None}, "version"),
        ("a/b", {}, "endpoint_name: 'a/b' cannot be one part of a URL"),
    ],
)
def test_an_algorithm_that_code_adds_is_checked_alike(endpoint, changes, words):
    with pytest.raises(ConfigError) as told:
        algorithm_of(endpoint, {"name": "forest", "type": "classifier"} | changes)
    assert words in told.value.detail
