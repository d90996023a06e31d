"""Fine-tuning over HTTP: any labels, arguments within bounds, and a model that lasts until the next."""

import io
import json
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tests.conftest import titanic_endpoint
from tests.reviews import ARGUMENTS, BAD, FRAMES, GOOD, NEW, QUERY, journeys, reviews, text_endpoint
from tests.tiny import tiny_model
from tests.web.conftest import assert_problem, build

pytestmark = pytest.mark.slow

URL = "/sentiment"
TRAIN = f"{URL}?_action=train{QUERY}"


@pytest.fixture
def make(make_client, tiny_models):
    """A client of one endpoint of SentimentAnalysis over these weights of `tiny_models`."""

    def make(weights="base", wait=True, **kwargs):
        return make_client({"sentiment": text_endpoint("sentiment", str(tiny_models / weights), **kwargs)}, wait)

    return make


@pytest.fixture
def client(make):
    """An endpoint over weights without a head, which has not learned anything yet."""
    return make()


def answers(client, texts=NEW, **options):
    answer = client.get(URL, query_string={"text": list(texts)} | options)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json


def state(client):
    views = {view: client.get(f"{URL}?{view}") for view in ("_params", "_model", "_cache")}
    views["answers"] = client.get(URL, query_string={"text": NEW, "_output": "proba"})
    return {name: (answer.status_code, answer.data) for name, answer in views.items()}


@pytest.mark.parametrize(("good", "bad"), [("yes", "no"), (1, 0), (True, False), (2.5, -1.5), ("1", "0")], ids=repr)
def test_labels_are_whatever_the_data_holds(client, good, bad):
    assert client.post(TRAIN, json=reviews(good, bad)).json == {"roc_auc": 1.0}
    found = answers(client)
    assert found == [good, bad, good, bad]
    assert [type(label) for label in found] == [type(good)] * 4
    names = {json.dumps(label).strip('"') for label in (good, bad)}
    proba = answers(client, _output="proba")
    assert {name.lower() for name in proba[0]} == {name.lower() for name in names}
    assert client.post(f"{URL}?_action=score", json=reviews(good, bad)).json == {"roc_auc": 1.0}
    assert client.post(f"{URL}?_action=score").json == {"roc_auc": 1.0}


def test_a_trained_endpoint_of_the_task_tells_its_labels_with_scores(make):
    client = make(task="sentiment-analysis")
    assert client.post(TRAIN, json=reviews(1, 0)).json == {"roc_auc": 1.0}
    found = answers(client)
    assert [row["label"] for row in found] == [1, 0, 1, 0]
    assert all(0.5 < row["score"] <= 1 for row in found)


def three_kinds():
    kinds = {"good": GOOD[:2], "bad": BAD[:2], "place": ("paris", "london")}
    return [
        {"text": frame.format(word), "label": label}
        for frame in FRAMES
        for label, words in kinds.items()
        for word in words
    ]


def test_of_three_labels_the_score_is_one_vs_rest(client):
    rows = three_kinds()
    trained = client.post(f"{URL}?_action=train&num_train_epochs=15&learning_rate=0.01", json=rows).json
    assert trained["roc_auc"] > 0.9
    assert trained == client.post(f"{URL}?_action=score").json
    wrong = [row | {"label": label} for row, label in zip(rows, np.roll([r["label"] for r in rows], 4), strict=True)]
    proba = pd.DataFrame(client.post(f"{URL}?_output=proba", json=wrong).json)
    labels = [row["label"] for row in wrong]
    expected = roc_auc_score(labels, proba[sorted(proba)].to_numpy(), multi_class="ovr")
    assert client.post(f"{URL}?_action=score", json=wrong).json["roc_auc"] == pytest.approx(expected)
    assert 0.1 < expected < 0.9


@pytest.mark.parametrize("labels", [("POSITIVE", "NEGATIVE"), ("NEGATIVE", "POSITIVE"), ("1", "0")])
def test_a_head_that_knows_the_labels_is_trained_on_in_its_own_order(make, tiny_models, labels):
    folder = tiny_model(tiny_models / "-".join(labels), labels=labels, seed=3)
    client = make(folder.name)
    texts = ["good", "bad", "the boring movie", "anna", "hate", "love it", "paris and london"]
    before = answers(client, texts, _output="proba")
    rows = reviews(*(int(label) if label.isdigit() else label for label in labels))
    # So slow that nothing is learned: the answers stay those of the head that was there.
    assert client.post(f"{URL}?_action=train&learning_rate=1e-12", json=rows).status_code == 200
    after = answers(client, texts, _output="proba")
    assert [set(row) for row in after] == [set(labels)] * len(texts)
    for row, expected in zip(after, before, strict=True):
        assert row == pytest.approx(expected, abs=1e-4)
    assert len({round(row[labels[0]], 3) for row in before}) > 3


def test_other_labels_get_a_new_head(make):
    client = make("sentiment")
    assert set(answers(client)) <= {"NEGATIVE", "POSITIVE"}
    assert client.post(f"{URL}?_action=train", json=three_kinds()).status_code == 200
    assert set(answers(client, _output="proba")[0]) == {"good", "bad", "place"}


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "neg_log_loss", "roc_auc"])
def test_any_metric_of_a_classifier_can_be_asked_for(client, metric):
    client.post(TRAIN, json=reviews(1, 0))
    score = client.post(f"{URL}?_action=score&_metric={metric}", json=reviews(1, 0)).json["score"]
    if metric == "neg_log_loss":
        assert -0.6 < score < 0
    else:
        assert score == 1


def test_rows_with_gaps_and_repeated_rows_are_stored_and_not_learned_from(client, tmp_path):
    rows = [*reviews(), *reviews(), {"text": "good", "label": None}, {"text": None, "label": "POSITIVE"}]
    assert client.post(TRAIN, json=rows).json == {"roc_auc": 1.0}
    assert len(client.get(f"{URL}?_cache").json) == 82
    facts = json.loads((tmp_path / "models" / "sentiment" / "model" / "restimator.json").read_text())
    assert facts["rows"] == 40


def test_a_retraining_answers_what_a_score_then_answers(client):
    assert client.post(f"{URL}?_action=append", json=reviews()).json == {"rows": 40, "appended": 40}
    trained = client.post(f"{URL}?_action=retrain&num_train_epochs=1").json
    assert trained == client.post(f"{URL}?_action=score").json
    assert client.put(f"{URL}?_action=retrain").json == trained


def test_a_training_is_repeatable_and_its_seed_changes_it(client):
    found = []
    for seed in (1, 1, 2):
        assert client.post(f"{TRAIN}&seed={seed}", json=reviews()).status_code == 200
        found.append([row["POSITIVE"] for row in answers(client, _output="proba")])
    assert found[0] == pytest.approx(found[1], abs=1e-4)
    assert found[0] != pytest.approx(found[2], abs=1e-4)


def test_columns_of_other_names_are_learned_from(make):
    client = make(options={"text_col": "review", "target_col": "verdict"})
    rows = [{"review": row["text"], "verdict": row["label"], "text": "x", "label": 1} for row in reviews()]
    assert client.post(TRAIN, json=rows).json == {"roc_auc": 1.0}
    found = client.get(URL, query_string={"review": NEW, "_output": "records"}).json
    assert [row["verdict"] for row in found] == ["POSITIVE", "NEGATIVE"] * 2
    assert client.post(f"{URL}?_action=score").json == {"roc_auc": 1.0}


def test_a_request_names_the_target(client):
    rows = [{"text": row["text"], "stars": row["label"]} for row in reviews(5, 1)]
    assert client.post(f"{TRAIN}&target_col=stars", json=rows).json == {"roc_auc": 1.0}
    assert client.get(URL, query_string={"text": NEW[:1], "_output": "records"}).json == [{"text": NEW[0], "stars": 5}]


OUT_OF_RANGE = {
    "num_train_epochs": ["0", "-1", "nan", "inf", "many", "101", "1e9"],
    "per_device_train_batch_size": ["0", "-8", "nan", "1.5", "many", "1025", "1e30"],
    "learning_rate": ["0", "-0.1", "nan", "inf", "fast", "1.5"],
    "weight_decay": ["-0.1", "nan", "inf", "some", "1.5"],
    "seed": ["-1", "1.5", "nan", "chance", "4294967296"],
    "quantize": ["int4", "8", "true"],
    "long_texts": ["window", "whole", "1", "true", "None"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in OUT_OF_RANGE.items() for value in values]
)
def test_an_argument_out_of_range_is_refused_and_nothing_is_kept(text_client, name, value):
    before = state(text_client)
    for answer in (
        text_client.post(f"{URL}?_action=train&{name}={value}", json=reviews()),
        text_client.put(f"{URL}?{name}={value}"),
        text_client.put(URL, json={name: value}),
    ):
        assert_problem(answer, 400, name)
    assert state(text_client) == before


@pytest.fixture(scope="module")
def text_client(tmp_path_factory, tiny_models):
    """A trained endpoint for requests that must not change it."""
    entry = text_endpoint("sentiment", str(tiny_models / "base"))
    client = build(tmp_path_factory.mktemp("fine_tuning"), {"titanic": titanic_endpoint(), "sentiment": entry})
    assert client.post(TRAIN, json=reviews()).json == {"roc_auc": 1.0}
    return client


def test_an_unknown_argument_is_refused_with_the_nearest(text_client):
    before = state(text_client)
    answer = text_client.post(f"{URL}?_action=train&num_train_epoch=2", json=reviews())
    assert_problem(answer, 400, "num_train_epoch", "'num_train_epochs'")
    assert_problem(text_client.put(f"{URL}?cats=text"), 400, "cats has no meaning for texts")
    assert state(text_client) == before


def test_arguments_are_kept_if_the_training_succeeds(client):
    assert_problem(client.post(f"{URL}?_action=train&num_train_epochs=3&weight_decay=0.5", json=[{"text": "a"}]), 400)
    assert client.get(f"{URL}?_params").json["params"]["params"].keys() == {"model"}
    client.post(TRAIN, json=reviews())
    kept = client.get(f"{URL}?_params").json["params"]["params"]
    assert {name: kept[name] for name in ARGUMENTS} == ARGUMENTS
    assert client.get(f"{URL}?_model").json["params"]["weight_decay"] == 0.01


def test_put_changes_what_the_next_training_does(client, tmp_path):
    answer = client.put(f"{URL}?num_train_epochs=0.5&learning_rate=None&per_device_train_batch_size=32")
    assert (answer.status_code, answer.json["model"]) == (200, "SentimentAnalysis")
    assert answer.json["params"]["num_train_epochs"] == 0.5
    assert answer.json["params"]["learning_rate"] is None
    client.post(f"{URL}?_action=train", json=reviews())
    facts = json.loads((tmp_path / "models" / "sentiment" / "model" / "restimator.json").read_text())
    assert (facts["params"]["num_train_epochs"], facts["params"]["per_device_train_batch_size"]) == (0.5, 32)


@pytest.mark.parametrize("class_", ["SentimentAnalysis", None])
@pytest.mark.parametrize("name", ["/etc", "../sentiment", "someone/elses-model", ""])
def test_a_request_never_names_the_weights(text_client, name, class_):
    before = state(text_client)
    given = {"model": name} | ({"class": class_} if class_ else {})
    for answer in (
        text_client.put(URL, query_string=given),
        text_client.put(URL, json=given),
        text_client.post(URL, query_string=given | {"_action": "train"}, json=reviews()),
        text_client.post(URL, data=given | {"_action": "retrain"}),
    ):
        assert_problem(answer, 400, "configuration")
    assert state(text_client) == before


def test_another_class_of_texts_is_trained_in_its_place_and_back(client):
    assert client.post(TRAIN, json=reviews()).json == {"roc_auc": 1.0}
    before = answers(client)
    assert client.put(f"{URL}?class=NER").json["model"] == "NER"
    assert answers(client) == before, "the model that serves stays until the next training"
    assert client.post(TRAIN, json=journeys()).json["f1"] == 1.0
    assert answers(client, ["anna went to paris"])[0]["labels"][0] == {"start": 0, "end": 4, "label": "PER"}
    assert client.put(f"{URL}?class=SentimentAnalysis&_target_col=label").status_code == 200
    assert client.post(TRAIN, json=reviews()).json == {"roc_auc": 1.0}
    assert answers(client) == before


def test_a_model_of_tables_takes_the_place_of_a_model_of_texts_and_back(client, tmp_path):
    folder = tmp_path / "models" / "sentiment"
    table = [{"x": x, "label": int(x > 4)} for x in range(10)]
    client.post(TRAIN, json=reviews())
    for _ in range(2):
        answer = client.post(f"{URL}?_action=train&class=LogisticRegression&target_col=label", json=table)
        assert answer.status_code == 200, answer.text
        assert client.get(f"{URL}?x=0&x=9").json == [0, 1]
        assert (folder / "model.pkl").exists()
        assert not (folder / "model").exists()
        with client.get(f"{URL}?_download") as download:
            assert download.data == (folder / "model.pkl").read_bytes()
        answer = client.post(f"{TRAIN}&class=SentimentAnalysis&target_col=label", json=reviews())
        assert answer.json == {"roc_auc": 1.0}
        assert answers(client) == ["POSITIVE", "NEGATIVE"] * 2
        assert not (folder / "model.pkl").exists()
        assert (folder / "model" / "model.safetensors").exists()
    assert [path.name for path in folder.glob(".model*") if (folder / "model").resolve() != path] == []


@pytest.mark.parametrize("class_", ["NER", "LinearRegression"])
def test_a_task_answers_in_the_way_of_the_class_that_took_its_place(make, class_):
    client = make(task="sentiment-analysis")
    rows = journeys() if class_ == "NER" else [{"x": x, "labels": x / 2} for x in range(10)]
    assert client.post(f"{URL}?_action=train&class={class_}&target_col=labels", json=rows).status_code == 200
    answer = client.post(URL, json=rows[:3])
    assert answer.status_code == 200
    if class_ == "NER":
        assert [row["text"] for row in answer.json] == [row["text"] for row in rows[:3]]
    else:
        assert answer.json == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize("class_", ["SentimentAnalysis", "NER"])
def test_a_request_makes_no_endpoint_of_tables_fetch_weights(make_client, class_):
    client = make_client({"titanic": titanic_endpoint()})
    for answer in (client.put(f"/titanic?class={class_}"), client.post(f"/titanic?_action=retrain&class={class_}")):
        assert_problem(answer, 400, "is set in the configuration")
    assert client.get("/titanic?_params").json["params"]["class"] == "LogisticRegression"


def test_a_deleted_model_is_gone_until_the_next_training(make, tmp_path):
    client = make("sentiment")
    client.post(f"{URL}?_action=train", json=reviews())
    assert client.delete(f"{URL}?_model").json == {"deleted": ["model"]}
    for query in ("?text=good", "?_model", "?_download"):
        assert_problem(client.get(URL + query), 404, "no trained model")
    assert not (tmp_path / "models" / "sentiment" / "model").exists()
    assert list((tmp_path / "models" / "sentiment").glob(".model*")) == []
    assert client.delete(f"{URL}?_model").json == {"deleted": []}
    again = make("sentiment")
    assert_problem(again.get(f"{URL}?text=good"), 404, "no trained model")
    assert again.post(f"{URL}?_action=retrain").status_code == 200
    assert again.get(f"{URL}?text=good").status_code == 200


def test_pretrained_weights_that_were_deleted_stay_unused(make):
    client = make("sentiment")
    assert answers(client, ["good"])
    assert client.delete(f"{URL}?_model").json == {"deleted": ["model"]}
    for url in (f"{URL}?text=good", f"{URL}?_model", f"{URL}?_download"):
        assert_problem(client.get(url), 404)
    assert_problem(make("sentiment").get(f"{URL}?text=good"), 404)


def test_deleted_rows_leave_the_model(client):
    client.post(TRAIN, json=reviews())
    assert client.delete(f"{URL}?_cache").json == {"deleted": ["cache"]}
    assert client.get(f"{URL}?_cache").json == []
    assert answers(client) == ["POSITIVE", "NEGATIVE"] * 2
    assert_problem(client.post(f"{URL}?_action=score"), 400, "no rows to score")
    assert_problem(client.post(f"{URL}?_action=retrain"), 400, "no training data")


def test_a_restart_keeps_model_rows_and_arguments(make):
    client = make()
    client.post(TRAIN, json=reviews())
    before = state(client)
    assert state(make()) == before


def test_the_download_is_a_folder_that_transformers_loads(client, tmp_path):
    import torch
    import transformers

    client.post(TRAIN, json=reviews(1, 0))
    with client.get(f"{URL}?_download") as answer:
        assert answer.mimetype == "application/zip"
        assert "model.zip" in answer.headers["Content-Disposition"]
        zipfile.ZipFile(io.BytesIO(answer.data)).extractall(tmp_path / "unpacked")
    folder = tmp_path / "unpacked" / "model"
    assert {path.name for path in folder.parent.iterdir()} == {"model"}
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert model.config.id2label == {0: "0", 1: "1"}
    with torch.inference_mode():
        found = [model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0].tolist() for text in NEW]
    expected = [[row["0"], row["1"]] for row in answers(client, _output="proba")]
    assert np.array(found) == pytest.approx(np.array(expected), abs=1e-5)


def test_pretrained_weights_can_be_downloaded(make, tiny_models):
    with make("sentiment").get(f"{URL}?_download") as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.data))
        assert archive.read("model/model.safetensors") == (tiny_models / "sentiment" / "model.safetensors").read_bytes()


def test_a_users_own_folder_is_served_and_replaced_by_a_training(make, tiny_models, tmp_path):
    folder = tmp_path / "models" / "sentiment" / "model"
    labels = ("sad", "merry")
    tiny_model(folder, labels=labels)
    client = make()
    assert set(answers(client)) <= set(labels)
    assert client.get(f"{URL}?_params").json["attrs"]["classes_"] == list(labels)
    own = tiny_model(tmp_path / "other", labels=("up", "down"))
    shutil.rmtree(folder)
    shutil.copytree(own, folder)
    assert set(answers(client)) <= {"up", "down"}, "a folder that a user replaced is served at the next request"
    assert client.post(TRAIN, json=reviews()).json == {"roc_auc": 1.0}
    assert answers(client) == ["POSITIVE", "NEGATIVE"] * 2
    assert folder.is_symlink()
    beside = [path.name for path in folder.parent.glob(".model*")]
    assert beside == [folder.resolve().name]


def test_the_configuration_names_a_folder_to_serve(make_client, tmp_path):
    tiny_model(tmp_path / "mine", labels=("sad", "merry"))
    for model in ({"path": "mine"}, {"path": "mine", "class": "SentimentAnalysis"}):
        client = make_client({"sentiment": {"pattern": URL, "handler": "MLHandler", "kwargs": {"model": model}}})
        assert set(answers(client)) <= {"sad", "merry"}
        assert [set(row) for row in answers(client, _output="proba")] == [{"sad", "merry"}] * 4
        assert client.get("/readyz").status_code == 200


def test_a_training_publishes_at_the_folder_of_the_configuration(make, tmp_path):
    tiny_model(tmp_path / "mine", labels=("sad", "merry"))
    options = {"path": "mine", "class": "SentimentAnalysis"}
    client = make(options=options)
    assert set(answers(client)) <= {"sad", "merry"}
    assert client.post(TRAIN, json=reviews()).json == {"roc_auc": 1.0}
    assert answers(client) == ["POSITIVE", "NEGATIVE"] * 2
    assert (tmp_path / "mine" / "restimator.json").exists()
    assert answers(make(options=options)) == ["POSITIVE", "NEGATIVE"] * 2


def test_int8_answers_nearly_the_same(make):
    client = make(options={"params": {"quantize": "int8"}})
    assert client.post(TRAIN, json=reviews()).json == {"roc_auc": 1.0}
    small = answers(client, _output="proba")
    # The weights are kept as they were trained; the next training's parameters decide nothing for them.
    assert client.put(f"{URL}?quantize=None").status_code == 200
    assert answers(client, _output="proba") == small
    assert client.post(TRAIN, json=reviews()).json == {"roc_auc": 1.0}
    plain = answers(client, _output="proba")
    assert small != plain
    for row, expected in zip(small, plain, strict=True):
        assert row == pytest.approx(expected, abs=0.1)


# The tiny models take 128 tokens.
LONG = ["the movie was " * 60 + word for word in ("great", "boring")]


def test_a_model_trained_on_windows_reads_long_texts_whole(make):
    options = {"params": {"long_texts": "windows"}}
    client = make(options=options)
    assert client.post(TRAIN, json=reviews()).json == {"roc_auc": 1.0}
    found = answers(client, LONG, _output="proba")
    assert abs(found[0]["POSITIVE"] - found[1]["POSITIVE"]) > 0.01
    # The serving model goes on reading as it was trained, whatever the next one will do.
    assert client.put(f"{URL}?long_texts=truncate").json["params"]["long_texts"] == "truncate"
    assert answers(client, LONG, _output="proba") == found
    assert answers(make(options=options), LONG, _output="proba") == found
    assert client.post(TRAIN, json=reviews()).json == {"roc_auc": 1.0}
    cut_off = answers(client, LONG, _output="proba")
    assert cut_off[0] == pytest.approx(cut_off[1], abs=1e-6)


def test_pretrained_weights_read_long_texts_as_the_configuration_says(make):
    beginning = answers(make("sentiment"), LONG, _output="proba")
    assert beginning[0] == pytest.approx(beginning[1], abs=1e-6)
    whole = answers(make("sentiment", options={"params": {"long_texts": "windows"}}), LONG, _output="proba")
    assert abs(whole[0]["POSITIVE"] - whole[1]["POSITIVE"]) > 1e-4


def test_entities_are_found_in_the_beginning_only(make):
    client = make("ner", options={"class": "NER"})
    assert_problem(client.put(f"{URL}?long_texts=windows"), 400, "NER has no parameter 'long_texts'")
