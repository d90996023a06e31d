"""config.yaml → Config: strict, with every mistake named by its YAML path."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from server.config import load_config
from server.errors import ConfigError


@pytest.fixture
def load(tmp_path: Path):
    def loaded(text: str | bytes):
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(path, {})

    return loaded


def endpoint(**kwargs):
    return {"pattern": "/t", "handler": "MLHandler", "kwargs": kwargs}


def problems_of(load, values):
    with pytest.raises(ConfigError) as caught:
        load(values if isinstance(values, (str, bytes)) else yaml.safe_dump(values))
    for problem in caught.value.problems:
        assert problem.detail in caught.value.detail or not problem.pointer
    return {problem.pointer: problem.detail for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("values", "pointer", "near"),
    [
        ({"url": {"t": endpoint(model={"clas": "PCA"})}}, "url.t.kwargs.model.clas", "'class'"),
        ({"url": {"t": endpoint(model={"catz": ["a"]})}}, "url.t.kwargs.model.catz", "'cats'"),
        ({"url": {"t": endpoint(modle={})}}, "url.t.kwargs.modle", "'model'"),
        ({"url": {"t": endpoint(data={"ulr": "a"})}}, "url.t.kwargs.data.ulr", "'url'"),
        ({"url": {"t": endpoint() | {"patern": "/t"}}}, "url.t.patern", "'pattern'"),
        ({"url": {"t": endpoint()}, "sever": {}}, "sever", "'server'"),
        ({"url": {"t": endpoint()}, "server": {"modelsdir": "m"}}, "server.modelsdir", "'models_dir'"),
        ({"url": {"t": endpoint()}, "server": {"limits": {"row": 1}}}, "server.limits.row", "'rows'"),
    ],
)
def test_unknown_key_names_the_yaml_path_and_the_nearest_key(load, values, pointer, near):
    assert problems_of(load, values) == {pointer: f"unknown key; did you mean {near}?"}


def test_unknown_key_with_no_near_name_lists_the_known_ones(load):
    [detail] = problems_of(load, {"url": {"t": endpoint(zzzzz=1)}}).values()
    assert "config_dir" in detail


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"url": {"t": endpoint() | {"handler": "MLHandlr"}}}, "url.t.handler"),
        ({"url": {"t": {"pattern": "/t"}}}, "url.t.handler"),
        ({"url": {"t": {"handler": "MLHandler"}}}, "url.t.pattern"),
        ({"url": {"t": None}}, "url.t"),
        ({"url": {"t": endpoint(model={"pipeline": "perhaps"})}}, "url.t.kwargs.model.pipeline"),
        ({"url": {"t": endpoint(model={"dropna": {"a": 1}})}}, "url.t.kwargs.model.dropna"),
        ({"url": {"t": endpoint(model={"cats": {"a": 1}})}}, "url.t.kwargs.model.cats"),
        ({"url": {"t": endpoint(model={"params": [1]})}}, "url.t.kwargs.model.params"),
        ({"url": {"t": endpoint(output="value")}}, "url.t.kwargs.output"),
        ({"url": {"t": endpoint(task="nerd")}}, "url.t.kwargs.task"),
        ({"url": {"t": endpoint() | {"kwargs": [1]}}}, "url.t.kwargs"),
        ({"url": {"t": endpoint()}, "server": {"limits": {"rows": 0}}}, "server.limits.rows"),
        ({"url": {"t": endpoint()}, "server": [1]}, "server"),
        ({"url": {}}, "url"),
        ({"url": None}, "url"),
        ({"url": [1]}, "url"),
        ({"server": {}}, "url"),
    ],
)
def test_a_wrong_value_is_one_mistake_at_its_path(load, values, pointer):
    with pytest.raises(ConfigError) as caught:
        load(yaml.safe_dump(values))
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_all_mistakes_are_told_at_once(load):
    wrong = {"url": {"a": endpoint(model={"clas": "PCA"}), "b": endpoint(output="x") | {"pattern": "/b"}}}
    assert set(problems_of(load, wrong)) == {"url.a.kwargs.model.clas", "url.b.kwargs.output"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("url:\n  t: {pattern: /a, handler: MLHandler}\n  t: {pattern: /b, handler: MLHandler}\n", 3),
        ("url:\n  t:\n    pattern: /a\n    handler: MLHandler\n    pattern: /b\n", 5),
        ("url:\n  t: [\n", 3),
        ("url:\n\tt: 1\n", 2),
    ],
)
def test_yaml_that_cannot_be_meant_names_the_line(load, text, line):
    with pytest.raises(ConfigError, match=f"line {line}"):
        load(text)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "[]", "text", b"\xff\xfe\x00", "url: !!python/object:os.system x\n"]
)
def test_a_file_that_is_no_configuration_is_one_error(load, text):
    with pytest.raises(ConfigError):
        load(text)


def test_a_missing_file_says_which_variable_names_it(tmp_path):
    with pytest.raises(ConfigError, match="RESTIMATOR_CONFIG"):
        load_config(tmp_path / "none.yaml", {})


def test_a_merge_key_may_be_overridden_as_yaml_says(load):
    text = (
        "url:\n  a: &base\n    pattern: /a\n    handler: MLHandler\n  b:\n    <<: *base\n    pattern: /b\n"
        "    kwargs: {output: proba}\n"
    )
    config = load(text)
    assert [entry.pattern for entry in config.url.values()] == ["/a", "/b"]
    assert config.url["b"].kwargs.output == "proba"


@pytest.mark.parametrize("second", ["/t", "/t/", "t", "//t"])
def test_a_pattern_used_twice_names_both_endpoints(load, second):
    found = problems_of(load, {"url": {"a": endpoint(), "b": endpoint() | {"pattern": second}}})
    assert list(found) == ["url.b.pattern"]
    assert "'a'" in found["url.b.pattern"]


@pytest.mark.parametrize("pattern", ["/t/(.*)", "/t/.+", "/t/[a-z]", "/t?x", "/a b", "/t/<id>", "/t#x"])
def test_a_regular_expression_is_no_pattern(load, pattern):
    assert list(problems_of(load, {"url": {"t": endpoint() | {"pattern": pattern}}})) == ["url.t.pattern"]


@pytest.mark.parametrize("where", ["kwargs", "entry"])
def test_auth_stops_the_start_and_points_to_the_keys(load, where):
    entry = endpoint(auth=True) if where == "kwargs" else endpoint() | {"auth": {"login_url": "/"}}
    found = problems_of(load, {"url": {"t": entry}})
    assert list(found) == ["url.t.kwargs.auth"]
    assert "server.keys" in found["url.t.kwargs.auth"]


@pytest.mark.parametrize("name", ["headers", "methods", "cache", "cors", "error", "redirect", "log"])
def test_gramex_kwargs_without_a_meaning_warn(load, name):
    config = load(yaml.safe_dump({"url": {"t": endpoint(**{name: {"a": 1}, "output": "proba"})}}))
    assert config.url["t"].kwargs.output == "proba"
    assert len(config.warnings) == 1
    assert f"url.t.kwargs.{name}" in config.warnings[0]


def test_gramex_keys_beside_the_handler_warn(load):
    assert "url.t.priority" in load(yaml.safe_dump({"url": {"t": endpoint() | {"priority": 3}}})).warnings[0]


@pytest.mark.parametrize("name", [".", "..", "''", "' '", '"a\\0b"'])
def test_a_name_that_is_no_folder_name_is_refused(load, name):
    with pytest.raises(ConfigError, match="cannot be the name"):
        load(f"url: {{{name}: {{pattern: /t, handler: MLHandler}}}}")


@pytest.mark.parametrize("name", ["mlruns", "mlflow.db", "server.db"])
def test_a_name_whose_folder_holds_the_servers_own_files_is_refused(load, name):
    with pytest.raises(ConfigError, match=name):
        load(yaml.safe_dump({"url": {name: endpoint()}}))


def test_a_slash_in_a_name_becomes_a_hyphen_in_its_folder(load, tmp_path):
    config = load(yaml.safe_dump({"url": {"a/../b": endpoint()}}))
    assert config.state_folder("a/../b") == tmp_path / "models" / "a-..-b"


@pytest.mark.parametrize("letter", ["?", "#", "%"])
def test_a_models_dir_that_no_url_can_name_is_refused(load, letter):
    values = {"server": {"models_dir": f"a{letter}20b"}, "url": {"t": endpoint()}}
    assert f"must not contain {letter}" in problems_of(load, values)["server.models_dir"]


def test_two_names_with_one_folder_are_refused(load):
    found = problems_of(load, {"url": {"a-b": endpoint(), "a/b": endpoint() | {"pattern": "/u"}}})
    assert "'a-b'" in found["url.a/b"]


def test_relative_paths_are_relative_to_the_file(load, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    entry = endpoint(data="d.csv", config_dir="state", template="t.html", model={"path": "m.pkl"})
    config = load(yaml.safe_dump({"url": {"t": entry}}))
    kwargs = config.url["t"].kwargs
    found = [kwargs.data.url, kwargs.config_dir, kwargs.template, kwargs.model.path, config.server.models_dir]
    assert found == [str(tmp_path / name) for name in ("d.csv", "state", "t.html", "m.pkl", "models")]
    assert config.state_folder("t") == tmp_path / "state"
    assert config.server.tracking_uri == f"sqlite:///{tmp_path}/models/mlflow.db"


@pytest.mark.parametrize("address", ["tcp://host:8786", "tls://10.0.0.1:1", "tcp://[::1]:8786"])
def test_compute_is_the_address_of_a_scheduler(load, address):
    assert load(yaml.safe_dump({"server": {"compute": address}, "url": {"t": endpoint()}})).server.compute == address


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("host:8786", "does not begin with tcp:// or tls://"),
        ("http://host:8787/status", "does not begin with tcp:// or tls://"),
        ("tcp://host", "has no port"),
        ("tcp://host:port", "has no port"),
        ("tcp://host:99999", "has no port"),
        ("tcp://:8786", "has no host"),
        ("tcp://me:secret@host:8786", "is a host and a port, and no more"),
        ("tcp://host:8786/", "is a host and a port, and no more"),
        ("", "does not begin"),
    ],
)
def test_any_other_compute_is_refused_with_the_reason(load, address, reason):
    found = problems_of(load, {"server": {"compute": address}, "url": {"t": endpoint()}})
    assert reason in found["server.compute"]
    assert "tcp://host:8786" in found["server.compute"]
    assert "secret" not in found["server.compute"]


@pytest.mark.parametrize(("name", "value"), [("dropna", ["a"]), ("deduplicate", ["a"]), ("deduplicate", False)])
def test_row_options_take_a_flag_or_columns_in_both_spellings(load, name, value):
    model = load(yaml.safe_dump({"url": {"t": endpoint(model={name: value})}})).url["t"].kwargs.model
    found = model.dropna if name == "dropna" else model.drop_duplicates
    assert found == (tuple(value) if value else False)


def test_both_spellings_of_drop_duplicates_are_one_too_many(load):
    found = problems_of(load, {"url": {"t": endpoint(model={"deduplicate": True, "drop_duplicates": True})}})
    assert list(found) == ["url.t.kwargs.model"]


@pytest.mark.parametrize(("written", "names"), [("a", ("a",)), (["a", 1], ("a", "1")), (None, ()), (2, ("2",))])
def test_column_lists_may_be_one_name_and_numbers_become_text(load, written, names):
    assert load(yaml.safe_dump({"url": {"t": endpoint(model={"cats": written})}})).url["t"].kwargs.model.cats == names


def test_a_byte_order_mark_is_no_mistake(load):
    assert list(load(b"\xef\xbb\xbf" + yaml.safe_dump({"url": {"t": endpoint()}}).encode()).url) == ["t"]


def test_values_never_change_after_loading(load):
    config = load(yaml.safe_dump({"url": {"t": endpoint()}}))
    with pytest.raises(ValidationError):
        config.server.base_url = "/x"
