"""The page of a ClassifierHandler, and its line on the index."""

import json
import shlex

import pytest

from tests.conftest import titanic_endpoint
from tests.web.classifying import LABELS, URL, begun, classifier_entry, finished, write_documents
from tests.web.conftest import assert_problem, build
from tests.web.reading import Page

pytestmark = pytest.mark.slow

AS_JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """Only for requests that change nothing; one experiment has a trained run."""
    folder = tmp_path_factory.mktemp("classifier")
    write_documents(folder)
    client = build(folder, {"titanic": titanic_endpoint(), "custom": classifier_entry()})
    begun(client, experiment_name="<b>first & last")
    finished(client, "<b>first & last")
    return client


def test_the_page_shows_experiments_documents_and_routes(classifier):
    answer = classifier.get(URL)
    assert answer.content_type == "text/html; charset=utf-8"
    assert "Accept" in answer.vary
    page = Page(answer.text)
    assert page.heading == "custom"
    for words in (
        "TF-IDF and LogisticRegression",
        "<b>first & last",
        "finished",
        "dataset1",
        "business 14, space 14, sport 15",
        "43",
    ):
        assert words in page.text
    run_id = classifier.get(f"{URL}/all_experiments/last_run").json[0]["run_id"]
    assert f'href="/runs/{run_id}"' in answer.text
    assert len(page.ids) == len(set(page.ids))


def test_json_says_the_same(classifier):
    answer = classifier.get(URL, headers=AS_JSON).json
    assert answer == classifier.get(f"{URL}?_format=json").json
    assert answer["experiments"] == classifier.get(f"{URL}/all_experiments/last_run").json
    assert answer["datasets"] == [{"path": "dataset1", "labels": {"business": 14, "space": 14, "sport": 15}}]
    assert len(answer["routes"]) == 8


def test_each_example_of_the_page_is_a_call_that_is_answered(classifier):
    for route in classifier.get(URL, headers=AS_JSON).json["routes"]:
        if "delete" in route["url"] or route["url"].endswith("process"):
            continue
        given = {"json": route["takes"]} if route["method"] == "POST" else {"query_string": route["takes"]}
        answer = classifier.open(route["url"].removeprefix("http://localhost"), method=route["method"], **given)
        assert answer.status_code == 200, route
    process = classifier.get(URL, headers=AS_JSON).json["routes"][0]
    assert process["takes"] == {"labels": LABELS, "path": "dataset1", "experiment_name": "<b>first & last"}


def test_a_command_of_the_page_holds_the_body_whole(classifier):
    page = Page(classifier.get(URL).text)
    assert "curl http://localhost/custom_classifier/process" in page.text
    command = page.text[page.text.index("curl http://localhost/custom_classifier/job_status") :]
    body = shlex.split(command.replace("\\ ", " "))[5]
    assert json.loads(body) == {"experiment_name": "<b>first & last"}


def test_another_format_or_method_is_refused(classifier):
    assert_problem(classifier.get(f"{URL}?_format=xml"), 400, "known: html, json")
    assert_problem(classifier.post(URL), 405)


def test_a_classifier_without_documents_says_where_to_put_them(make_client, tmp_path):
    page = Page(make_client({"custom": classifier_entry()}, wait=False).get(URL).text)
    assert str(tmp_path / "documents") in page.text
    assert "no experiment yet" in page.text


def test_a_store_that_cannot_be_reached_leaves_a_page_that_says_so(make_client):
    client = make_client({"custom": classifier_entry()}, wait=False, tracking_uri="sqlite:////dev/null/none.db")
    answer = client.get(URL)
    assert answer.status_code == 200
    assert "server.tracking_uri" in answer.text
    assert_problem(client.get(URL, headers=AS_JSON), 503, "server.tracking_uri")


def test_the_index_lists_a_classifier_without_looking_at_its_runs(make_client):
    entries = {"titanic": titanic_endpoint(), "custom": classifier_entry()}
    client = make_client(entries, wait=False, tracking_uri="sqlite:////dev/null/none.db")
    listed = {entry["name"]: entry for entry in client.get("/?_format=json").json["endpoints"]}["custom"]
    assert {name: listed[name] for name in ("url", "handler", "state", "class")} == {
        "url": URL, "handler": "ClassifierHandler", "state": "ready", "class": "LogisticRegression",
    }  # fmt: skip
    page = Page(client.get("/").text)
    assert "2 model endpoints" in page.text
    assert ("a", {"class": "breakable", "href": URL}) in page.elements


def test_a_classifier_at_the_root_takes_the_place_of_the_index(make_client):
    client = make_client({"custom": classifier_entry() | {"pattern": "/"}}, wait=False)
    assert Page(client.get("/").text).heading == "custom"
    assert client.post("/job_status", json={"experiment_name": "none"}).status_code == 404
