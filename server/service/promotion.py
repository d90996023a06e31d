"""An earlier run's model serves again."""

import shutil

from server.errors import NoSuchRun, RunConflict
from server.service.run_book import ENDPOINT, RunBook
from server.storage.endpoint_store import EndpointStore
from server.tracking import Status


def promote(book: RunBook, store: EndpointStore, endpoint: str, run_id: str) -> None:
    """Let the run's model serve; training data and settings stay as they are.

    Raises:
        NoSuchRun: there is no such run of this endpoint, or it holds no model.
        RunConflict: it is not finished.
    """
    run = book.run(run_id)
    if run.tags.get(ENDPOINT) != endpoint:
        raise NoSuchRun(f"run {run_id} is not one of {endpoint}, but of {run.tags.get(ENDPOINT)}")
    if run.status is not Status.FINISHED:
        raise RunConflict(f"run {run_id} is {run.status}; only the model of a finished one can serve")
    if (store.model.facts() or {}).get("run") == run_id:
        return
    try:
        fetched = book.fetch_model(run_id, store.stage(run_id))
        store.adopt_model(run_id, fetched)
        store.publish(run_id, None)
        store.forget_published(run_id)
    finally:
        store.discard_unpublished(run_id)
        shutil.rmtree(store.folder / "staging" / run_id, ignore_errors=True)
