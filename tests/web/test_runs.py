"""Every training is a run: listed, shown, promoted."""

import time


def last_run(client, query="/runs") -> dict:
    return client.get(query).json["runs"][0]


def test_a_training_is_a_run(client):
    answer = client.post("/titanic?_action=retrain").json
    run = last_run(client)
    assert client.get(f"/runs/{run['run_id']}").json == run
    assert run["status"] == "FINISHED"
    assert run["endpoint"] == "titanic"
    assert run["class"] == "LogisticRegression"
    assert run["params"]["C"] == 1.0
    assert run["options"]["cats"] == ["Embarked", "SibSp", "Parch", "Pclass", "Sex"]
    assert run["metrics"]["score"] == answer["score"]
    assert 0.6 < run["metrics"]["held_out_score"] < 1
    assert run["data"] == {"version": 0, "rows": 674}
    assert run["serving"]
    assert run["progress"] is None


def test_an_earlier_run_serves_again(client):
    first = last_run(client)
    client.post("/titanic?_action=retrain&class=DecisionTreeClassifier")
    second = last_run(client)
    assert [run["serving"] for run in client.get("/titanic?_runs").json["runs"]] == [True, False]
    answer = client.put(f"/titanic?_model&run={first['run_id']}")
    assert answer.status_code == 200, answer.text
    assert [run["serving"] for run in client.get("/titanic?_runs").json["runs"]] == [False, True]
    assert "coef_" in client.get("/titanic?_params").json["attrs"]
    assert second["run_id"] != first["run_id"]


def test_an_asynchronous_training_tells_where_to_look(client):
    answer = client.post("/titanic?_action=retrain", headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    location = answer.headers["Location"]
    while client.get(location).json["status"] in ("SCHEDULED", "RUNNING"):
        time.sleep(0.05)
    assert client.get(location).json["status"] == "FINISHED"


def test_a_failed_training_is_a_failed_run_that_tells_why(client):
    answer = client.post("/titanic?_action=retrain&target_col=Nothing")
    assert answer.status_code == 400
    run = last_run(client)
    assert (run["status"], run["error"], run["serving"]) == ("FAILED", answer.json["detail"], False)
