"""A/B tests: what can be compared, who answers meanwhile, and how they end."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.registering import API, PREDICT, algorithm, ask, begin, diabetes, flower
from tests.web.conftest import assert_problem

pytestmark = pytest.mark.slow


def statuses(client):
    return [row["current_status"] for row in client.get(f"{API}/mlalgorithms").json]


def test_a_test_takes_both_algorithms_out_of_their_statuses(registered):
    made = begin(registered)
    assert made.status_code == 201
    assert {name: made.json[name] for name in ("id", "title", "model_type", "created_by", "ended_at", "summary")} == {
        "id": 1, "title": "which is better", "model_type": "classifier", "created_by": "anna", "ended_at": None,
        "summary": None,
    }  # fmt: skip
    assert statuses(registered) == ["ab_testing", "ab_testing", "production", "testing"]
    answer = registered.post(f"{API}/iris/predict", json=flower())
    assert answer.status_code == 400
    assert "ask with ?status=ab_testing" in answer.json["message"]


def test_the_better_classifier_goes_into_production(registered):
    begin(registered, 2, 1)
    ask(registered)
    running = registered.get(f"{API}/abtests/1").json
    stopped = registered.post(f"{API}/stop_ab_test/1")
    assert stopped.status_code == 200
    told = stopped.json
    assert told["metric"] == "accuracy"
    assert told["requests1"] + told["requests2"] == told["feedback1"] + told["feedback2"] == 40
    assert told["score1"] < 0.8 < 0.85 < told["score2"]
    assert told["interval"][0] <= told["difference"] <= told["interval"][1]
    assert told["promoted"] == 1
    for words in ("accuracy: stump 1.0", "difference -0.", "confidence interval", "logistic 1.0 production"):
        assert words in told["summary"]
    assert statuses(registered)[:2] == ["production", "testing"]
    same = ("score1", "score2", "difference", "interval", "requests1", "feedback2")
    assert {name: running[name] for name in same} == {name: told[name] for name in same}
    assert registered.get(f"{API}/abtests/1").json == told == registered.get(f"{API}/abtests?status=ended").json[0]


def test_the_better_regressor_goes_into_production(registered):
    begin(registered, 4, 3)
    rows, truths = diabetes()
    for number in range(60):
        asked = f"{API}/diabetes/predict?status=ab_testing&subject={number}"
        answer = registered.post(asked, json=rows.iloc[number].to_dict()).json
        registered.patch(f"{API}/mlrequests/{answer['request_id']}", json={"feedback": str(truths.iloc[number])})
    told = registered.post(f"{API}/stop_ab_test/1").json
    assert told["metric"] == "RMSE"
    assert told["score1"] > told["score2"] > 30
    assert told["promoted"] == 3
    assert statuses(registered)[2:] == ["production", "testing"]


def test_requests_without_feedback_are_counted_and_not_compared(registered):
    begin(registered)
    ask(registered)
    before = registered.get(f"{API}/abtests/1").json
    for _ in range(20):
        registered.post(PREDICT, json=flower())
    told = registered.get(f"{API}/abtests/1").json
    assert (told["requests1"] + told["requests2"], told["feedback1"] + told["feedback2"]) == (60, 40)
    compared = ("feedback1", "feedback2", "score1", "score2", "interval")
    assert [told[name] for name in compared] == [before[name] for name in compared]


def test_a_side_without_feedback_is_400_and_changes_nothing(registered):
    begin(registered)
    answer = registered.post(PREDICT, json=flower()).json
    registered.put(f"{API}/mlrequests/{answer['request_id']}", json={"feedback": "setosa"})
    assert_problem(registered.post(f"{API}/stop_ab_test/1"), 400, "feedback for 0 of its", "promote=false")
    assert statuses(registered)[:2] == ["ab_testing", "ab_testing"]
    assert registered.get(f"{API}/abtests/1").json["ended_at"] is None


def test_a_verdict_needs_the_feedback_that_the_test_asked_for(registered):
    begin(registered, min_feedback=30)
    ask(registered)
    assert_problem(registered.post(f"{API}/stop_ab_test/1"), 400, "30 are needed")


@pytest.mark.parametrize("how", [{"query_string": {"promote": "false"}}, {"json": {"promote": False}}])
def test_a_test_can_be_stopped_without_promotion(registered, how):
    begin(registered)
    ask(registered, 5)
    told = registered.post(f"{API}/stop_ab_test/1", **how).json
    assert told["promoted"] is None
    assert "Not promoted: logistic 1.0 is now production, stump 1.0 testing" in told["summary"]
    assert statuses(registered)[:2] == ["production", "testing"]


@pytest.mark.parametrize(("first", "second", "winner"), [(1, 2, 2), (2, 1, 2), (1, 3, 1)])
def test_on_a_tie_the_one_from_production_stays_else_the_first(make_registry, first, second, winner):
    client = make_registry(
        {
            "iris": [
                algorithm("logistic", "classifier"),
                algorithm("logistic", "classifier", version="2.0", status="production"),
                algorithm("logistic", "classifier", version="3.0"),
            ]
        }
    )
    begin(client, first, second)
    for _ in range(30):
        answer = client.post(PREDICT, json=flower()).json
        client.put(f"{API}/mlrequests/{answer['request_id']}", json={"feedback": "setosa"})
    told = client.post(f"{API}/stop_ab_test/1").json
    assert (told["difference"], told["winner"], told["promoted"]) == (0, None, winner)


def test_both_sides_answer_and_a_subject_keeps_its_own(registered):
    begin(registered)
    sides = {}
    for _ in range(3):
        for subject in range(12):
            answer = registered.post(f"{PREDICT}&subject={subject}", json=flower()).json
            kept = registered.get(f"{API}/mlrequests/{answer['request_id']}").json
            assert kept["parent_abtest"] == 1
            sides.setdefault(subject, set()).add(kept["parent_mlalgorithm"])
    assert all(len(found) == 1 for found in sides.values())
    assert set.union(*sides.values()) == {1, 2}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"parent_mlalgorithm2": 1}, "are the same"),
        ({"parent_mlalgorithm2": 3}, "different endpoints"),
        ({"parent_mlalgorithm2": 99}, "there is no algorithm 99"),
        ({"parent_mlalgorithm2": 5}, "logistic 1.0 is a classifier and logistic 2.0 a regressor"),
        ({"title": ""}, "title must be a text"),
        ({"min_feedback": 0}, "min_feedback must be 1 or more"),
        ({"parent_mlalgorithm1": "x"}, "parent_mlalgorithm1 must be a whole number"),
        ({"name": "x"}, "unknown field 'name'"),
    ],
)
def test_what_cannot_be_compared_is_told_and_nothing_begins(make_registry, fields, words):
    client = make_registry(
        {
            "iris": [algorithm("logistic", "classifier"), algorithm("stump", "classifier")],
            "diabetes": [algorithm("linear", "regressor"), algorithm("mean", "regressor")],
        },
        algorithms=[
            {
                "endpoint_name": "iris", "algorithm_object": Constant(1), "algorithm_name": "logistic",
                "algorithm_type": "regressor", "algorithm_version": "2.0",
            },
        ],
    )  # fmt: skip
    before = statuses(client)
    assert_problem(begin(client, **fields), 400, words)
    assert statuses(client) == before
    assert client.get(f"{API}/abtests").json == []


class Constant:
    def __init__(self, label):
        self.label = label

    def compute_prediction(self, input_data):
        return {"label": self.label}


def test_an_inactive_algorithm_is_not_tested(registered):
    registered.post(f"{API}/mlalgorithmstatuses", json={"status": "inactive", "parent_mlalgorithm": 2})
    assert_problem(begin(registered), 400, "stump 1.0 has status inactive")


def test_an_endpoint_has_one_running_test(make_registry):
    models = [algorithm("logistic", "classifier", version=str(number)) for number in range(4)]
    client = make_registry({"iris": models})
    assert begin(client, 1, 2).status_code == 201
    assert_problem(begin(client, 2, 3), 400, "logistic 1 is in the running test 1")
    assert_problem(begin(client, 3, 4), 400, "the endpoint has a running test, 1")
    client.post(f"{API}/stop_ab_test/1?promote=false")
    assert begin(client, 3, 4).json["id"] == 2


def test_an_algorithm_that_cannot_be_used_is_not_tested(make_registry):
    client = make_registry({"iris": [algorithm("logistic", "classifier"), algorithm("gone", "classifier")]})
    assert_problem(begin(client), 400, "gone 1.0 cannot be used", "does not exist")


def test_a_side_that_cannot_be_used_any_more_leaves_no_traffic_to_the_other(registered, tmp_path):
    begin(registered)
    (tmp_path / "stump.pkl").unlink()
    for _ in range(10):
        answer = registered.post(PREDICT, json=flower())
        assert answer.status_code == 400
        assert "stump 1.0 cannot be used" in answer.json["message"]
    assert registered.get(f"{API}/mlrequests").json == []


def test_the_status_of_a_tested_algorithm_is_changed_by_the_end_of_the_test_only(registered):
    begin(registered)
    changed = registered.post(f"{API}/mlalgorithmstatuses", json={"status": "testing", "parent_mlalgorithm": 1})
    assert_problem(changed, 409, "logistic 1.0 is in the running test 1")


def test_a_test_ends_once(registered):
    begin(registered)
    ask(registered, 20)

    def stop(_):
        return registered.application.test_client().post(f"{API}/stop_ab_test/1").status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(stop, range(8))) == [200] + [400] * 7
    assert len(registered.get(f"{API}/mlalgorithmstatuses?parent_endpoint=iris").json) == 6
    assert_problem(registered.post(f"{API}/stop_ab_test/1"), 400, "has ended")


def test_a_test_that_there_is_not_and_a_word_that_is_no_flag_are_told(registered):
    assert_problem(registered.post(f"{API}/stop_ab_test/5"), 404, "there is no test 5")
    begin(registered)
    assert_problem(registered.post(f"{API}/stop_ab_test/1?promote=maybe"), 400, "promote must be true or false")
    assert_problem(registered.post(f"{API}/stop_ab_test/1?promot=false"), 400, "did you mean 'promote'")
