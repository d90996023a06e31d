"""flask --app wsgi keys: a key is shown once, and kept as a hash."""

import pytest
import yaml

from server.app import create_app
from server.cli import add_commands
from tests.conftest import ROW, BriefRunner, titanic_endpoint


@pytest.fixture
def make_app(make_config):
    def make(**server):
        app = create_app(make_config({"url": {"titanic": titanic_endpoint()}, "server": server}), BriefRunner())
        add_commands(app)
        return app

    return make


def run(app, *arguments):
    return app.test_cli_runner().invoke(args=["keys", *arguments])


def test_a_key_that_was_made_opens_until_it_is_revoked(make_app, tmp_path, monkeypatch):
    monkeypatch.setattr("server.service.keys.BETWEEN_LOOKS", 0.0)
    app = make_app(keys="keys.yaml")
    made = run(app, "create", "app", "--scope", "predict", "--scope", "read", "--endpoint", "titanic")
    secret = made.stdout.strip()
    assert (made.exit_code, len(secret) > 40) == (0, True)
    kept = (tmp_path / "keys.yaml").read_text()
    assert secret not in kept
    assert yaml.safe_load(kept)[0]["scopes"] == ["predict", "read"]
    assert run(app, "list").stdout == "app  predict read  titanic\n"
    client, headers = app.test_client(), {"Authorization": f"Bearer {secret}"}
    assert client.get("/titanic", query_string=ROW, headers=headers).status_code in (200, 503)
    assert client.delete("/titanic?_model", headers=headers).status_code == 403
    assert run(app, "revoke", "app").stdout == "app is revoked\n"
    assert client.get("/titanic", query_string=ROW, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "app", "--scope", "read"), "already"),
        (("create", "b", "--scope", "read", "--endpoint", "titanc"), "no endpoint 'titanc'"),
        (("create", "b"), "--scope"),
        (("revoke", "b"), "known: app"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_changes(make_app, tmp_path, arguments, words):
    app = make_app(keys="keys.yaml")
    run(app, "create", "app", "--scope", "read")
    before = (tmp_path / "keys.yaml").read_text()
    done = run(app, *arguments)
    assert done.exit_code != 0
    assert words in done.output
    assert (tmp_path / "keys.yaml").read_text() == before


def test_without_a_file_the_lines_to_write_are_printed(make_app, tmp_path):
    app = make_app()
    made = run(app, "create", "app", "--scope", "read")
    assert yaml.safe_load(made.stderr.partition("\n")[2])[0]["name"] == "app"
    assert made.stdout.startswith("restimator_")
    assert "remove the key there" in run(app, "revoke", "app").output
