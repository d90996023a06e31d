"""flask --app wsgi runs list, show, cancel, promote."""

import json

import pytest

from server.cli import add_commands

pytestmark = pytest.mark.slow


@pytest.fixture
def run(client):
    """Runs a command; its exit status and output."""
    app = client.application
    add_commands(app)

    def call(*arguments: str) -> tuple[int, str]:
        result = app.test_cli_runner().invoke(args=["runs", *arguments])
        return result.exit_code, result.output

    return call


def test_the_list_marks_the_run_that_serves(client, run):
    client.post("/titanic?_action=retrain&class=GaussianNB")
    status, text = run("list", "--endpoint", "titanic")
    assert status == 0
    heading, newest, first = text.splitlines()
    assert heading.split() == ["run_id", "endpoint", "status", "class", "score", "start_time", "duration"]
    assert "FINISHED *" in newest
    assert "GaussianNB" in newest
    assert "FINISHED *" not in first
    assert json.loads(run("list", "--json")[1]) == client.get("/runs").json["runs"]


def test_a_run_is_shown_and_promoted(client, run):
    first = client.get("/runs").json["runs"][0]["run_id"]
    client.post("/titanic?_action=retrain&class=GaussianNB")
    assert json.loads(run("show", first)[1])["class"] == "LogisticRegression"
    assert run("promote", first) == (0, f"titanic: the model of run {first} serves\n")
    assert client.get("/titanic?_params").json["run"] == first


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "nothing"), "there is no"),
        (("cancel", "nothing"), "there is no"),
        (("promote", "nothing"), "there is no"),
        (("list", "--endpoint", "titanik"), "did you mean 'titanic'"),
        (("list", "--status", "DONE"), "known: SCHEDULED"),
        (("list", "--limit", "0"), "1 to 1000"),
    ],
)
def test_what_cannot_be_done_is_told(run, arguments, told):
    status, text = run(*arguments)
    assert status == 1
    assert told in text


def test_a_run_that_has_ended_is_not_cancelled(client, run):
    first = client.get("/runs").json["runs"][0]["run_id"]
    status, text = run("cancel", first)
    assert (status, "FINISHED" in text) == (1, True)
