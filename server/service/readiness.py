"""Whether an endpoint can answer, and if not, why: told alike by every worker."""

import logging
import threading
import time
from collections.abc import Callable

from server.config import ModelEntry, without_secrets
from server.errors import FirstTrainingFailed, ModelUnreadable, NotReady, ServerError, WeightsMissing
from server.estimators.catalogue import TEXT_CLASSES
from server.service.served_model import ServedModel
from server.service.serving import ModelCache
from server.service.source import is_missing
from server.storage.endpoint_store import EndpointStore

logger = logging.getLogger(__name__)
RETRY_AFTER = 2


class Readiness:
    """The state of one endpoint, and its first training, which starts by itself."""

    def __init__(
        self,
        name: str,
        entry: ModelEntry,
        store: EndpointStore,
        models: ModelCache,
        train: Callable[[bool], None],
    ) -> None:
        self._name = name
        self._entry = entry
        self._store = store
        self._models = models
        self._train = train
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._created = time.time()
        self._obstacle: str | None = None

    def reason(self) -> str | None:
        """Why predictions cannot be answered; None if they can, or if nothing is configured yet."""
        try:
            self.check()
        except NotReady as error:
            return error.detail
        return None

    def defect(self) -> str | None:
        """Why the endpoint cannot be made ready by waiting; None if it is, or soon will be."""
        try:
            self.check(start=False)
        except NotReady as error:
            soon = error.retry_after and not isinstance(error, WeightsMissing)
            return None if soon else error.detail
        return None

    def check(self, start: bool = True) -> None:
        """Pass if the endpoint can answer, or has nothing to answer with because nobody asked it to.

        A first training that is due and that nobody runs is begun, unless `start` is false.

        Raises:
            NotReady: what is configured cannot be had (yet).
        """
        served = self._current(start)
        if served is not None and not served.is_pretrained:
            return
        state = self._store.state()
        if state.get("state") == "failed":
            raise FirstTrainingFailed(f"{self._name}: the first training failed: {state.get('reason')}")
        if served is not None:
            # Pretrained weights serve until the training that the configuration wants is over.
            if start and self.wants_first_training() and not self._store.training.is_held():
                self.start()
            return
        if state.get("state") == "deleted":
            return
        if self._lacks_source():
            source = self._entry.kwargs.data
            url = without_secrets(source.url) if source else ""
            raise NotReady(f"{self._name}: data.url {url} does not exist, and there is no model yet")
        path = self._entry.kwargs.model.path
        if path and not self._entry.model_class and self._entry.kwargs.data is None:
            raise NotReady(f"{self._name}: model.path {path} does not exist")
        if self.wants_first_training():
            if start and not self._store.training.is_held():
                self.start()
            how = f"could not begin: {self._obstacle}" if self._obstacle else "is running"
            raise NotReady(f"{self._name}: the first training {how}; ask again soon", retry_after=RETRY_AFTER)

    def _current(self, fetch: bool) -> ServedModel | None:
        """The serving model, if it is all there; weights that are not are fetched, unless `fetch` is false.

        Raises:
            NotReady: it cannot answer.
        """
        try:
            served = self._models.current()
        except NotReady:
            if fetch:
                self._models.fetch_soon()
            raise
        if served is not None:
            served.find_transform()
            if served.estimator.defect:
                raise ModelUnreadable(served.estimator.defect)
        return served

    def retrains(self) -> bool:
        """Whether a training runs while the model before it serves.

        Asking can turn a first training away, which does not wait. Where a trained model serves none is needed,
        and where pretrained weights do, `check` begins it anew.
        """
        return self.served_or_none() is not None and self._store.is_training()

    def served_or_none(self) -> ServedModel | None:
        """The serving model; None also when it cannot be read."""
        try:
            return self._models.current()
        except ModelUnreadable:
            return None

    def headless(self) -> str | None:
        """The name of pretrained weights that answer nothing before a training; None if there are no such."""
        return self._models.headless()

    def wants_first_training(self) -> bool:
        """Whether data and a class are there, and no model has been trained or deleted yet.

        A text model is trained by itself only on the configuration's data: rows that were appended to be learned
        from one day need not take the place of pretrained weights now.
        """
        if self._store.model.signature() is not None or self._store.state().get("state") == "deleted":
            return False
        source = self._entry.kwargs.data
        if not self._entry.model_class:
            return False
        if source and source.url and not is_missing(source):
            return True
        has_data = self._store.data.exists() or (self._store.folder / "data.h5").exists()
        return has_data and self._entry.model_class not in TEXT_CLASSES

    def start(self, retrain: bool = False) -> None:
        """Begin the first training (or a retraining) in the background, unless this process has begun it."""
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            if not retrain and not self.wants_first_training():
                # It was over a moment ago.
                return
            self._thread = threading.Thread(
                target=self._run, args=(retrain,), name=f"first training of {self._name}", daemon=True
            )
            self._thread.start()

    def retry(self) -> None:
        """Forget that the first training failed before this start: what was wrong may have been mended."""
        state = self._store.state()
        if state.get("state") == "failed" and state.get("at", 0) < self._created:
            self._store.save_state({})

    def _run(self, retrain: bool) -> None:
        try:
            self._train(retrain)
        except Exception as error:  # noqa: BLE001 - told by every later answer
            reason = error.detail if isinstance(error, ServerError) else repr(error)
            logger.error("%s: %s failed: %s", self._name, "retraining" if retrain else "the first training", reason)
            if isinstance(error, NotReady) and error.retry_after is not None:
                # Such as a store of runs that is down: who asks again begins again.
                self._obstacle = reason
            elif not retrain and self._store.model.signature() is None:
                self._remember(reason)
        else:
            self._obstacle = None

    def _remember(self, reason: str) -> None:
        try:
            self._store.save_state({"state": "failed", "reason": reason, "at": time.time()})
        except (ServerError, OSError):
            logger.exception("%s: the failure could not be written down", self._name)

    def _lacks_source(self) -> bool:
        has_data = self._store.data.exists() or (self._store.folder / "data.h5").exists()
        return is_missing(self._entry.kwargs.data) and not has_data
