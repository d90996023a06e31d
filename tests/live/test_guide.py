"""The curl lines of the MLHandler guide, as printed, against a real server.

They differ from the guide where the contract does: host and path, `&` stands in quotes, a misspelt class is
refused, and CSV or XLSX sent by `-d` are refused with the remedy.
"""

import json
import re
import shutil
import subprocess

import joblib
import pandas as pd
import pytest
import requests

from tests.conftest import ROOT, ROW

pytestmark = [pytest.mark.live, pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")]
PLACE = re.compile(r"(http://localhost:9988)?/?\b(mlhandler|model)\?")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files that the guide posts, made from the passengers."""
    folder = tmp_path_factory.mktemp("files")
    rows = pd.read_csv(ROOT / "data" / "titanic.csv")
    rows.to_csv(folder / "titanic.csv", index=False)
    rows.to_excel(folder / "titanic.xlsx", index=False)
    rows.to_json(folder / "titanic.json", orient="records")
    rows.drop(columns="Survived").to_json(folder / "titanic_predict.json", orient="records", indent=1)
    rows.tail(200).to_csv(folder / "test.csv", index=False)
    rows.head(3).assign(PassengerId=[892, 893, 894]).to_json(folder / "data.json", orient="records")
    return folder


@pytest.fixture
def curl(files):
    """Run a printed line; the answer's body, parsed, and its status."""

    def run(server, line):
        line = PLACE.sub(lambda match: f"{server.url}/titanic?", line)
        command = f"{line} -s -w '\\n%{{http_code}}'"
        done = subprocess.run(["bash", "-c", command], cwd=files, capture_output=True, text=True, check=True)
        body, _, status = done.stdout.rpartition("\n")
        return json.loads(body), int(status)

    return run


@pytest.mark.parametrize(
    "line",
    [
        "curl -X GET '/model?Sex=male&Age=22&SibSp=1&Parch=0&Fare=7.25&Pclass=3&Embarked=S'",
        "curl -X GET 'mlhandler?Sex=male&Age=22&SibSp=1&Parch=0&Fare=7.25&Pclass=3&Embarked=S'",
    ],
)
def test_a_prediction(reading, curl, line):
    assert curl(reading, line) == ([0], 200)


def test_bulk_predictions(reading, curl):
    answer, status = curl(
        reading, "curl -X POST -d @titanic_predict.json http://localhost:9988/mlhandler?_action=predict"
    )
    assert (status, len(answer), set(answer)) == (200, 891, {0, 1})


@pytest.mark.parametrize(
    "line",
    [
        "curl -X POST -d @titanic.xlsx 'mlhandler?_action=predict'",
        "curl -X POST -d @titanic.csv 'mlhandler?_action=retrain&target_col=Survived'",
    ],
)
def test_files_that_curl_strips_are_refused_with_the_remedy(reading, curl, line):
    answer, status = curl(reading, line)
    assert (status, answer["status"]) == (400, 400)
    assert "--data-binary" in answer["detail"]
    assert "-F file=@" in answer["detail"]


@pytest.mark.parametrize(
    "line",
    [
        "curl -X POST -F file=@titanic.xlsx 'mlhandler?_action=predict'",
        "curl -X POST --data-binary @titanic.csv -H 'Content-Type: text/csv' 'mlhandler?_action=predict'",
    ],
)
def test_the_remedies_work(reading, curl, line):
    answer, status = curl(reading, line)
    assert (status, len(answer)) == (200, 891)


@pytest.mark.parametrize(
    "line",
    ["curl -X GET /mlhandler?_model", "curl -X GET -d @titanic.csv 'mlhandler?_model'"],
)
def test_the_parameters(reading, curl, line):
    answer, status = curl(reading, line)
    assert (status, answer["model"]) == (200, "LogisticRegression")
    assert answer["params"].items() >= {"C": 1.0, "fit_intercept": True, "max_iter": 100, "tol": 0.0001}.items()


def test_the_score_of_a_file(reading, curl):
    answer, status = curl(reading, "curl -X POST -F \"file=@test.csv\" 'http://localhost:9988/mlhandler?_action=score'")
    assert status == 200
    assert 0.7 < answer["score"] < 0.9


def test_the_download(reading, files, titanic):
    line = f"curl -s -X GET '{reading.url}/titanic?_download' -o downloaded.pkl"
    subprocess.run(["bash", "-c", line], cwd=files, check=True)
    assert len(joblib.load(files / "downloaded.pkl").predict(titanic)) == 891


def test_the_training_data(reading, curl):
    answer, status = curl(reading, "curl -X GET '/mlhandler?_cache'")
    assert (status, len(answer)) == (200, 891)


def test_the_python_lines(reading, files):
    url = f"{reading.url}/titanic"
    query = "?Sex=male&Age=22&SibSp=1&Parch=0&Fare=7.25&Pclass=3&Embarked=S"
    assert requests.get(url + query, timeout=60).json() == [0]
    with (files / "titanic.xlsx").open("rb") as file:
        assert len(requests.post(f"{url}?_action=predict", files={"file": file}, timeout=60).json()) == 891


def test_retraining_and_changing_the_model(live, curl, files):
    retrain = "curl -X POST -d @titanic.json '/mlhandler?_action=retrain&target_col=Survived'"
    answer, status = curl(live, retrain)
    assert (status, round(answer["score"], 1)) == (200, 0.8)

    answer, status = curl(live, "curl -X PUT '/mlhandler?_model&class=RandomForestClassififer'")
    assert status == 400
    assert "did you mean 'RandomForestClassifier'" in answer["detail"]
    assert curl(live, "curl -X GET /mlhandler?_model")[0]["model"] == "LogisticRegression"

    answer, status = curl(live, "curl -X PUT '/mlhandler?_model&class=RandomForestClassifier'")
    assert (status, answer["model"], answer["params"]["n_estimators"]) == (200, "RandomForestClassifier", 100)
    answer, status = curl(live, "curl -X PUT '/mlhandler?_model&n_estimators=10'")
    assert (status, answer["params"]["n_estimators"]) == (200, 10)
    answer, status = curl(live, "curl -X POST '/mlhandler?_action=retrain'")
    assert status == 200
    assert answer["score"] > 0.9

    answer, status = curl(live, "curl -X PUT '/mlhandler?_model&class=SGDClassifier&loss=log'")
    assert (status, answer["model"], answer["params"]["loss"]) == (200, "SGDClassifier", "log_loss")
    line = "curl -X PUT '/mlhandler?_model&exclude=PassengerId&exclude=Name&cats=Embarked'"
    assert curl(live, line)[1] == 200
    options = requests.get(f"{live.url}/titanic?_params", timeout=60).json()["opts"]
    assert (options["exclude"], options["cats"]) == (["PassengerId", "Name"], ["Embarked"])

    with (files / "titanic.csv").open("rb") as file:
        url = f"{live.url}/titanic?_action=retrain&target_col=Survived"
        assert requests.post(url, files={"file": file}, timeout=60).json()["score"] > 0.6


def test_appending(live, curl):
    by_body = (
        'curl -X POST -d @data.json --header "Content-Type: application/json" '
        "'http://localhost:9988/mlhandler?_action=append'"
    )
    assert curl(live, by_body) == ({"rows": 894, "appended": 3}, 200)
    by_file = "curl -X POST -F \"file=@data.json\" 'http://localhost:9988/mlhandler?_action=append'"
    assert curl(live, by_file) == ({"rows": 897, "appended": 3}, 200)


def test_deleting(live, curl):
    assert curl(live, "curl -X DELETE 'http://localhost:9988/mlhandler?_cache'") == ({"deleted": ["cache"]}, 200)
    assert curl(live, "curl -X GET '/mlhandler?_cache'") == ([], 200)
    assert curl(live, "curl -X DELETE /mlhandler?_model") == ({"deleted": ["model"]}, 200)
    assert curl(live, "curl -X GET /mlhandler?_model")[1] == 404
    assert requests.get(f"{live.url}/titanic", ROW, timeout=60).status_code == 404
    assert curl(live, "curl -X POST -d @titanic.json '/mlhandler?_action=retrain&target_col=Survived'")[1] == 200
    assert requests.get(f"{live.url}/titanic", ROW, timeout=60).json() == [0]
