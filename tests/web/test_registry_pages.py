"""The registry as people see it in a browser; programs get the same JSON as before."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.registering import API, algorithm, ask, begin, diabetes, flower
from tests.web.conftest import assert_problem
from tests.web.reading import Page

pytestmark = pytest.mark.slow

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
IRIS, DIABETES = f"{API}/endpoints/1", f"{API}/endpoints/2"
HOSTILE = "<script>alert(1)</script>"


def page_of(client, url):
    answer = client.get(url, headers=BROWSER)
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8"), answer.text
    return Page(answer.text)


def shapes(page, tag, kind):
    """The drawn elements whose class begins so."""
    return [values for name, values in page.elements if name == tag and (values.get("class") or "").startswith(kind)]


def long_ago(client, days, upto):
    """Let the requests up to this number have been made so many days ago."""
    registry = client.application.registry
    moment = datetime.now(UTC) - timedelta(days=days)
    with registry.database.writing() as connection:
        connection.execute(
            sa.text("UPDATE mlrequest SET created_at = :moment WHERE id <= :upto"),
            {"moment": moment.replace(tzinfo=None).isoformat(" "), "upto": upto},
        )


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/*;q=0.1, application/json", "image/png"])
@pytest.mark.parametrize("path", [API, IRIS])
def test_programs_get_json(registered, path, accept):
    answer = registered.get(path, headers={"Accept": accept} if accept else {})
    assert answer.content_type == "application/json"
    assert answer.vary.to_header() == "Accept"


@pytest.mark.parametrize("path", [API, IRIS])
def test_the_format_asked_for_wins_over_accept(registered, path):
    assert registered.get(f"{path}?_format=json", headers=BROWSER).is_json
    assert registered.get(f"{path}?_format=html").content_type.startswith("text/html")
    assert_problem(registered.get(f"{path}?_format=xml"), 400, "known: html, json")
    assert_problem(registered.get(f"{path}?format=html"), 400, "'_format'")


def test_the_overview_leads_to_each_endpoint(registered):
    begin(registered)
    page = page_of(registered, API)
    assert page.heading == "api"
    assert {IRIS, DIABETES} <= page.links
    for words in ("iris", "the lab", "which is better", "running", "linear 1.0"):
        assert words in page.text


def test_an_endpoint_shows_its_algorithms_and_that_nothing_was_asked(registered):
    page = page_of(registered, IRIS)
    assert page.heading == "iris"
    for words in (
        "logistic 1.0",
        "stump 1.0",
        "classifier",
        "production",
        "testing",
        "Nothing was asked",
        "No test runs",
    ):
        assert words in page.text
    assert "mean" not in page.text
    assert len(page.ids) == len(set(page.ids))
    assert page.facts == {"api": API}


def test_an_endpoint_that_there_is_not_is_404(registered):
    for number in ("9", "iris"):
        assert_problem(registered.get(f"{API}/endpoints/{number}", headers=BROWSER), 404)


def test_requests_stand_at_their_days(registered):
    for number in range(3):
        registered.post(f"{API}/iris/predict", json=flower(number))
    long_ago(registered, 2, upto=2)
    page = page_of(registered, IRIS)
    assert "3 requests in 30 days, 1 of them today (UTC)." in page.text
    bars = shapes(page, "rect", "colour-0")
    assert [(float(bar["y"]), float(bar["height"])) for bar in bars] == [(0.0, 100.0), (50.0, 50.0)]
    assert float(bars[1]["x"]) - float(bars[0]["x"]) == pytest.approx(2 * 100 / 30, abs=0.01)
    assert "Accuracy per day" not in page.text


def test_what_is_older_than_the_days_is_not_shown(registered):
    registered.post(f"{API}/iris/predict", json=flower())
    long_ago(registered, 31, upto=1)
    assert "Nothing was asked" in page_of(registered, IRIS).text


def test_scores_stand_at_the_days_that_have_feedback(registered):
    for number, truth in ((0, "setosa"), (1, "virginica"), (2, None)):
        answer = registered.post(f"{API}/iris/predict", json=flower(number)).json
        if truth:
            registered.put(f"{API}/mlrequests/{answer['request_id']}", json={"feedback": truth})
    page = page_of(registered, IRIS)
    assert "Accuracy per day" in page.text
    assert "0.500 (2)" in page.text
    (points,) = shapes(page, "path", "points")
    assert points["d"].count("M") == 1


def test_errors_of_regressors_are_drawn_as_rmse(registered):
    patient = diabetes()[0].iloc[0].to_dict()
    answer = registered.post(f"{API}/diabetes/predict", json=patient).json
    registered.put(f"{API}/mlrequests/{answer['request_id']}", json={"feedback": answer["label"] + 3})
    page = page_of(registered, DIABETES)
    assert "RMSE per day" in page.text
    assert "3.000 (1)" in page.text


def test_a_running_test_shows_both_scores_and_the_interval_as_it_narrows(registered):
    begin(registered, min_feedback=30)
    assert "ten requests with feedback on each side are needed" in page_of(registered, IRIS).text
    ask(registered, count=80)
    test = registered.get(f"{API}/abtests/1").json
    page = page_of(registered, IRIS)
    for words in (
        "which is better",
        "by anna",
        f"{test['score2']:.3f}",
        "30 requests of each",
        "Difference of accuracy",
    ):
        assert words in page.text
    low, high = test["interval"]
    assert f"After 80 compared requests: +{test['difference']:.3f}, between {told(low)} and {told(high)}" in page.text
    (band,) = shapes(page, "path", "band")
    corners = [[float(number) for number in corner.split()] for corner in band["d"].strip("MZ").split("L")]
    upper, lower = corners[: len(corners) // 2], corners[len(corners) // 2 :][::-1]
    heights = [below[1] - above[1] for above, below in zip(upper, lower, strict=True)]
    assert len(heights) > 10
    assert heights[-1] < heights[0] / 1.5
    assert (upper[0][0], upper[-1][0]) == (0, 100)


def told(value):
    return f"{'−' if value < 0 else '+'}{abs(value):.3f}"


def test_a_winner_is_named(registered):
    begin(registered)
    ask(registered, count=250, step=1)
    assert registered.get(f"{API}/abtests/1").json["winner"] == 1
    assert "logistic 1.0 is better: zero lies outside the interval" in page_of(registered, IRIS).text


def test_ended_tests_keep_their_summaries(registered):
    begin(registered)
    ask(registered, count=40)
    summary = registered.post(f"{API}/stop_ab_test/1").json["summary"]
    page = page_of(registered, IRIS)
    assert summary in page.text
    assert "No test runs" in page.text


def test_only_what_can_be_tested_can_be_chosen(make_registry):
    names = [
        algorithm("logistic", "classifier", status="production"),
        algorithm("stump", "classifier", status="inactive"),
    ]
    page = page_of(make_registry({"iris": names}), IRIS)
    assert page.controls["parent_mlalgorithm1"][0]["options"] == ["1"]
    assert "start" not in page.ids
    assert page.controls["status"][0]["options"] == ["production", "testing", "inactive"]


def test_an_algorithm_that_cannot_be_used_says_why(make_registry):
    broken = algorithm("gone", "classifier")
    client = make_registry({"iris": [algorithm("logistic", "classifier", status="production"), broken]})
    assert "Cannot be used: " in page_of(client, IRIS).text
    assert "gone 1.0 cannot be used" in page_of(client, API).text
    (entry,) = [one for one in client.get("/?_format=json").json["endpoints"] if one["handler"] == "RegistryHandler"]
    assert (entry["state"], "gone.pkl" in entry["reason"]) == ("not ready", True)


def test_hostile_names_are_text(make_registry):
    name = HOSTILE.replace("/", "")
    named = [
        algorithm("logistic", "classifier", owner=HOSTILE, description=HOSTILE) | {"name": HOSTILE},
        algorithm("stump", "classifier", version=HOSTILE),
    ]
    client = make_registry({name: named})
    begin(client, title=HOSTILE, created_by=HOSTILE)
    client.post(f"{API}/{name}/predict?status=ab_testing", json=flower())
    for url in (API, IRIS):
        page = page_of(client, url)
        assert HOSTILE in page.text
        assert "alert" not in "".join(page.scripts)
    client.post(f"{API}/stop_ab_test/1?promote=false")
    assert HOSTILE in page_of(client, IRIS).text


def test_beyond_the_colours_algorithms_are_drawn_as_one(make_registry):
    found = [algorithm("stump", "classifier", version=str(number), status="production") for number in range(7)]
    client = make_registry({"iris": found})
    for number in range(7):
        for _ in range(7 - number):
            client.post(f"{API}/iris/predict?version={number}&status=production", json=flower())
    page = page_of(client, IRIS)
    assert "others" in page.text
    assert [len(shapes(page, "rect", f"colour-{colour}")) for colour in range(7)] == [1, 1, 1, 1, 1, 1, 0]
    assert sum(float(bar["height"]) for bar in shapes(page, "rect", "colour-")) == pytest.approx(28 / 40 * 100)


def test_a_database_that_cannot_be_reached_leaves_an_overview_that_says_so(make_registry):
    client = make_registry(database="sqlite:////dev/null/none.db")
    assert "server.database" in page_of(client, API).text
    assert_problem(client.get(IRIS, headers=BROWSER), 503, "server.database")


def test_the_index_lists_the_registry_without_its_database(make_registry):
    client = make_registry(database="sqlite:////dev/null/none.db")
    entry = client.get("/?_format=json").json["endpoints"][0]
    assert entry == {
        "name": "api", "url": API, "handler": "RegistryHandler", "state": "ready", "reason": None,
    }  # fmt: skip
    page = page_of(client, "/")
    assert API in page.links
    assert "algorithms of 2 use cases" in page.text


def test_the_pages_need_nothing_inline_and_no_other_server(registered):
    begin(registered)
    ask(registered, count=40)
    for url in (API, IRIS):
        page = page_of(registered, url)
        assert all(resource.startswith("/_static/") for resource in page.resources)
        for _, values in page.elements:
            assert not [name for name in values if name == "style" or name.startswith("on")]
