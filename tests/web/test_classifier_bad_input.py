"""What is wrong with a request to a ClassifierHandler is told in the seed's envelope, and nothing is begun."""

import json
from urllib.parse import quote

import pytest

from tests.conftest import titanic_endpoint
from tests.web.classifying import (
    LABELS,
    PAYLOAD,
    SPACE,
    URL,
    assert_refused,
    begun,
    classifier_entry,
    finished,
    post,
    write_documents,
)
from tests.web.conftest import assert_problem, build

pytestmark = pytest.mark.slow

POSTED = ("process", "predict", "job_status", "experiment/soft_delete", "experiment/hard_delete", "run/soft_delete")
NO_RUN = "0" * 32


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """Only for requests that begin nothing; one training of each endpoint is over."""
    folder = tmp_path_factory.mktemp("classifier")
    dataset = write_documents(folder)
    (folder / "outside").mkdir()
    (dataset / "away").symlink_to(folder / "outside", target_is_directory=True)
    (folder / "documents" / "gone").symlink_to(folder / "outside", target_is_directory=True)
    (dataset / "few").mkdir()
    for number in range(9):
        (dataset / "few" / f"{number}.txt").write_text("a text")
    (dataset / "true").mkdir()
    other = classifier_entry() | {"pattern": "/other"}
    client = build(folder, {"titanic": titanic_endpoint(), "custom": classifier_entry(), "other": other})
    begun(client)
    finished(client)
    return client


@pytest.fixture
def nothing_begun(classifier):
    before = classifier.get("/runs").json
    yield
    assert classifier.get("/runs").json == before


@pytest.mark.usefixtures("nothing_begun")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"path": "../documents/dataset1"}, "path '../documents/dataset1' leads out"),
        ({"path": "dataset1/../../outside"}, "leads out"),
        ({"path": "/etc"}, "is absolute"),
        ({"path": "%2e%2e%2foutside"}, "leads out"),
        ({"path": "%252e%252e/outside"}, "leads out"),
        ({"path": "..\\outside"}, "backslash"),
        ({"path": "gone"}, "by a link"),
        ({"path": "datasat1"}, "did you mean 'dataset1'?"),
        ({"path": "dataset1\0"}, "NUL"),
        ({"path": " \t"}, "path is empty"),
        ({"path": 3}, "path must be one text, not 3"),
        ({"labels": []}, "two or more"),
        ({"labels": ["business"]}, "two or more"),
        ({"labels": "business"}, "must be a list"),
        ({"labels": None}, "must be a list"),
        ({"labels": [1, 2]}, "label 1 is not text; label 2 is not text"),
        ({"labels": [True, "sport"]}, "label True is not text"),
        ({"labels": ["business", "busines"]}, "label 'busines' has no folder; did you mean 'business'?"),
        ({"labels": ["business", "business"]}, "twice"),
        ({"labels": ["business", "../sport"]}, "leads out"),
        ({"labels": ["business", "away"]}, "by a link"),
        ({"labels": ["business", "few"]}, "'few' has 9 documents; 10 are needed (min_size_label)"),
        ({"labels": ["business", "true"]}, "'true' has 0 documents"),
        ({"experiment_name": ""}, "experiment_name is empty"),
        ({"experiment_name": "a\0b"}, "experiment_name must be"),
        ({"experiment_name": "x" * 300}, "at most 250 characters"),
        ({"experiment_name": "a/b"}, "without slashes"),
        ({"experiment_name": " a"}, "blanks around"),
        ({"experiment_name": ["a"]}, "must be one text"),
        ({"validation": "yes"}, "validation must be 0 or 1, not 'yes'"),
        ({"validation": 2}, "0 or 1"),
        ({"validation": 0.5}, "0 or 1"),
        ({"validation": None}, "0 or 1"),
        ({"validation": []}, "0 or 1"),
        ({"lables": LABELS}, "unknown field 'lables'; did you mean 'labels'?"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named(classifier, changes, words):
    assert_refused(post(classifier, "process", PAYLOAD | changes), 400, words)


@pytest.mark.usefixtures("nothing_begun")
@pytest.mark.parametrize("missing", ["labels", "path", "experiment_name"])
def test_a_missing_field_is_named(classifier, missing):
    body = {name: value for name, value in PAYLOAD.items() if name != missing}
    assert_refused(post(classifier, "process", body), 400, missing)


@pytest.mark.usefixtures("nothing_begun")
@pytest.mark.parametrize("name", ["custom", "titanic", "Default"])
def test_the_server_s_own_experiments_cannot_be_had(classifier, name):
    assert_refused(post(classifier, "process", PAYLOAD | {"experiment_name": name}), 409, "choose another name")
    answer = post(classifier, "experiment/hard_delete", {"experiment_name": name})
    assert (answer.status_code, answer.json) == (
        404, {"status": f"Problem deleting Experiment {name}. Status not found"},
    )  # fmt: skip


@pytest.mark.usefixtures("nothing_begun")
@pytest.mark.parametrize("route", POSTED)
@pytest.mark.parametrize(
    "body",
    [
        {"json": [1]},
        {"json": "text"},
        {"data": b"{no", "content_type": "application/json"},
        {"data": b"\xff\xfe", "content_type": "application/json"},
        {"data": b"<a/>", "content_type": "application/xml"},
        {"data": b"[" * 100_000, "content_type": "application/json"},
        {"data": b"a line", "content_type": "application/x-www-form-urlencoded"},
        {"data": b"\x1f\x8b", "content_type": "application/json", "headers": {"Content-Encoding": "gzip"}},
        {"data": {"experiment_name": ["a", "b"], "run_id": ["a", "b"]}},
        {"query_string": {"_model": ""}},
        {},
    ],
    ids=lambda body: str(body)[:50],
)
def test_a_body_that_is_no_object_of_the_fields_is_refused(classifier, route, body):
    assert_refused(classifier.post(f"{URL}/{route}", **body), 400)


@pytest.mark.parametrize("text", ["", " \n\t", 5, None, ["a"]])
def test_a_text_to_classify_is_a_text(classifier, text):
    assert_refused(post(classifier, "predict", {"runid": NO_RUN, "text": text}), 400, "text")


def test_a_text_that_no_document_may_have_is_too_large(classifier):
    answer = post(classifier, "predict", {"runid": NO_RUN, "text": "x" * 1_000_001})
    assert_refused(answer, 413, "1,000,001", "limits.characters")


@pytest.mark.parametrize("run_id", [NO_RUN, "../../x", "a\0", "a'\"b", "é", "a" * 3000, "-"])
def test_a_run_that_is_none_is_not_found(classifier, run_id):
    assert_refused(post(classifier, "predict", {"runid": run_id, "text": SPACE}), 404)
    answer = post(classifier, "run/soft_delete", {"run_id": run_id})
    assert (answer.status_code, answer.json) == (404, {"status": f"Problem deleting run {run_id}. Status not found"})
    assert_problem(classifier.get(f"/runs/{quote(run_id, safe='')}"), 404)


def test_only_the_endpoint_s_own_trainings_answer(classifier):
    training, reading = (run["run_id"] for run in finished(classifier))
    titanic = classifier.get("/runs?endpoint=titanic").json["runs"][0]["run_id"]
    for run_id in (reading, titanic):
        assert_refused(post(classifier, "predict", {"runid": run_id, "text": SPACE}), 404, "no training of custom")
    answer = classifier.post("/other/predict", json={"runid": training, "text": SPACE})
    assert_refused(answer, 404, "no training of other")
    assert classifier.post("/other/run/soft_delete", json={"run_id": training}).status_code == 404
    name = {"experiment_name": PAYLOAD["experiment_name"]}
    assert_refused(classifier.post("/other/job_status", json=name), 404, "there is no experiment")
    assert_refused(classifier.post("/other/process", json=PAYLOAD), 409, "of somebody else")
    assert classifier.post("/other/experiment/hard_delete", json=name).status_code == 404


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "9" * 5000])
def test_a_limit_is_a_number_within_bounds(classifier, limit):
    assert_refused(classifier.get(f"{URL}/all_experiments/last_run?limit={limit}"), 400, "1 to 1000")


def test_an_unknown_filter_is_named(classifier):
    assert_refused(classifier.get(f"{URL}/all_experiments/last_run?limits=1"), 400, "did you mean 'limit'?")
    assert_refused(classifier.get(f"{URL}/runid/status?experiment=a"), 400, "did you mean 'experiment_name'?")


@pytest.mark.parametrize("route", POSTED)
def test_another_method_is_405_with_those_allowed(classifier, route):
    answer = classifier.get(f"{URL}/{route}")
    assert_refused(answer, 405, "this URL takes")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("route", ["nothing", "experiment", "run/hard_delete", "process/more"])
def test_another_route_is_404(classifier, route):
    assert_refused(classifier.post(f"{URL}/{route}"), 404)


def test_what_lies_elsewhere_keeps_its_problem_document(classifier):
    assert_problem(classifier.get("/nothing"), 404)
    assert_problem(classifier.get("/custom_classifier_of_others/process"), 404)


@pytest.mark.parametrize("name", ['it\'s "both"', "日本 é 🎉", "..", "100%", "1", "a:b'"])
def test_an_experiment_s_name_is_any_text_of_one_line(classifier, name):
    run_id = begun(classifier, experiment_name=name, labels=["business", "space"])
    runs = finished(classifier, name)
    assert [run["status"] for run in runs] == ["FINISHED", "FINISHED"]
    assert classifier.get(f"{URL}/runid/status?experiment_name={quote(name)}").json == runs
    assert post(classifier, "predict", {"runid": run_id, "text": SPACE}).json["data"]["label"] == "space"
    answer = post(classifier, "experiment/soft_delete", {"experiment_name": name})
    assert (answer.status_code, json.loads(answer.text)) == (200, {"status": f"Experiment {name} deleted"})
