"""Runs as people see them in a browser; programs get the same JSON as before."""

import pytest

from server.app import create_app
from server.jobs import InlineRunner
from tests.conftest import titanic_endpoint, wait_until_ready
from tests.waiting import until
from tests.web.conftest import assert_problem
from tests.web.reading import Page

pytestmark = pytest.mark.slow

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
TREE = "/titanic?_action=retrain&class=DecisionTreeClassifier&max_depth="
HOSTILE = "<script>alert(1)</script>"


def page_of(client, url):
    answer = client.get(url, headers=BROWSER)
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8"), answer.text
    return Page(answer.text)


def newest(client):
    return client.get("/runs").json["runs"][0]


def listed(page):
    """The ids of the runs on the page, in its order."""
    links = [values.get("href", "") for tag, values in page.elements if tag == "a"]
    return [link.removeprefix("/runs/") for link in links if link.startswith("/runs/")]


@pytest.fixture
def drawn(make_config):
    """A client whose trainings leave pictures, and the finished run of the first one."""
    app = create_app(make_config({"url": {"titanic": titanic_endpoint()}}), InlineRunner())
    app.testing = False
    client = app.test_client()
    wait_until_ready(client)
    run = newest(client)
    until(lambda: client.get(f"/runs/{run['run_id']}?_picture=roc_curve").status_code == 200)
    return client, run


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/*;q=0.1, application/json", "image/png"])
@pytest.mark.parametrize("path", ["/runs", "/runs/{run_id}"])
def test_programs_get_json(client, path, accept):
    answer = client.get(path.format(**newest(client)), headers={"Accept": accept} if accept else {})
    assert answer.content_type == "application/json"
    assert answer.vary.to_header() == "Accept"


@pytest.mark.parametrize("path", ["/runs", "/runs/{run_id}"])
def test_the_format_asked_for_wins_over_accept(client, path):
    path = path.format(**newest(client))
    assert client.get(f"{path}?_format=json", headers=BROWSER).json == client.get(path).json
    assert client.get(f"{path}?_format=html").content_type.startswith("text/html")
    problem = assert_problem(client.get(f"{path}?_format=htm"), 400)
    assert problem["detail"] == "unknown _format 'htm'; did you mean 'html'?"


def test_the_list_shows_runs_with_status_score_and_links(client):
    client.post(f"{TREE}2")
    client.post("/titanic?_action=retrain&target_col=Nothing")
    page = page_of(client, "/runs")
    assert page.heading == "Runs"
    runs = client.get("/runs").json["runs"]
    assert [run["status"] for run in runs] == ["FAILED", "FINISHED", "FINISHED"]
    assert listed(page) == [run["run_id"] for run in runs]
    assert "/titanic" in page.links
    assert page.text.count("serving") == 1
    assert f"{runs[1]['metrics']['score']:.3f}" in page.text


def test_the_form_of_the_list_filters_and_leaves_out_what_was_not_chosen(client):
    client.post("/titanic?_action=retrain&target_col=Nothing")
    failed, finished = client.get("/runs").json["runs"]
    page = page_of(client, "/runs?endpoint=titanic&status=FAILED")
    assert listed(page) == [failed["run_id"]]
    assert [page.controls[name][0]["chosen"] for name in ("endpoint", "status")] == ["titanic", "FAILED"]
    assert listed(page_of(client, "/runs?endpoint=&status=FINISHED")) == [finished["run_id"]]
    assert client.get("/runs?endpoint=&status=").json == client.get("/runs").json
    assert "No run is like that" in page_of(client, "/runs?status=KILLED").text


def test_the_list_goes_on_on_another_page(client):
    for depth in range(2):
        client.post(f"{TREE}{depth + 2}")
    run_ids = [run["run_id"] for run in client.get("/runs").json["runs"]]
    seen, address = [], "/runs?limit=1&endpoint=titanic"
    while address:
        page = page_of(client, address)
        seen += listed(page)
        address = next((link for link in page.links if link.startswith("/runs?limit=")), None)
    assert seen == run_ids


def test_an_empty_list_says_what_to_do(make_client):
    client = make_client({"empty": {"pattern": "/empty", "handler": "MLHandler"}})
    page = page_of(client, "/runs")
    assert "Nothing was trained yet. Choose an endpoint and train it on its page" in page.text


def test_the_page_of_a_run_tells_what_was_trained_on_what_and_how_well(client, monkeypatch):
    # However slow the machine is, the score on rows held out comes before the answer.
    monkeypatch.setattr("server.service.run_details.QUICK", 60)
    client.post("/titanic?_action=retrain")
    run = newest(client)
    page = page_of(client, f"/runs/{run['run_id']}")
    assert page.heading == run["name"]
    assert "A training of titanic on 674 rows, begun just now" in page.text
    assert f"on rows held out {run['metrics']['held_out_score']:.3f}" in page.text
    for told in ("finished", "serving", "LogisticRegression", "max_iter", "cats", run["artifact_uri"], run["run_id"]):
        assert told in page.text
    assert run["versions"]["scikit-learn"] in page.text
    assert {"/titanic", "/runs", "/runs?endpoint=titanic"} <= set(page.links)


def test_parameters_that_differ_from_the_finished_run_before_are_marked(client):
    client.post(f"{TREE}3")
    first = newest(client)
    client.post("/titanic?_action=retrain&target_col=Nothing")
    client.post(f"{TREE}4")
    page = page_of(client, f"/runs/{newest(client)['run_id']}")
    assert page.text.count(" was ") == 1
    assert "max_depth 4 was 3" in page.text
    assert f"/runs/{first['run_id']}" in page.links
    assert "was LogisticRegression" in page_of(client, f"/runs/{first['run_id']}").text


def test_only_a_finished_run_that_does_not_serve_can_be_made_to(client):
    first = newest(client)
    client.post(f"{TREE}2")
    second = newest(client)
    client.post("/titanic?_action=retrain&target_col=Nothing")
    failed = newest(client)
    pages = [page_of(client, f"/runs/{run['run_id']}") for run in (first, second, failed)]
    assert ["Serve this model" in page.text for page in pages] == [True, False, False]


def test_a_failed_run_says_why(client):
    reason = client.post("/titanic?_action=retrain&target_col=Nothing").json["detail"]
    page = page_of(client, f"/runs/{newest(client)['run_id']}")
    assert f"{reason[0].upper()}{reason[1:]}. Nothing was changed." in page.text
    assert "cancel" not in [values.get("data-do") for _, values in page.elements]


def test_what_users_name_stays_text(make_client, tmp_path):
    rows = "".join(f"{number},{number % 2}\n" for number in range(30))
    (tmp_path / "rows.csv").write_text(f'"x","{HOSTILE}"\n{rows}')
    model = {"class": "DecisionTreeClassifier", "target_col": HOSTILE}
    entry = {"pattern": "/m", "handler": "MLHandler", "kwargs": {"data": "rows.csv", "model": model}}
    client = make_client({HOSTILE: entry})
    for url in ("/runs", f"/runs/{newest(client)['run_id']}"):
        answer = client.get(url, headers=BROWSER).text
        assert HOSTILE not in answer
        assert HOSTILE in Page(answer).text


def test_the_pictures_of_a_run_stay_those_of_its_model(drawn):
    client, first = drawn
    page = page_of(client, f"/runs/{first['run_id']}")
    assert f"/runs/{first['run_id']}?_picture=confusion_matrix" in page.resources
    address = f"/runs/{first['run_id']}?_picture=coefficients"
    answer = client.get(address)
    assert (answer.status_code, answer.content_type) == (200, "image/svg+xml; charset=utf-8")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert client.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    client.post(f"{TREE}2")
    assert client.get(address).data == answer.data


def test_a_picture_that_a_run_does_not_have_is_404(drawn):
    client, run = drawn
    for name in ("nothing", "", "..", "../model/model", "/etc/passwd", "%2e%2e/x"):
        problem = assert_problem(client.get(f"/runs/{run['run_id']}?_picture={name}"), 404)
        assert problem["detail"].endswith("; it has coefficients, confusion_matrix, roc_curve")


def test_pictures_that_are_not_drawn_yet_are_404(client):
    problem = assert_problem(client.get(f"/runs/{newest(client)['run_id']}?_picture=roc_curve"), 404)
    assert problem["detail"].endswith("has no picture 'roc_curve' yet")


def test_the_losses_of_a_model_without_steps_are_none(client):
    assert client.get(f"/runs/{newest(client)['run_id']}?_losses").json == {"losses": []}


@pytest.mark.parametrize("query", ["", "?_losses", "?_picture=roc_curve", "?_format=html"])
def test_a_run_that_does_not_exist_is_404_for_people_too(client, query):
    assert_problem(client.get(f"/runs/{'0' * 32}{query}", headers=BROWSER), 404)


def test_an_unknown_option_names_the_nearest(client):
    problem = assert_problem(client.get(f"/runs/{newest(client)['run_id']}?_loses"), 400)
    assert problem["detail"] == "unknown option '_loses'; did you mean '_losses'?; known: _format, _losses, _picture"


def test_the_pages_of_endpoints_and_the_index_lead_to_runs(client):
    assert "/runs" in page_of(client, "/").links
    assert "/runs?endpoint=titanic" in page_of(client, "/titanic").links


def test_the_pages_of_runs_lead_to_the_api(client):
    for path in ("/runs", f"/runs/{newest(client)['run_id']}"):
        assert "/docs" in page_of(client, path).links


def test_links_stand_below_the_prefixes(make_client):
    client = make_client({"titanic": titanic_endpoint()}, base_url="ml")
    answer = client.get("/ml/runs?_format=html&limit=1", base_url="http://x/app", headers=BROWSER)
    links = Page(answer.text).links
    run_id = client.get("/ml/runs").json["runs"][0]["run_id"]
    assert {f"/app/ml/runs/{run_id}", "/app/ml/titanic"} <= set(links)
    page = Page(client.get(f"/ml/runs/{run_id}", base_url="http://x/app", headers=BROWSER).text)
    assert {"/app/ml/runs", "/app/ml/titanic", "/app/ml/runs?endpoint=titanic"} <= set(page.links)
    assert page.facts["url"] == "/app/ml/titanic"


@pytest.mark.parametrize("query", ["_losses&_format=jsno", "_picture=roc_curve&_format=jsno"])
def test_an_unknown_format_is_told_beside_a_view_too(client, query):
    assert_problem(client.get(f"/runs/{newest(client)['run_id']}?{query}"), 400, "'jsno'")
