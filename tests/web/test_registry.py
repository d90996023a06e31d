"""Predictions of the registry: who answers, what is answered, and that it is written down before."""

import joblib
import pytest
from sklearn.svm import LinearSVC

from tests.registering import API, algorithm, diabetes, fitted, flower, iris
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow

PREDICT = f"{API}/iris/predict"


def failure(answer, status, *words):
    """The seed's error, whose message holds the words."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.json["status"] == "Error"
    for word in words:
        assert word in answer.json["message"]
    return answer.json


def requests_of(client, **query):
    return client.get(f"{API}/mlrequests", query_string=query).json


def test_the_algorithm_in_production_answers_with_label_and_probability(registered):
    answer = registered.post(PREDICT, json=flower())
    assert answer.status_code == 200
    probability = fitted()["logistic"].predict_proba(iris()[0].head(1)).max()
    assert answer.json == {
        "status": "OK", "label": "setosa", "probability": pytest.approx(probability), "request_id": 1
    }  # fmt: skip


def test_a_regressor_answers_a_number_without_a_probability(registered):
    row = diabetes()[0].iloc[3]
    answer = registered.post(f"{API}/diabetes/predict", json=row.to_dict()).json
    assert answer["label"] == pytest.approx(fitted()["linear"].predict(row.to_frame().T)[0])
    assert answer.keys() == {"status", "label", "request_id"}


def test_a_classifier_without_probabilities_tells_none(make_registry, tmp_path):
    joblib.dump(LinearSVC().fit(*iris()), tmp_path / "svc.pkl")
    client = make_registry({"iris": [algorithm("svc", "classifier", status="production")]})
    assert client.post(PREDICT, json=flower()).json == {"status": "OK", "label": "setosa", "request_id": 1}


def test_a_request_is_kept_as_it_was_answered(registered):
    answer = registered.post(PREDICT, json=flower(60) | {"note": "an extra"}).json
    kept = registered.get(f"{API}/mlrequests/{answer['request_id']}").json
    assert kept["created_at"].endswith("Z")
    del kept["created_at"]
    assert kept == {
        "id": 1, "input_data": flower(60) | {"note": "an extra"}, "full_response": answer, "response": "versicolor",
        "feedback": None, "parent_mlalgorithm": 1, "parent_abtest": None,
    }  # fmt: skip


def test_columns_to_redact_are_not_kept(make_registry):
    client = make_registry(requests={"redact": ["patient", "sepal width (cm)"]})
    assert client.post(PREDICT, json=flower() | {"patient": "Anna"}).status_code == 200
    kept = requests_of(client)[0]["input_data"]
    assert (kept["patient"], kept["sepal width (cm)"]) == ("[redacted]", "[redacted]")
    assert kept["sepal length (cm)"] == 5.1


def test_an_error_that_quotes_a_redacted_cell_is_kept_without_it(make_registry):
    client = make_registry(requests={"redact": ["petal width (cm)"]})
    told = failure(client.post(PREDICT, json=flower() | {"petal width (cm)": "DE89 3704"}), 400, "DE89 3704")
    kept = client.get(f"{API}/mlrequests/{told['request_id']}").json["full_response"]
    assert (kept["status"], kept["message"]) == ("Error", "[redacted]")


class Telling:
    """Tells all that it is told."""

    def compute_prediction(self, input_data):
        if "iban" not in input_data["person"]:
            raise ValueError(f"nobody is {input_data['person']}")
        return {"label": 1, "seen": [input_data]}


def test_what_an_object_repeats_of_a_redacted_column_is_neither_kept_nor_logged(make_registry, caplog):
    own = {"endpoint_name": "own", "algorithm_object": Telling(), "algorithm_name": "own"}
    kinds = {"algorithm_type": "classifier", "algorithm_status": "production"}
    client = make_registry({}, [own | kinds], requests={"redact": ["iban", "name"]})
    answer = client.post(f"{API}/own/predict", json={"person": {"iban": 'it\'s "DE89"\n'}, "x": 1}).json
    assert answer["seen"] == [{"person": {"iban": 'it\'s "DE89"\n'}, "x": 1}]
    failed = client.post(f"{API}/own/predict", json={"person": {"name": "An\tna"}}).json
    assert "An" in failed["message"]
    first, second = requests_of(client)
    assert first["input_data"] == {"person": {"iban": "[redacted]"}, "x": 1}
    assert first["full_response"]["seen"] == [first["input_data"]]
    assert second["full_response"]["message"] == "[redacted]"
    assert "Traceback" not in caplog.text
    assert "ValueError" in caplog.text
    for text in ("DE89", "An\tna", "An\\tna"):
        assert text not in caplog.text + client.get(f"{API}/mlrequests").text


def test_a_version_with_a_plus_may_be_typed_as_it_is_written(make_registry):
    client = make_registry({"iris": [algorithm("logistic", "classifier", version="1.0+2", status="production")]})
    for spelled in ("1.0+2", "1.0%2B2"):
        assert client.post(f"{PREDICT}?version={spelled}", json=flower()).status_code == 200
    failure(client.post(f"{PREDICT}?version=1.0+3", json=flower()), 400, "known: 1.0+2")


def test_status_and_version_choose(registered):
    answer = registered.post(f"{PREDICT}?status=testing", json=flower(60))
    assert requests_of(registered)[0]["parent_mlalgorithm"] == 2
    assert answer.json["probability"] == 0.5
    assert registered.post(f"{PREDICT}?status=production&version=1.0", json=flower()).status_code == 200
    failure(
        registered.post(f"{PREDICT}?version=2.0", json=flower()), 400, "no algorithm of version '2.0'", "known: 1.0"
    )


def test_an_ambiguous_choice_is_refused_unless_the_version_decides(make_registry):
    client = make_registry(
        {"iris": [algorithm("logistic", "classifier"), algorithm("stump", "classifier", version="2.0")]}
    )
    told = failure(client.post(f"{PREDICT}?status=testing", json=flower()), 400, "ambiguous", "logistic 1.0, stump 2.0")
    assert "request_id" not in told
    assert client.post(f"{PREDICT}?status=testing&version=2.0", json=flower()).json["label"] == "setosa"
    assert len(requests_of(client)) == 1
    failure(client.post(PREDICT, json=flower()), 400, "no algorithm with status production")


def test_rows_that_do_not_fit_are_refused_as_elsewhere_and_written_down(registered):
    row = flower()
    del row["petal width (cm)"]
    told = failure(registered.post(PREDICT, json=row), 400, "petal width (cm)")
    kept = registered.get(f"{API}/mlrequests/{told['request_id']}").json
    assert (kept["full_response"], kept["response"]) == (told, None)
    failure(registered.post(PREDICT, json=flower() | {"petal width (cm)": "wide"}), 400, "wide")
    failure(registered.post(PREDICT, json={}), 400)


@pytest.mark.parametrize(
    ("body", "type_", "status", "words"),
    [
        ("{", "application/json", 400, "not valid JSON"),
        ("[1]", "application/json", 400, "is a JSON list"),
        ("", "application/json", 400, "the body is empty"),
        ("a,b\n1,2", "text/csv", 415, "not JSON"),
        ("a=1", "application/x-www-form-urlencoded", 415, "not as a form"),
        (b"\x80\x04K\x01.", "application/octet-stream", 415, "pickle"),
        ('{"a":' * 300 + "1" + "}" * 300, "application/json", 400, ""),
    ],
)
def test_a_body_that_is_no_instance_is_refused(registered, body, type_, status, words):
    failure(registered.post(PREDICT, data=body, content_type=type_), status, words)
    assert requests_of(registered) == []


def test_a_body_that_curl_labels_as_a_form_is_read(registered):
    answer = registered.post(PREDICT, data=registered.application.json.dumps(flower()),
                             content_type="application/x-www-form-urlencoded")  # fmt: skip
    assert answer.json["label"] == "setosa"


def test_a_body_that_is_too_large_is_refused_in_the_same_shape(make_registry):
    client = make_registry(limits={"body_mb": 0.001})
    failure(client.post(PREDICT, json={"a": "b" * 5000}), 413, "server.limits.body_mb")


def test_an_endpoint_that_there_is_not_is_404_in_the_same_shape(registered):
    assert failure(registered.post(f"{API}/irish/predict", json=flower()), 404, "did you mean 'iris'").keys() == {
        "status", "message"
    }  # fmt: skip


def test_an_unknown_status_or_option_is_told(registered):
    failure(registered.post(f"{PREDICT}?status=prodution", json=flower()), 400, "did you mean 'production'")
    failure(registered.post(f"{PREDICT}?verson=1", json=flower()), 400, "did you mean 'version'")


def test_a_prediction_is_asked_by_post(registered):
    assert_problem(registered.get(PREDICT), 405, "POST")


def test_lists_tell_the_fields_of_the_seed(registered):
    fields = {
        "endpoints": {"id", "name", "owner", "created_at"},
        "mlalgorithms": {
            "id", "name", "model_type", "description", "code", "version", "owner", "created_at", "parent_endpoint",
            "current_status", "run", "problem",
        },
        "mlalgorithmstatuses": {"id", "status", "active", "created_by", "created_at", "parent_mlalgorithm"},
    }  # fmt: skip
    for name, known in fields.items():
        rows = registered.get(f"{API}/{name}").json
        assert all(row.keys() == known for row in rows)
        assert registered.get(f"{API}/{name}/{rows[-1]['id']}").json == rows[-1]
    assert [row["owner"] for row in registered.get(f"{API}/endpoints").json] == ["the lab", "the lab"]
    assert registered.get(API).json["mlrequests"] == f"http://localhost{API}/mlrequests"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("mlalgorithms?status=production", [1, 3]),
        ("mlalgorithms?parent_endpoint=diabetes", [3, 4]),
        ("mlalgorithms?parent_endpoint=1&status=testing", [2]),
        ("mlalgorithms?order=-id&limit=2", [4, 3]),
        ("mlalgorithms?limit=2&after=1", [2, 3]),
        ("mlalgorithms?offset=3", [4]),
        ("mlalgorithms?since=2100-01-01", []),
        ("mlalgorithms?until=2100-01-01T00:00:00Z&limit=1", [1]),
        ("mlalgorithms?since=0001-01-01T00:00:00%2B14:00&limit=1", [1]),
        ("mlalgorithms?until=0001-01-01T00:00:00%2B14:00", []),
        ("mlalgorithms?since=9999-12-31T23:00:00-14:00", []),
        ("mlalgorithms?until=9999-12-31T23:00:00-14:00&limit=1", [1]),
        ("mlalgorithmstatuses?parent_mlalgorithm=2", [2]),
        ("abtests?status=running", []),
    ],
)
def test_lists_are_filtered_ordered_and_paginated(registered, query, ids):
    assert [row["id"] for row in registered.get(f"{API}/{query}").json] == ids


def test_pages_are_linked_and_counted_where_that_is_cheap(registered):
    for number in range(5):
        registered.post(PREDICT, json=flower(number))
    address, found = f"{API}/mlrequests?limit=2&parent_endpoint=iris", []
    while address:
        answer = registered.get(address)
        found += [row["id"] for row in answer.json]
        assert "X-Total-Count" not in answer.headers
        address = answer.headers["Link"].partition(">")[0][1:] if "Link" in answer.headers else None
    assert found == [1, 2, 3, 4, 5]
    assert registered.get(f"{API}/mlalgorithms?limit=1").headers["X-Total-Count"] == "4"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("mlrequests?parent=1", "did you mean 'parent_"),
        ("endpoints?status=production", "unknown filter 'status'"),
        ("mlrequests?limit=0", "from 1 to 1000"),
        ("mlrequests?limit=1001", "from 1 to 1000"),
        ("mlrequests?after=x", "after must be a whole number"),
        ("mlrequests?after=99999999999999999999", "after must be a whole number"),
        ("mlrequests?order=label", "unknown order 'label'; known: id"),
        ("mlrequests?since=yesterday", "since must be a moment such as"),
        ("mlalgorithms?status=live", "unknown status 'live'"),
        ("abtests?status=production", "known: running, ended"),
        ("mlrequests?limit=1&limit=2", "give it once"),
        ("mlalgorithms/1?x=1", "unknown option 'x'"),
        ("mlalgorithms?parent_endpoint=%00", "parent_endpoint"),
    ],
)
def test_a_query_that_cannot_be_is_told(registered, query, words):
    assert_problem(registered.get(f"{API}/{query}"), 400, words)


@pytest.mark.parametrize(
    "path", ["mlrequests/7", "mlrequests/x", "endpoints/99999999999999999999", "abtests/-1", "nothing"]
)
def test_what_is_not_there_is_404(registered, path):
    assert_problem(registered.get(f"{API}/{path}"), 404)


def test_a_status_takes_the_place_of_the_one_before(registered):
    made = registered.post(
        f"{API}/mlalgorithmstatuses", json={"status": "production", "created_by": "anna", "parent_mlalgorithm": 2}
    )
    assert made.status_code == 201
    assert (made.json["active"], made.json["created_by"], made.json["status"]) == (True, "anna", "production")
    old, new = registered.get(f"{API}/mlalgorithmstatuses?parent_mlalgorithm=2").json
    assert (old["active"], new["active"], new) == (False, True, made.json)
    assert registered.get(f"{API}/mlalgorithms/2").json["current_status"] == "production"


def test_an_inactive_algorithm_is_never_used(registered):
    registered.post(f"{API}/mlalgorithmstatuses", json={"status": "inactive", "parent_mlalgorithm": 1})
    failure(registered.post(PREDICT, json=flower()), 400, "logistic 1.0 (inactive)")
    failure(registered.post(f"{PREDICT}?status=inactive", json=flower()), 400, "never used")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "live", "parent_mlalgorithm": 1}, "unknown status 'live'"),
        ({"status": "ab_testing", "parent_mlalgorithm": 1}, "given by a test"),
        ({"status": "testing"}, "the field 'parent_mlalgorithm' is missing"),
        ({"status": "testing", "parent_mlalgorithm": 99}, "there is no algorithm 99"),
        ({"status": "testing", "parent_mlalgorithm": "one"}, "must be a whole number"),
        ({"status": "testing", "parent_mlalgorithm": True}, "must be a whole number"),
        ({"status": 1, "parent_mlalgorithm": 1}, "status must be a text"),
        ({"status": "testing", "parent_mlalgorithm": 1, "active": True}, "unknown field 'active'"),
        ({"status": "testing", "parent_mlalgorithm": 1, "created_by": "a\0b"}, "created_by must be a text"),
        ([1], "JSON object"),
    ],
)
def test_a_status_that_cannot_be_is_told(registered, fields, words):
    assert_problem(registered.post(f"{API}/mlalgorithmstatuses", json=fields), 400, words)
    assert len(registered.get(f"{API}/mlalgorithmstatuses").json) == 4
