"""A model file is read once; whatever its object raises is told as a file that cannot be read."""

import joblib
import pytest
from sklearn.linear_model import LinearRegression

from server.errors import ModelUnreadable
from server.estimators.loading import load_estimator
from tests.estimators.outside import Missing, Sealed, Touchy
from tests.web.conftest import assert_problem

RAISING = [(Touchy(), "cannot be served: RuntimeError: not now"), (Missing(), "cannot be unpickled: FileNotFoundError")]


@pytest.mark.parametrize(("model", "words"), RAISING, ids=["looked at", "unpickled"])
def test_what_an_object_raises_makes_its_file_unreadable(tmp_path, model, words):
    joblib.dump(model, tmp_path / "model.pkl")
    with pytest.raises(ModelUnreadable, match=words):
        load_estimator(tmp_path / "model.pkl")


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_estimator(tmp_path / "model.pkl")


@pytest.mark.parametrize("model", [Touchy(), Missing(), Sealed()], ids=["looked at", "unpickled", "asked for columns"])
def test_such_a_file_does_not_stop_the_others(make_client, tmp_path, model):
    joblib.dump(model, tmp_path / "bad.pkl")
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), tmp_path / "good.pkl")
    url = {
        name: {"pattern": f"/{name}", "handler": "MLHandler", "kwargs": {"model": {"path": f"{name}.pkl"}}}
        for name in ("bad", "good")
    }
    client = make_client(url, wait=False)
    assert client.get("/good?x0=2").json == pytest.approx([4])
    assert_problem(client.get("/bad?x0=2"), 503, "bad.pkl cannot be")
    assert client.get("/bad").status_code == 200
