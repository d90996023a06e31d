"""The list of endpoints, as a page and as JSON."""

import json

import pytest

from server.errors import ConfigError
from server.service.run_log import RunLog
from server.storage.endpoint_store import EndpointStore
from tests.conftest import ROW, titanic_endpoint
from tests.waiting import until
from tests.web.conftest import assert_problem
from tests.web.reading import Page

IRIS = "$YAMLPATH/data/iris.csv"


def ml(pattern, **kwargs):
    return {"pattern": pattern, "handler": "MLHandler", "kwargs": kwargs}


@pytest.fixture
def many(make_client, tmp_path):
    """One endpoint in each state but training."""
    (tmp_path / "broken.pkl").write_bytes(b"no pickle")
    return make_client(
        {
            "titanic": titanic_endpoint(),
            "empty": ml("/empty"),
            "text": ml("/text", data=IRIS, model={"class": "Ridge", "target_col": "species"}),
            "lost": ml("/lost", data="gone.csv", model={"class": "SVC", "target_col": "y"}),
            "broken": ml("/broken", model={"path": "broken.pkl"}),
        },
        wait=False,
    )


def entries(client):
    return {entry["name"]: entry for entry in client.get("/?_format=json").json["endpoints"]}


def settled(client):
    """The list once the first trainings are over, however they ended."""
    until(lambda: "training" not in {entry["state"] for entry in entries(client).values()})
    return entries(client)


def test_each_endpoint_is_listed_with_its_state(many):
    states = {name: entry["state"] for name, entry in settled(many).items()}
    assert states == {
        "titanic": "trained", "empty": "no model", "text": "failed", "lost": "not ready", "broken": "not ready",
    }  # fmt: skip


def test_a_trained_endpoint_says_what_it_predicts_how_well_and_since_when(client):
    entry = entries(client)["titanic"]
    assert entry["url"] == "/titanic"
    assert entry["handler"] == "MLHandler"
    assert (entry["class"], entry["kind"], entry["target"]) == ("LogisticRegression", "classifier", "Survived")
    assert (entry["columns"], entry["rows"]) == (7, 674)
    assert 0.7 < entry["score"] < 0.9
    assert entry["score_name"] == "accuracy"
    assert entry["trained"].endswith("+00:00")
    assert entry["reason"] is None


def test_a_training_is_told_while_the_model_before_it_answers(client, tmp_path):
    store = EndpointStore(tmp_path / "models" / "titanic")
    with store.training.held():
        store.begin_training()
        entry = entries(client)["titanic"]
        assert (entry["state"], entry["class"]) == ("training", "LogisticRegression")
        for url in ("/", "/titanic"):
            assert (
                "A training is running; until it is over, the model before answers." in Page(client.get(url).text).text
            )
        assert Page(client.get("/titanic").text).facts["hasModel"]
        assert client.get("/titanic", query_string=ROW).json == [0]
    assert entries(client)["titanic"]["state"] == "trained"


def test_a_training_is_over_when_its_model_serves(client, monkeypatch):
    states, log_end = [], RunLog._end

    def end(log, *given):
        states.append(entries(client)["titanic"]["state"])
        log_end(log, *given)

    monkeypatch.setattr(RunLog, "_end", end)
    assert client.post("/titanic?_action=retrain").status_code == 200
    assert states == ["trained"]


def test_what_cannot_answer_says_why(many):
    found = settled(many)
    assert "the target holds text" in found["text"]["reason"]
    assert "does not exist" in found["lost"]["reason"]
    assert "cannot be unpickled" in found["broken"]["reason"]


def test_the_page_lists_the_same(many):
    settled(many)
    page = Page(many.get("/").text)
    assert {link.partition("?")[0] for link in page.links} >= {"/titanic", "/empty", "/text", "/lost", "/broken"}
    for words in ("Predicts Survived from 7 columns with LogisticRegression", "not ready", "The target holds text"):
        assert words.lower() in page.text.lower()


@pytest.mark.parametrize(
    ("accept", "type_"),
    [
        ("*/*", "text/html; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("image/png", "text/html; charset=utf-8"),
    ],
)
def test_accept_decides_between_page_and_json(reader, accept, type_):
    assert reader.get("/", headers={"Accept": accept}).content_type == type_


def test_format_wins_over_accept_and_a_wrong_one_is_named(reader):
    assert reader.get("/?_format=html", headers={"Accept": "application/json"}).content_type.startswith("text/html")
    assert_problem(reader.get("/?_format=jsno"), 400, "'jsno'", "'json'")


def test_an_endpoint_may_claim_the_place_of_the_index(make_client):
    client = make_client({"root": ml("/", data=IRIS, model={"class": "SVC", "target_col": "species"})})
    page = Page(client.get("/").text)
    assert page.heading == "root"
    assert not any(link == "/" for link in page.links)


def test_below_a_prefix_the_index_stands_there_too(make_client):
    client = make_client({"titanic": titanic_endpoint()}, base_url="ml/models")
    for url in ("/", "/ml/models", "/ml/models/"):
        assert Page(client.get(url).text).heading == "Endpoints"
    page = Page(client.get("/ml/models/titanic").text)
    assert "/ml/models" in page.links


def test_all_that_a_page_asks_for_lies_below_the_prefix(make_client):
    client = make_client({"titanic": titanic_endpoint()}, base_url="ml")
    page = Page(client.get("/ml/titanic").text)
    assert page.resources
    for url in page.resources:
        assert url.startswith("/ml/")
    for url in filter(lambda url: "_picture" not in url, page.resources):
        assert url.startswith("/ml/_static/")
        with client.get(url) as answer:
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("pattern", ["/_static", "/_static/titanic", "/readyz"])
def test_a_pattern_in_the_servers_own_paths_stops_the_start(make_client, pattern):
    with pytest.raises(ConfigError, match=r"url.mine.pattern: .* belongs to the server itself"):
        make_client({"mine": ml(pattern)})


def test_the_servers_own_paths_are_below_the_prefix(make_client):
    with pytest.raises(ConfigError, match="belongs to the server itself"):
        make_client({"mine": ml("/ml/_static/x")}, base_url="/ml/")
    assert make_client({"mine": ml("/_static")}, base_url="/ml/").get("/_static").status_code == 200


def test_a_file_that_is_none_of_the_pages_is_not_served(reader):
    folder = next(url for url in Page(reader.get("/").text).resources if url.endswith("page.css")).rpartition("/")[0]
    for name in ("gone.css", "..%2Fpage.py", "%2E%2E/routes.py", "icon.svg/"):
        assert_problem(reader.get(f"{folder}/{name}"), 404)
    with reader.get("/_static/older/page.css") as answer:
        assert "immutable" not in answer.headers["Cache-Control"]


def test_the_json_is_plain(many):
    json.loads(many.get("/?_format=json").get_data(), parse_constant=pytest.fail)
