"""$NAME in the file, and settings from the environment."""

from pathlib import Path

import pytest

from server.config import Limits, load_config
from server.errors import ConfigError


@pytest.fixture
def load(tmp_path: Path):
    def loaded(kwargs: str = "{}", server: str = "{}", pattern: str = "/t", **environment: str):
        path = tmp_path / "config.yaml"
        path.write_text(
            f"server: {server}\nurl:\n  t:\n    pattern: {pattern}\n    handler: MLHandler\n    kwargs: {kwargs}\n"
        )
        return load_config(path, environment)

    return loaded


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("$YAMLPATH/a.csv", "{folder}/a.csv"),
        ("${YAMLPATH}/a.csv", "{folder}/a.csv"),
        ("$GRAMEXDATA/a.csv", "{folder}/data/a.csv"),
        ("$PLACE/a.csv", "/srv/a.csv"),
        ("${PLACE}s/a.csv", "/srvs/a.csv"),
        ("a.csv", "{folder}/a.csv"),
        ("sub/../a.csv", "{folder}/sub/../a.csv"),
        ("/abs/a.csv", "/abs/a.csv"),
    ],
)
def test_a_data_url_is_expanded_and_made_absolute(load, tmp_path, written, meant):
    config = load(f"{{data: '{written}'}}", PLACE="/srv")
    assert config.url["t"].kwargs.data.url == meant.format(folder=tmp_path)


def test_a_database_url_is_expanded_and_made_absolute(load, tmp_path):
    def url(written):
        return load(f"{{data: {{url: '{written}', table: t}}}}", USERNAME="me").url["t"].kwargs.data.url

    assert url("sqlite:///$YAMLPATH/a.db") == url("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"
    assert url("postgresql://$USERNAME@host/db") == "postgresql://me@host/db"


def test_gramexdata_follows_data_dir(load, tmp_path):
    assert load("{data: $GRAMEXDATA/a.csv}", server="{data_dir: d}").url["t"].kwargs.data.url == str(
        tmp_path / "d/a.csv"
    )


def test_variables_are_expanded_in_lists_and_nested_mappings(load):
    model = load("{model: {cats: [$COL, b], params: {a: {b: [$COL]}}}}", COL="sex").url["t"].kwargs.model
    assert model.cats == ("sex", "b")
    assert model.params == {"a": {"b": ["sex"]}}


def test_an_unset_variable_names_path_and_the_nearest_variable(load):
    with pytest.raises(ConfigError) as caught:
        load("{model: {cats: [a, $YAMLPTH]}}")
    [problem] = caught.value.problems
    assert problem.pointer == "url.t.kwargs.model.cats.1"
    assert "$YAMLPTH" in problem.detail
    assert "'YAMLPATH'" in problem.detail


@pytest.mark.parametrize(
    ("base", "pattern", "path"),
    [
        ("''", "/$YAMLURL/t", "/t"),
        ("''", "/$YAMLURL/", "/"),
        ("/ml", "/$YAMLURL/t", "/ml/t"),
        ("ml/", "/$YAMLURL/t", "/ml/t"),
        ("/a/b/", "/$YAMLURL/t/", "/a/b/t"),
        ("/ml", "/$YAMLURL/", "/ml"),
        ("/ml", "/t", "/t"),
        ("/ml", "${YAMLURL}/t", "/ml/t"),
    ],
)
def test_base_url_is_what_yamlurl_stands_for(load, base, pattern, path):
    assert load(server=f"{{base_url: {base}}}", pattern=pattern).url["t"].pattern == path


def test_the_environment_overrides_the_file_and_the_file_the_default(load, tmp_path):
    config = load(
        server="{models_dir: m, limits: {rows: 7, body_mb: 3}}",
        RESTIMATOR_SERVER__LIMITS__ROWS="9",
        RESTIMATOR_SERVER__DATA_DIR="e",
    )
    assert config.server.limits == Limits(rows=9, body_mb=3)
    assert config.server.models_dir == str(tmp_path / "m")
    assert config.server.data_dir == str(tmp_path / "e")


def test_the_environment_works_without_a_server_section(tmp_path):
    (tmp_path / "config.yaml").write_text("url: {t: {pattern: /t, handler: MLHandler}}")
    config = load_config(tmp_path / "config.yaml", {"RESTIMATOR_SERVER__LIMITS__UNPACKED_MB": "0.5"})
    assert config.server.limits.unpacked_mb == 0.5


def test_a_setting_of_the_environment_may_hold_variables_and_lists(load, tmp_path):
    config = load(RESTIMATOR_SERVER__DATABASE="sqlite:///$YAMLPATH/x.db", RESTIMATOR_SERVER__CLASSES="[a.B, c.D]")
    assert config.server.database == f"sqlite:///{tmp_path}/x.db"
    assert config.server.classes == ("a.B", "c.D")


@pytest.mark.parametrize(
    ("environment", "pointer"),
    [
        ({"RESTIMATOR_SERVER__LIMITS__ROW": "9"}, "server.limits.row"),
        ({"RESTIMATOR_SERVER__LIMITS__ROWS": "many"}, "server.limits.rows"),
        ({"RESTIMATOR_SERVER__MODEL_DIR": "x"}, "server.model_dir"),
        ({"RESTIMATOR_SERVER__LIMITS": "{rows: "}, "server.limits"),
        ({"RESTIMATOR_SERVER__LIMITS": "5", "RESTIMATOR_SERVER__LIMITS__ROWS": "3"}, "server.limits"),
    ],
)
def test_a_wrong_setting_of_the_environment_names_its_place(load, environment, pointer):
    with pytest.raises(ConfigError) as caught:
        load(**environment)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_restimator_config_names_the_file(tmp_path):
    (tmp_path / "other.yaml").write_text("url: {o: {pattern: /o, handler: MLHandler}}")
    assert list(load_config(environment={"RESTIMATOR_CONFIG": str(tmp_path / "other.yaml")}).url) == ["o"]


@pytest.mark.parametrize(
    "secret", ["1234567890123456", "1_000_000_000_000_000", "@2345678901234567", "a: b: c: d: e: f: g"]
)
def test_a_secret_in_the_environment_is_text(load, secret):
    told = load(RESTIMATOR_SERVER__MODEL_SECRET=secret).server.model_secret
    assert told.get_secret_value() == secret


@pytest.mark.parametrize(
    ("server", "secret", "told"),
    [
        ("{model_secret: 1234567890123456}", "1234567890123456", "valid string; write it in quotes"),
        ("{model_secret: [aaaaaaaaaaaaaaaa]}", "aaaa", "valid string; write it in quotes"),
        (
            "{limits: {rate_storage: 'redis+tls://:swordfish@host'}}",
            "swordfish",
            "redis://…, rediss://…, redis+unix://…; this",
        ),
        ("{limits: {rate_storage: 'redis:swordfish@host'}}", "swordfish", "this is no URL"),
        ("{compute: 'http://me:swordfish@host:8786'}", "swordfish", "'http://me:***@host:8786' does not begin with"),
    ],
)
def test_a_mistake_shows_no_secret(load, server, secret, told):
    with pytest.raises(ConfigError) as caught:
        load(server=server)
    assert told in str(caught.value)
    assert secret not in str(caught.value)
