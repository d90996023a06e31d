"""What a model learned, as JSON."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from server.estimators.attributes import MOST_VALUES, learned_attributes, plain
from server.estimators.catalogue import find_class
from server.estimators.parameters import build, check_parameters
from tests.estimators.test_contract import PARAMETERS, ROWS, SERVED, target_of

pytestmark = pytest.mark.slow

NUMBERS = ROWS[["size", "weight", "age"]].astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVED)
def test_the_attributes_of_every_class_are_json(name):
    cls = find_class(name)
    model = build(cls, check_parameters(cls, PARAMETERS.get(name, {})))
    target = target_of(name)
    model.fit(NUMBERS[["size"]] if name == "IsotonicRegression" else NUMBERS, ROWS[target] if target else None)
    attributes = learned_attributes(model)
    assert attributes
    json.dumps(attributes, allow_nan=False)
    assert all(name.endswith("_") and not name.startswith("_") for name in attributes)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (float("nan"), None),
        (np.float32("inf"), None),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (np.array(["a", None, 2, np.nan], dtype=object), ["a", None, 2, None]),
        (np.array([1 + 2j]), ["(1+2j)"]),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), ["datetime.date(2020, 1, 1)"]),
        (np.array(5), 5),
        (sparse.csr_matrix([[0, 2]]), [[0, 2]]),
        ({1: np.int64(2), "a": {3}}, {"1": 2, "a": [3]}),
        ((1, [2, (3,)]), [1, [2, [3]]]),
        (None, None),
        (True, True),
        (LogisticRegression(C=3), "LogisticRegression(C=3)"),
    ],
    ids=repr,
)
def test_a_value_becomes_the_json_value_that_says_the_same(value, expected):
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


@pytest.mark.parametrize("shape", [(MOST_VALUES + 1,), (1000, 101)])
@pytest.mark.parametrize("make", [np.zeros, sparse.csr_matrix])
def test_a_huge_array_is_told_by_its_shape(make, shape):
    if make is sparse.csr_matrix and len(shape) == 1:
        shape = (1, *shape)
    assert plain(make(shape)) == {"shape": list(shape), "dtype": "float64"}


def test_only_public_learned_attributes_that_can_be_had_are_told():
    class Model(SimpleNamespace):
        @property
        def broken_(self):
            raise AttributeError("needs something else")

        def method_(self):
            return 1

    assert learned_attributes(Model(coef_=[1], _hidden_=2, plain=3, __dunder__=4)) == {"coef_": [1]}


def test_attributes_over_http_are_those_of_the_last_step(make_client):
    client = make_client({"pca": {"pattern": "/pca", "handler": "MLHandler", "kwargs": {"model": {"class": "PCA"}}}})
    rows = [{"a": float(n), "b": float(n * n)} for n in range(9)]
    trained = client.post("/pca?_action=train", json=rows).get_json()
    assert len(trained["singular_values_"]) == 2
    assert client.get("/pca?_params").get_json()["attrs"] == trained
