"""Sentiment analysis: both of the guide's answers, by every door and in every shape."""

import gzip
import io
import json
import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from server.tables.writing import CONTENT_TYPES, write_table
from tests.reviews import text_endpoint
from tests.tables.samples import feather
from tests.tiny import WORDS
from tests.web.conftest import FORM
from tests.web.test_get import READ

pytestmark = pytest.mark.slow

ROWS = [
    {"id": 7, "text": "this movie was good", "when": "2020-01-01"},
    {"id": 8, "text": 'bad, "boring"\nand wrong', "when": None},
    {"id": 9, "text": "Ça va? \N{GRINNING FACE} שלום", "when": "2020-01-03"},
]
FRAME = pd.DataFrame(ROWS)
TEXTS = [row["text"] for row in ROWS]
UPLOADS = {
    "rows.csv": write_table(FRAME, "csv"),
    "rows.csv.gz": gzip.compress(write_table(FRAME, "csv")),
    "rows.tsv": FRAME.to_csv(sep="\t", index=False).encode(),
    "rows.json": json.dumps(ROWS).encode(),
    "rows.jsonl": write_table(FRAME, "jsonl"),
    "rows.jsonl.gz": gzip.compress(write_table(FRAME, "jsonl")),
    "rows.xlsx": write_table(FRAME, "xlsx"),
    "rows.parquet": write_table(FRAME, "parquet"),
    "rows.feather": feather(pa.Table.from_pandas(FRAME)),
}


@pytest.fixture(scope="module")
def answers(text_reader):
    """The probabilities of TEXTS."""
    found = text_reader.get("/sentiment", query_string={"text": TEXTS, "_output": "proba"}).json
    assert len({row["POSITIVE"] for row in found}) == len(TEXTS)
    return found


def labels(probabilities):
    return [max(row, key=row.get) for row in probabilities]


def told(probabilities):
    return [{"label": max(row, key=row.get), "score": max(row.values())} for row in probabilities]


def same(found, expected):
    """Equal but for what another batch makes of the last digits."""
    assert [row["label"] for row in found] == [row["label"] for row in expected]
    assert [row["score"] for row in found] == pytest.approx([row["score"] for row in expected], abs=1e-5)


def test_the_class_answers_labels_by_get(text_reader, answers):
    assert text_reader.get("/sentiment", query_string={"text": TEXTS}).json == labels(answers)
    assert text_reader.get("/sentiment", query_string={"text": TEXTS[0]}).json == labels(answers)[:1]


def test_the_task_answers_labels_with_their_scores(text_reader, answers):
    same(text_reader.get("/pipeline", query_string={"text": TEXTS}).json, told(answers))
    same(text_reader.get("/pipeline", query_string={"text": TEXTS[1]}).json, told(answers[1:2]))


def test_the_scores_of_the_task_are_those_of_transformers_own_pipeline(text_reader, tiny_models):
    import transformers

    pipeline = transformers.pipeline("text-classification", str(tiny_models / "sentiment"), device="cpu")
    same(text_reader.get("/pipeline", query_string={"text": TEXTS}).json, pipeline(TEXTS))


@pytest.mark.parametrize("url", ["/sentiment", "/pipeline"])
def test_probabilities_are_named_by_label_and_sum_to_one(text_reader, answers, url):
    found = text_reader.get(url, query_string={"text": TEXTS, "_output": "proba"}).json
    assert [set(row) for row in found] == [{"NEGATIVE", "POSITIVE"}] * 3
    assert [sum(row.values()) for row in found] == pytest.approx([1, 1, 1])
    assert found == answers


@pytest.mark.parametrize("name", sorted(UPLOADS))
def test_a_column_of_texts_beside_others_is_read_from_every_format(text_reader, answers, name):
    upload = {"anything": (io.BytesIO(UPLOADS[name]), name)}
    assert text_reader.post("/sentiment?_action=predict", data=upload).json == labels(answers)
    upload = {"anything": (io.BytesIO(UPLOADS[name]), name)}
    same(text_reader.post("/pipeline", data=upload).json, told(answers))


@pytest.mark.parametrize(
    "arguments",
    [
        {"json": ROWS},
        {"json": {"text": TEXTS, "id": [1, 2, 3]}},
        {"data": {"text": TEXTS}},
        {"data": json.dumps(ROWS), "content_type": FORM},
    ],
    ids=["records", "columns", "form", "curl -d"],
)
def test_a_body_is_read_as_a_file_is(text_reader, answers, arguments):
    assert text_reader.post("/sentiment", **arguments).json == labels(answers)
    same(text_reader.post("/pipeline", **arguments).json, told(answers))


def test_the_body_of_a_get_is_read(text_reader, answers):
    assert text_reader.get("/sentiment", json=ROWS[:1]).json == labels(answers)[:1]
    same(text_reader.get("/pipeline", data={"text": TEXTS[0]}).json, told(answers[:1]))


def test_records_are_the_rows_with_their_labels(text_reader, answers):
    found = text_reader.post("/sentiment?_output=records", json=ROWS).json
    assert found == [row | {"label": label} for row, label in zip(ROWS, labels(answers), strict=True)]
    found = text_reader.post("/pipeline?_output=records", json=ROWS).json
    assert [{name: row[name] for name in ROWS[0]} for row in found] == ROWS
    same(found, told(answers))


@pytest.mark.parametrize("name", sorted(READ))
def test_answers_come_in_every_format(text_reader, answers, name):
    answer = text_reader.post(f"/sentiment?_format={name}", json=ROWS)
    assert answer.content_type == CONTENT_TYPES[name]
    if name != "json":
        pd.testing.assert_frame_equal(
            READ[name](io.BytesIO(answer.data)), pd.DataFrame({"label": labels(answers)}), check_dtype=False
        )
    answer = text_reader.post(f"/pipeline?_format={name}", json=ROWS)
    same(READ[name](io.BytesIO(answer.data)).to_dict("records"), told(answers))
    answer = text_reader.post(f"/pipeline?_format={name}&_output=proba", json=ROWS)
    assert READ[name](io.BytesIO(answer.data)).to_numpy() == pytest.approx(pd.DataFrame(answers).to_numpy(), abs=1e-5)


def test_the_configuration_sets_the_output_and_a_request_overrides_it(text_reader, answers):
    assert text_reader.get("/told", query_string={"text": TEXTS}).json == answers
    assert text_reader.get("/told", query_string={"text": TEXTS, "_output": "values"}).json == labels(answers)


def test_the_configuration_names_the_columns(text_reader, answers):
    rows = [{"review": text, "text": "of no meaning"} for text in TEXTS]
    assert text_reader.post("/own", json=rows).json == labels(answers)
    found = text_reader.post("/own?_output=records", json=rows).json
    assert found == [row | {"verdict": label} for row, label in zip(rows, labels(answers), strict=True)]
    scored = [row | {"verdict": label} for row, label in zip(rows, labels(answers), strict=True)]
    assert text_reader.post("/own?_action=score&_metric=accuracy", json=scored).json == {"score": 1.0}


def test_texts_that_look_like_numbers_stay_texts(text_reader):
    one = text_reader.get("/sentiment?text=007&_output=proba").json
    other = text_reader.get("/sentiment?text=7&_output=proba").json
    assert one != other
    for name, content in {"a.csv": b"text\n007\n", "a.json": b'[{"text": "007"}]'}.items():
        answer = text_reader.post("/sentiment?_output=proba", data={"file": (io.BytesIO(content), name)})
        assert answer.json == one


def test_no_rows_are_no_predictions(text_reader):
    for url in ("/sentiment", "/pipeline"):
        assert text_reader.post(url, json=[]).json == []
        assert text_reader.post(url, data=b"text\n", content_type="text/csv").json == []


@pytest.mark.slow
def test_thousands_of_texts_of_all_lengths_keep_their_order(text_reader):
    """They are sorted by length within the server; each must still be answered as it is alone."""
    chance = random.Random(0)
    texts = [" ".join(chance.choices(WORDS, k=chance.choice((1, 3, 10, 40, 200)))) for _ in range(3000)]
    found = text_reader.post("/sentiment?_output=proba", json=[{"text": text} for text in texts]).json
    assert len(found) == 3000
    for place in chance.sample(range(3000), 60):
        alone = text_reader.post("/sentiment?_output=proba", json=[{"text": texts[place]}]).json[0]
        assert found[place] == pytest.approx(alone, abs=1e-5)
    again = text_reader.post("/sentiment?_output=proba", json=[{"text": text} for text in texts[::-1]]).json
    positive = np.array([[row["POSITIVE"] for row in rows] for rows in (found, again[::-1])])
    assert positive[0] == pytest.approx(positive[1], abs=1e-5)
    assert positive[0].std() > 0.05


def test_an_equal_text_gets_an_equal_answer_beside_any_others(text_reader):
    long = "this movie was very good " * 20
    found = text_reader.post("/sentiment?_output=proba", json=[{"text": t} for t in ("good", long, "good", "a")]).json
    assert found[0]["POSITIVE"] == pytest.approx(found[2]["POSITIVE"], abs=1e-6)


def test_params_model_may_be_relative_to_the_configuration(make_client, tmp_path, tiny_models, answers):
    (tmp_path / "weights").symlink_to(tiny_models / "sentiment")
    client = make_client({"a": text_endpoint("a", "weights"), "b": text_endpoint("b", "./weights")})
    for url in ("/a", "/b"):
        assert client.get(url, query_string={"text": TEXTS}).json == labels(answers)


def test_the_description_names_the_labels_and_the_arguments(text_reader):
    model = text_reader.get("/sentiment?_model").json
    assert model["model"] == "SentimentAnalysis"
    assert model["params"]["num_train_epochs"] == 1
    assert text_reader.get("/sentiment?_params").json["attrs"]["classes_"] == ["NEGATIVE", "POSITIVE"]
