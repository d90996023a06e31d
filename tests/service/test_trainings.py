"""Who waits for a training is answered, whatever goes wrong beside it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from server.errors import StorageFull
from server.service.trainings import Trainings
from server.storage.active_runs import ActiveRuns
from server.storage.endpoint_store import EndpointStore
from tests.conftest import ROW, titanic_endpoint

pytestmark = pytest.mark.slow
FULL = StorageFull("no space is left")
ONE_CLASS = [ROW | {"Survived": 0}] * 5


@pytest.mark.parametrize(
    ("broken", "error", "rows", "status"),
    [
        ((ActiveRuns, "give_up"), FULL, ONE_CLASS, 413),
        ((EndpointStore, "discard_unpublished"), FULL, ONE_CLASS, 413),
        ((EndpointStore, "discard_unpublished"), FULL, None, 413),
        ((Trainings, "_settle"), FULL, ONE_CLASS, 400),
        ((Trainings, "_settle"), RuntimeError("no database"), None, 200),
    ],
)
def test_what_fails_at_the_end_of_a_training_keeps_nobody_waiting(
    make_client, monkeypatch, broken, error, rows, status
):
    client = make_client({"titanic": titanic_endpoint()})

    def fails(*_):
        raise error

    with monkeypatch.context() as breaking, ThreadPoolExecutor() as threads:
        breaking.setattr(*broken, fails)
        answer = threads.submit(
            client.post, "/titanic?_action=train" if rows else "/titanic?_action=retrain", json=rows
        )
        assert answer.result(60).status_code == status, answer.result().text
    assert client.post("/titanic?_action=retrain").status_code == 200
