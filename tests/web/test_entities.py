"""Named entities: the guide's answer by every door, and lists of entities in every format."""

import io
import json
import random

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from seqeval.metrics import classification_report

from tests.reviews import QUERY, journeys, marked, text_endpoint
from tests.tables.samples import feather
from tests.tiny import WORDS
from tests.web.conftest import assert_problem
from tests.web.test_get import READ

pytestmark = pytest.mark.slow

TEXTS = ["Anna Smith lives in Paris", "peter, the great: went to (London)", "שלום \N{GRINNING FACE} anna's film"]
LISTS = journeys()


def table(rows) -> pa.Table:
    return pa.Table.from_pylist(rows)


def parquet(rows) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(table(rows), sink)
    return sink.getvalue()


def xlsx(rows) -> bytes:
    sink = io.BytesIO()
    pd.DataFrame(rows).to_excel(sink, index=False)
    return sink.getvalue()


# Every format, with lists as it can hold them.
FILES = {
    "rows.json": lambda rows: json.dumps(rows).encode(),
    "rows.jsonl": lambda rows: "\n".join(map(json.dumps, rows)).encode(),
    "rows.parquet": parquet,
    "rows.feather": lambda rows: feather(table(rows)),
    "text.csv": lambda rows: pd.DataFrame(as_text(rows)).to_csv(index=False).encode(),
    "text.tsv": lambda rows: pd.DataFrame(as_text(rows)).to_csv(index=False, sep="\t").encode(),
    "text.xlsx": lambda rows: xlsx(as_text(rows)),
    "text.json": lambda rows: json.dumps(as_text(rows)).encode(),
    "text.parquet": lambda rows: parquet(as_text(rows)),
}


def as_text(rows):
    return [row | {"labels": json.dumps(row["labels"])} for row in rows]


def send(client, action, rows, name="rows.json", url="/ner"):
    upload = {"file": (io.BytesIO(FILES[name](rows)), name)}
    return client.post(f"{url}?_action={action}", data=upload)


@pytest.fixture
def client(make_client, tiny_models):
    """An endpoint that has not learned anything yet."""
    return make_client({"ner": text_endpoint("ner", str(tiny_models / "base"), options={"class": "NER"})})


@pytest.fixture(scope="module")
def answers(text_reader):
    found = text_reader.get("/ner", query_string={"text": TEXTS}).json
    assert any(row["labels"] for row in found)
    return found


def test_the_answer_is_each_text_with_its_entities(answers):
    assert [set(row) for row in answers] == [{"text", "labels"}] * 3
    assert [row["text"] for row in answers] == TEXTS
    for row in answers:
        for entity in row["labels"]:
            assert list(entity) == ["start", "end", "label"]
            assert 0 <= entity["start"] < entity["end"] <= len(row["text"])
            assert entity["label"] in ("PER", "LOC")
        assert [entity["start"] for entity in row["labels"]] == sorted(entity["start"] for entity in row["labels"])


@pytest.mark.parametrize("url", ["/ner", "/task"])
def test_class_and_task_answer_alike_by_every_door(text_reader, answers, url):
    assert text_reader.get(url, query_string={"text": TEXTS}).json == answers
    assert text_reader.get(url, query_string={"text": TEXTS[0]}).json == answers[:1]
    assert text_reader.post(url, json=[{"text": text, "id": 1} for text in TEXTS]).json == answers
    assert text_reader.post(url, data={"text": TEXTS}).json == answers
    rows = [{"text": text, "labels": []} for text in TEXTS]
    for name, content in FILES.items():
        upload = {"file": (io.BytesIO(content(rows)), name)}
        assert text_reader.post(url, data=upload).json == answers, name


def test_records_are_the_rows_with_their_entities(text_reader, answers):
    rows = [{"id": number, "text": text} for number, text in enumerate(TEXTS)]
    found = text_reader.post("/ner?_output=records", json=rows).json
    assert found == [row | {"labels": answer["labels"]} for row, answer in zip(rows, answers, strict=True)]


def test_the_configuration_names_the_columns(text_reader, answers):
    rows = [{"review": text} for text in TEXTS]
    assert [row["labels"] for row in text_reader.post("/own-ner", json=rows).json] == [r["labels"] for r in answers]
    found = text_reader.post("/own-ner?_output=records", json=rows).json
    assert found == [row | {"verdict": answer["labels"]} for row, answer in zip(rows, answers, strict=True)]


def test_probabilities_stand_with_each_entity(text_reader, answers):
    found = text_reader.get("/ner", query_string={"text": TEXTS, "_output": "proba"}).json
    probabilities = [entity.pop("proba") for row in found for entity in row["labels"]]
    assert found == answers
    assert [set(one) for one in probabilities] == [{"PER", "LOC", "O"}] * len(probabilities)
    assert [sum(one.values()) for one in probabilities] == pytest.approx([1] * len(probabilities))


@pytest.mark.parametrize("name", sorted(READ))
def test_answers_come_in_every_format(text_reader, answers, name):
    answer = text_reader.get("/ner", query_string={"text": TEXTS, "_format": name})
    found = READ[name](io.BytesIO(answer.data)).to_dict("records")
    assert [row["text"] for row in found] == TEXTS
    for row, expected in zip(found, answers, strict=True):
        lists = json.loads(row["labels"]) if isinstance(row["labels"], str) else list(row["labels"])
        assert lists == expected["labels"]


def test_texts_without_words_have_no_entities(text_reader):
    assert text_reader.get("/ner?text=.").json[0]["text"] == "."


@pytest.mark.slow
def test_thousands_of_texts_keep_their_order(text_reader):
    chance = random.Random(1)
    texts = [" ".join(chance.choices(WORDS, k=chance.choice((1, 3, 10, 40, 200)))) for _ in range(1500)]
    found = text_reader.post("/ner", json=[{"text": text} for text in texts]).json
    assert [row["text"] for row in found] == texts
    for place in chance.sample(range(1500), 40):
        assert text_reader.get("/ner", query_string={"text": texts[place]}).json == [found[place]]


def test_a_model_learns_entities(client):
    answer = client.post(f"/ner?_action=train{QUERY}", json=LISTS).json
    assert answer["score"] == answer["f1"] == 1.0
    perfect = {"precision": 1, "recall": 1, "f1": 1, "support": 36}
    assert answer["labels"] == {"LOC": perfect, "PER": perfect}
    assert client.post("/ner?_action=score").json == answer
    text = "peter went from berlin to paris"
    found = client.get("/ner", query_string={"text": text}).json
    assert found == [{"text": text, "labels": [*marked(text, PER="peter", LOC="berlin"), *marked(text, LOC="paris")]}]


def test_scores_are_those_of_seqeval(client):
    client.post(f"/ner?_action=train{QUERY}", json=LISTS)
    texts = ["anna went to paris", "peter lives in london"]
    found = [row["labels"] for row in client.get("/ner", query_string={"text": texts}).json]
    assert found == [marked(texts[0], PER="anna", LOC="paris"), marked(texts[1], PER="peter", LOC="london")]
    # Of another type, too many, missed, and right.
    true = [marked(texts[0], LOC="anna", PER="went"), marked(texts[1], PER="peter")]
    report = classification_report(
        [["B-LOC", "B-PER", "O", "O"], ["B-PER", "O", "O", "O"]],
        [["B-PER", "O", "O", "B-LOC"], ["B-PER", "O", "O", "B-LOC"]],
        output_dict=True,
        zero_division=0,
    )
    rows = [{"text": text, "labels": labels} for text, labels in zip(texts, true, strict=True)]
    scores = client.post("/ner?_action=score", json=rows).json
    names = {"precision": "precision", "recall": "recall", "f1": "f1-score", "support": "support"}
    for label in ("LOC", "PER"):
        assert scores["labels"][label] == pytest.approx({name: report[label][theirs] for name, theirs in names.items()})
    for name in ("precision", "recall", "f1"):
        assert scores[name] == pytest.approx(report["micro avg"][names[name]])
    assert scores["score"] == scores["f1"]


@pytest.mark.parametrize("metric", ["precision", "recall", "f1"])
def test_a_metric_of_entities_can_be_asked_for(text_reader, metric):
    whole = text_reader.post("/ner?_action=score", json=LISTS).json
    assert text_reader.post(f"/ner?_action=score&_metric={metric}", json=LISTS).json == {"score": whole[metric]}


def test_another_metric_is_refused_with_those_there_are(text_reader):
    assert_problem(text_reader.post("/ner?_action=score&_metric=accuracy", json=LISTS), 400, "precision, recall, f1")


@pytest.mark.parametrize("first", sorted(FILES))
@pytest.mark.parametrize("then", ["rows.json", "rows.parquet", "text.csv", "text.xlsx"])
def test_rows_in_one_form_are_appended_to_rows_in_any_other(client, first, then):
    assert send(client, "append", LISTS[:2], first).json == {"rows": 2, "appended": 2}
    assert send(client, "append", LISTS[2:5], then).json == {"rows": 5, "appended": 3}
    assert client.get("/ner?_cache").json == LISTS[:5]


@pytest.mark.parametrize("first", sorted(FILES))
def test_lists_that_are_all_empty_may_come_first(client, first):
    empty = [row | {"labels": []} for row in LISTS[:3]]
    assert send(client, "append", empty, first).status_code == 200
    assert send(client, "append", LISTS[3:5]).json == {"rows": 5, "appended": 2}
    assert client.get("/ner?_cache").json == [*empty, *LISTS[3:5]]


@pytest.mark.parametrize("name", ["json", "jsonl", "csv", "xlsx", "parquet"])
def test_stored_rows_come_in_every_format_and_go_back_in(client, name):
    send(client, "append", LISTS[:4])
    content = client.get(f"/ner?_cache&_format={name}").data
    upload = {"file": (io.BytesIO(content), f"rows.{name}")}
    assert client.post("/ner?_action=append", data=upload).json == {"rows": 8, "appended": 4}
    assert client.get("/ner?_cache").json == LISTS[:4] * 2


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.parquet", "text.csv", "text.xlsx"])
def test_a_file_of_the_configuration_is_learned_from_and_appended_to(make_client, tiny_models, tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(FILES[name](LISTS))
    options = {"class": "NER", "params": {"num_train_epochs": 6, "learning_rate": 0.01}}
    entry = text_endpoint("ner", str(tiny_models / "base"), data=f"data/{name}", options=options)
    client = make_client({"ner": entry})
    assert client.post("/ner?_action=score").json["f1"] == 1.0
    assert client.get("/ner?_cache").json == LISTS
    for form in ("rows.json", "text.csv"):
        assert send(client, "append", LISTS[:2], form).status_code == 200
    assert client.get("/ner?_cache").json == [*LISTS, *LISTS[:2], *LISTS[:2]]


def test_a_file_of_the_configuration_may_hold_empty_lists_only(make_client, tiny_models, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.parquet").write_bytes(parquet([row | {"labels": []} for row in LISTS[:2]]))
    entry = text_endpoint("ner", str(tiny_models / "ner"), data="data/rows.parquet", options={"class": "NER"})
    client = make_client({"ner": entry}, wait=False)
    assert send(client, "append", LISTS[:2]).json == {"rows": 4, "appended": 2}
    assert [len(row["labels"]) for row in client.get("/ner?_cache").json] == [0, 0, 2, 2]


def test_repeated_rows_and_rows_with_gaps_are_not_learned_from(client, tmp_path):
    rows = [*LISTS, *LISTS, {"text": None, "labels": []}, {"text": "anna", "labels": None}]
    assert client.post(f"/ner?_action=train{QUERY}", json=rows).json["score"] == 1.0
    assert len(client.get("/ner?_cache").json) == 74
    assert client.post("/ner?_action=score").json["labels"]["PER"]["support"] == 36
    facts = json.loads((tmp_path / "models" / "ner" / "model" / "restimator.json").read_text())
    assert facts["rows"] == 36


def test_rows_without_entities_are_learned_from_beside_others(client):
    rows = [*LISTS, *({"text": f"the {word} movie", "labels": []} for word in ("good", "bad", "boring", "great"))]
    assert client.post(f"/ner?_action=train{QUERY}", json=rows).json["score"] == 1.0
    found = client.get("/ner", query_string={"text": ["the great movie", "anna lives in paris"]}).json
    assert [len(row["labels"]) for row in found] == [0, 2]


def test_an_empty_text_is_a_missing_cell_for_a_training(client):
    rows = [*LISTS, {"text": "", "labels": []}]
    assert client.post("/ner?_action=append", json=rows).json["appended"] == len(rows)
    assert client.post(f"/ner?_action=retrain{QUERY}").json["score"] == 1.0


def test_two_entities_in_one_word_are_refused_before_they_are_stored(client):
    rows = [
        LISTS[0],
        {
            "text": "annasmith",
            "labels": [{"start": 0, "end": 4, "label": "PER"}, {"start": 4, "end": 9, "label": "PER"}],
        },
    ]
    for action in ("append", "train"):
        document = assert_problem(client.post(f"/ner?_action={action}", json=rows), 400, "row 2, labels: ")
        assert [part["pointer"] for part in document["errors"]] == ["/1/labels"]
    assert client.get("/ner?_cache").json == []
