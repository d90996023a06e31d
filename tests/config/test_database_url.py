"""data: {url: an SQLAlchemy URL, table: or query:} is checked at the start, and its password is never shown."""

import pytest
import yaml

from server.cli import effective_yaml
from server.config import load_config, without_secrets
from server.errors import ConfigError

ONE = "a database needs table: or query:, exactly one of them"


@pytest.fixture
def load(tmp_path):
    def loaded(data):
        endpoint = {"pattern": "/t", "handler": "MLHandler", "kwargs": {"data": data}}
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"url": {"t": endpoint}}))
        return load_config(path, {})

    return loaded


def problem(load, data):
    with pytest.raises(ConfigError) as caught:
        load(data)
    [found] = caught.value.problems
    assert "hunter2" not in caught.value.detail
    return found


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"url": "sqlite:///a.db"}, ONE),
        ("sqlite:///a.db", ONE),
        ({"url": "sqlite:///a.db", "table": "a", "query": "SELECT 1"}, ONE),
        ({"url": "sqlite:///a.db", "table": ""}, ONE),
        ({"url": "a.csv", "table": "a"}, "table: needs the URL of a database"),
        ({"query": "SELECT 1"}, "query: needs the URL of a database"),
    ],
)
def test_a_database_takes_a_table_or_a_query_and_a_file_neither(load, data, words):
    found = problem(load, data)
    assert found.pointer == "url.t.kwargs.data"
    assert words in found.detail


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("://me:hunter2@host/db", "no SQLAlchemy URL"),
        ("postgresql://me:hunter2@host:port/db", "no SQLAlchemy URL"),
        ("postgresql://me:hunter2@hunter2@host/db", "write it as %40"),
        ("postgres://me:hunter2@host/db", "no dialect 'postgres'; did you mean 'postgresql'"),
        ("postgresql+psycop://me:hunter2@host/db", "'postgresql+psycopg'"),
        ("http://host/a.csv", "known: mssql, mysql"),
        ("postgresql+asyncpg://me:hunter2@host/db", "asynchronous"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:a.db?uri=true", "write the path"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_mistake_at_its_path(load, url, words):
    found = problem(load, {"url": url, "table": "a"})
    assert found.pointer == "url.t.kwargs.data.url"
    assert words in found.detail


@pytest.mark.parametrize("url", [["postgresql://me:hunter2@host/db"], {"a": "postgresql://me:hunter2@host/db"}])
def test_a_url_of_the_wrong_type_is_refused_without_its_password(load, url):
    assert "host/db" in problem(load, {"url": url, "table": "a"}).detail


@pytest.mark.parametrize("name", ["a.db", "sub/a b.db", "./a.db"])
def test_a_relative_sqlite_file_is_relative_to_the_configuration(load, tmp_path, monkeypatch, name):
    monkeypatch.chdir("/")
    source = load({"url": f"sqlite:///{name}?timeout=1", "table": "a"}).url["t"].kwargs.data
    assert source.url == f"sqlite:///{tmp_path / name}?timeout=1"


@pytest.mark.parametrize(
    "url", ["sqlite:////there/a.db", "postgresql+psycopg://me:p%40ss%2F@host:5432/db?sslmode=require"]
)
def test_any_other_url_stays_as_it_is(load, url):
    assert load({"url": url, "query": "SELECT 1"}).url["t"].kwargs.data.url == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@host/db",
        "postgresql://me:hunter2 and more@host/db",
        "postgresql://me:hunter2@hunter2@host/db",
        "postgresql://:hunter2@host/db",
        "mssql+pymssql://host/db?user=me&password=hunter2&x=1",
        "postgresql://host/db?PWD=hunter2",
        "postgresql://me@server:hunter2@host/db",
        "postgresql://my name:hunter2@host/db",
        "postgresql://host/db?sslpassword=and hunter2",
        "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dhunter2&x=host/db",
    ],
)
def test_passwords_in_urls_are_hidden(url):
    [hidden] = without_secrets({"a": (url,)})["a"]
    assert "hunter2" not in hidden
    assert "host/db" in hidden


def test_the_effective_configuration_hides_passwords(load):
    text = effective_yaml(load({"url": "postgresql://me:hunter2 and more@host/db", "table": "a"}))
    assert "postgresql://me:***@host/db" in text
    assert "hunter2" not in text
