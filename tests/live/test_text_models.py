"""Text models behind two workers: the old weights answer until the new ones are published, whatever dies."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.conftest import titanic_endpoint
from tests.live.conftest import serving
from tests.reviews import NEW, QUERY, journeys, reviews, text_endpoint
from tests.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]
URL = "/sentiment"
# Some seconds of training, so that there is something to see meanwhile.
LONG = "&num_train_epochs=10&per_device_train_batch_size=1&learning_rate=0.001"
# Seconds between a client's requests: sixteen that never rest take the processor from the training they look at.
REST = 0.5
RIGHT = ["POSITIVE", "NEGATIVE"] * 2
SWAPPED = ["sad", "merry"] * 2


@pytest.fixture(scope="module")
def server(tmp_path_factory, tiny_models):
    """Two endpoints of text models without a head, and a table's."""
    base = str(tiny_models / "base")
    entries = {
        "sentiment": text_endpoint("sentiment", base),
        "ner": text_endpoint("ner", base, options={"class": "NER"}),
        "titanic": titanic_endpoint(),
    }
    with pytest.MonkeyPatch.context() as patch:
        # Tiny weights on two threads mostly wait, the more the busier the machine is.
        patch.setenv("OMP_NUM_THREADS", "1")
        with serving(tmp_path_factory.mktemp("texts"), entries) as server:
            yield server


@pytest.fixture
def live(server):
    """The server once nothing trains any more; its text models are those of the test before."""
    server.wait_for_trainings(0)
    return server


def train(live, rows, query=QUERY, url=URL, action="train"):
    return requests.post(f"{live.url}{url}?_action={action}{query}", json=rows, timeout=300)


def answers(live, texts=NEW, url=URL):
    return requests.get(live.url + url, params={"text": list(texts)}, timeout=120)


def sampled(live, count=24):
    """What so many new connections are answered: gunicorn gives them to any worker."""
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda _: answers(live).json(), range(count)))


def progress(live):
    return requests.get(f"{live.url}{URL}?_params", timeout=120).json()["training"]


def in_background(*arguments, **options):
    return ThreadPoolExecutor(1).submit(train, *arguments, **options)


def wait_for_progress(live, beyond=0, seconds=120):
    return until(
        lambda: told if (told := progress(live)) is not None and (told["step"] or 0) > beyond else None, seconds
    )


def model_files(live):
    folder = live.config.parent / "models" / "sentiment"
    return {path.name for path in folder.iterdir() if "model" in path.name}


def test_the_old_weights_answer_until_the_new_ones_do_in_every_worker(live):
    assert train(live, reviews()).json() == {"roc_auc": 1.0}
    assert sampled(live) == [RIGHT] * 24
    swapped = reviews("sad", "merry")
    training = in_background(live, swapped, LONG)
    first = wait_for_progress(live)
    assert (first["of"], set(first)) == (400, {"run", "step", "of", "loss"})
    seen = []
    while not training.done():
        answer = answers(live)
        assert answer.status_code == 200
        if progress(live) is not None:
            seen.append(answer.json())
        time.sleep(0.02)
    assert training.result().json() == {"roc_auc": 1.0}
    # The run ends, and is told no more, a moment after the new weights have begun to answer.
    old = [answer == RIGHT for answer in seen]
    assert sum(old) > 5
    assert old == sorted(old, reverse=True)
    assert all(answer in (RIGHT, SWAPPED) for answer in seen)
    assert sampled(live) == [SWAPPED] * 24
    assert progress(live) is None


def test_progress_grows_while_a_training_runs_and_is_gone_after_it(live):
    training = in_background(live, reviews(), LONG)
    one = wait_for_progress(live)
    other = wait_for_progress(live, beyond=one["step"])
    assert one["run"] == other["run"]
    assert 0 < one["step"] < other["step"] <= other["of"] == 400
    assert other["loss"] >= 0
    assert training.result().status_code == 200
    assert progress(live) is None


def test_two_trainings_at_once_come_one_after_the_other(live):
    train(live, reviews(), "&num_train_epochs=0.1")
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(train, live, reviews(*labels)) for labels in (("up", "down"), ("sad", "merry"))]
        done = [one.result() for one in both]
    assert [answer.json() for answer in done] == [{"roc_auc": 1.0}] * 2
    last = sampled(live)
    assert last[0] in (["up", "down"] * 2, ["sad", "merry"] * 2)
    assert last == [last[0]] * 24
    stored = requests.get(f"{live.url}{URL}?_cache", timeout=60).json()
    assert {row["label"] for row in stored} == set(last[0])
    assert len(model_files(live)) == 2


def test_clients_are_answered_by_one_whole_model_while_trainings_publish(live):
    """Each training has labels of its own, of which an answer must hold no others."""
    kinds = [("a", "b"), ("c", "d"), ("e", "f")]
    told_before = len(live.log.read_text())
    assert train(live, reviews(*kinds[0])).status_code == 200
    stop, wrong, seen = threading.Event(), [], set()

    def ask() -> None:
        while not stop.is_set():
            answer = answers(live)
            found = tuple(answer.json()) if answer.status_code == 200 else ()
            seen.add(found)
            if found not in {(good, bad) * 2 for good, bad in kinds}:
                wrong.append((answer.status_code, answer.text))
            time.sleep(REST)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    trained = [train(live, reviews(*kinds[number % 3])) for number in range(1, 6)]
    stop.set()
    for thread in threads:
        thread.join(120)
    assert [answer.status_code for answer in trained] == [200] * 5
    assert wrong == []
    assert len(seen) == 3
    assert "Traceback" not in live.log.read_text()[told_before:]


def test_a_training_that_is_killed_leaves_the_old_model_and_nothing_else(live):
    train(live, reviews())
    before, files = sampled(live, 4), model_files(live)
    training = in_background(live, reviews("sad", "merry"), LONG)
    wait_for_progress(live)
    (child,) = live.trainings()[-1:]
    os.kill(child, signal.SIGKILL)
    answer = training.result()
    assert answer.status_code == 500
    assert answer.json()["title"] == "Training failed"
    assert sampled(live, 4) == before
    assert progress(live) is None
    assert model_files(live) == files
    assert {row["label"] for row in requests.get(f"{live.url}{URL}?_cache", timeout=60).json()} == {
        "POSITIVE",
        "NEGATIVE",
    }
    assert train(live, reviews("up", "down")).json() == {"roc_auc": 1.0}
    assert sampled(live, 4) == [["up", "down"] * 2] * 4


def test_a_server_that_is_killed_in_a_training_serves_the_old_model_after_it(live):
    train(live, reviews())
    training = in_background(live, reviews("sad", "merry"), LONG)
    wait_for_progress(live)
    live.kill()
    with pytest.raises(requests.RequestException):
        training.result()
    live.start(ready=False)
    assert sampled(live, 8) == [RIGHT] * 8
    assert train(live, reviews("up", "down")).json() == {"roc_auc": 1.0}


def test_entities_and_tables_are_served_beside(live):
    assert train(live, journeys(), url="/ner").json()["f1"] == 1.0
    found = answers(live, ["anna went to paris"], "/ner").json()
    assert found == [{"text": "anna went to paris", "labels": journeys_of_anna()}]
    live.restart()
    assert answers(live, ["anna went to paris"], "/ner").json() == found
    assert requests.post(f"{live.url}/titanic?_action=score", timeout=60).status_code == 200


def journeys_of_anna():
    return next(row["labels"] for row in journeys() if row["text"] == "anna went to paris")
