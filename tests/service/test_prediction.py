"""One answer for each row, whatever a user's own model gives."""

import joblib
import pytest

from tests.estimators.outside import Single
from tests.web.conftest import assert_problem

ROWS = [{"x0": 1}, {"x0": 2}]


@pytest.mark.parametrize("output", ["values", "records", "proba"])
def test_answers_that_are_not_one_for_each_row_are_not_given(make_client, tmp_path, output):
    joblib.dump(Single(), tmp_path / "own.pkl")
    url = {"own": {"pattern": "/own", "handler": "MLHandler", "kwargs": {"model": {"path": "own.pkl"}}}}
    client = make_client(url)
    assert client.post(f"/own?_output={output}", json=ROWS[:1]).status_code == 200
    answer = client.post(f"/own?_output={output}", json=ROWS)
    assert_problem(answer, 503, "the model gives 1 answers for 2 rows")


def test_nor_are_those_to_texts(make_client, tmp_path):
    joblib.dump(Single(), tmp_path / "own.pkl")
    url = {"own": {"pattern": "/own", "handler": "TextHandler", "kwargs": {"model": {"path": "own.pkl"}}}}
    client = make_client(url, wait=False)
    assert client.get("/own?query=fine").json == {"prediction": 7, "confidence": 0.75}
    assert_problem(client.get("/own?query=fine&query=dull"), 503, "the model gives 1 answers for 2 rows")
