"""A long table is answered in parts as it would be at once: answers byte for byte, errors word for word."""

from io import BytesIO
from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPRegressor

from server.config import Limits
from server.errors import ServerError
from server.estimators.tabular import TabularEstimator
from server.schema import Column, Kind, Schema
from server.service.bulk import predicted_in_parts
from server.service.prediction import predicted
from server.service.served_model import ServedModel
from server.tables.formats import Upload
from server.tables.parts import PartSizes
from server.tables.reading import read_upload
from server.tables.streaming import joined_json, joined_table
from server.tables.writing import records, to_json, write_table

pytestmark = pytest.mark.slow
LIMITS = Limits()
RANDOM = np.random.default_rng(0)
COUNT = 3000


def frame_of(count, gaps=0.1):
    cells = {
        "age": RANDOM.integers(0, 80, count).astype(float),
        "fare": RANDOM.uniform(0, 100, count).round(3),
        "alone": RANDOM.random(count) < 0.5,
        "sex": RANDOM.choice(["male", "fe,male", 'ma"le', "é"], count),
    }
    frame = pd.DataFrame(cells)
    return frame.mask(RANDOM.random(frame.shape) < gaps)


COLUMNS = (
    Column("age", Kind.INTEGER), Column("fare", Kind.NUMBER), Column("alone", Kind.BOOLEAN), Column("sex", Kind.TEXT),
)  # fmt: skip
TARGETS = {
    "linear": (LogisticRegression(), lambda frame: frame["age"].fillna(0).gt(40).astype(np.int64)),
    "words": (RandomForestClassifier(10, random_state=0), lambda frame: np.where(frame["age"] > 40, "old", 'you"ng')),
    "numbers": (LinearRegression(), lambda frame: frame["fare"].fillna(0) * 1.1),
    "network": (
        MLPRegressor(hidden_layer_sizes=(7,), max_iter=20, random_state=0),
        lambda frame: frame["fare"].fillna(0),
    ),
}


@pytest.fixture(scope="module")
def served():
    """name → served model."""
    frame, found = frame_of(500), {}
    for name, (model, target) in TARGETS.items():
        schema = Schema(COLUMNS, Column("answer", Kind.NUMBER))
        estimator = TabularEstimator.create(type(model), model.get_params(), COLUMNS[3:], COLUMNS[:3], pipeline=True)
        estimator.fit(schema.parse_features(frame), np.asarray(target(frame)))
        found[name] = ServedModel(estimator, schema, ())
    return found


def written(predictions, format_):
    if format_ != "json":
        return b"".join(joined_table((part.frame for part in predictions), format_))
    return b"".join(
        joined_json(part.values if part.values is not None else records(part.frame) for part in predictions)
    )


def at_once(served, content, name, output, format_):
    rows = read_upload(Upload(content, name), LIMITS, served.text_columns)
    answer = predicted(served, rows, output, None)
    if format_ != "json":
        return write_table(answer.frame, format_)
    return to_json(answer.values if answer.values is not None else records(answer.frame))


def in_parts(served, content, name, output, format_, sizes):
    upload = Upload(BytesIO(content), name)
    return predicted_in_parts(served, upload, LIMITS, output, None, lambda parts: written(parts, format_), sizes)


def told(way, *arguments):
    """What it answers, or the error."""
    try:
        return way(*arguments)
    except ServerError as error:
        return type(error), error.detail, error.problems


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("model", TARGETS)
def test_answers_in_parts_are_those_at_once_byte_for_byte(served, model, name):
    content = write_table(frame_of(COUNT), name)
    sizes = PartSizes(piece=20_000, part=1, most_rows=1024, group=1024)
    for output, format_ in product(["values", "records", "proba"], ["json", "jsonl", "csv", "parquet"]):
        found = told(in_parts, served[model], content, f"x.{name}", output, format_, sizes)
        expected = told(at_once, served[model], content, f"x.{name}", output, format_)
        if format_ == "parquet" and isinstance(expected, bytes):
            # The rows lie in other groups.
            found, expected = (pa.parquet.read_table(BytesIO(file)) for file in (found, expected))
        assert found == expected, (output, format_)


CELLS = {
    "age": st.sampled_from(["1", "30", "2.5", "", "x", "inf"]),
    "fare": st.sampled_from(["1", "7.5", "", "1e3"]),
    "alone": st.sampled_from(["true", "False", "", "1", "2"]),
    "sex": st.sampled_from(["male", "", '"a,b"', '"\n"', "3"]),
}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(*CELLS.values()), min_size=1, max_size=12),
    st.sampled_from(["values", "records"]),
    st.integers(1, 60),
    st.integers(1, 4),
    st.sampled_from(list(CELLS)),
)
def test_wrong_cells_are_told_as_at_once(served, rows, output, piece, length, kept):
    names = [name for name in CELLS if name == kept or len(rows) % 5]
    lines = [dict(zip(CELLS, row, strict=True)) for row in rows]
    content = "\n".join([",".join(names), *(",".join(line[name] for name in names) for line in lines)]).encode()
    sizes = PartSizes(piece=piece, most_rows=length, group=1)
    model = served["words"]
    found = told(in_parts, model, content, "x.csv", output, "json", sizes)
    assert found == told(at_once, model, content, "x.csv", output, "json") or (found is None and len(names) < 2)


def test_a_wrong_cell_of_a_late_part_has_its_row_in_the_whole_file(served):
    lines = ["age,fare,alone,sex", *["1,2,true,male"] * 5000]
    lines[4001], lines[5000] = "1,much,true,male", "old,2,true,male"
    sizes = PartSizes(piece=1000, most_rows=100, group=1)
    content = "\n".join(lines).encode()
    error, detail, problems = told(in_parts, served["linear"], content, "x.csv", "values", "json", sizes)
    assert error.status == 400
    assert detail == "row 5000, age: 'old' is not a number (and 1 more)"
    assert [problem.pointer for problem in problems] == ["/4999/age", "/4000/fare"]
