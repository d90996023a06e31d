"""The pretrained weights that an endpoint's params.model names: a folder, or a model of the hub."""

import logging
import time
from pathlib import Path
from threading import Lock, Thread

from server.errors import ServerError, WeightsMissing
from server.estimators.hub import cached, check_name, fetch, snapshot
from server.estimators.text_folder import TextFolder, check_installed, marks, read_folder

logger = logging.getLogger(__name__)

# Class → the model that it starts from, at the revision that transformers' own pipelines pin.
DEFAULTS = {
    "SentimentAnalysis": ("distilbert/distilbert-base-uncased-finetuned-sst-2-english", "714eb0f"),
    "NER": ("dbmdz/bert-large-cased-finetuned-conll03-english", "4c53496"),
}
REVISIONS = dict(DEFAULTS.values())
PAUSE = 60  # seconds from a failed fetch to the next
ASK_AGAIN = 5  # seconds, told to clients while a fetch is under way


class Pretrained:
    """A folder in transformers' format, by its absolute path, or a model of the hub, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.revision = REVISIONS.get(name)
        self._local = Path(name) if Path(name).is_absolute() else None
        self._whole: tuple[int, ...] | None = None
        self._lock = Lock()
        self._fetching: Thread | None = None
        self._failure: ServerError | None = None
        self._failed_at = 0.0

    def signature(self) -> tuple[int, ...] | None:
        """Changes when a file of the model is replaced; None while it is not on this machine. Opens nothing."""
        if self._local:
            return marks(self._local)
        folder = snapshot(self.name, self.revision)
        found = marks(folder) if folder else None
        # The cache's folder is there from the first file on. It is looked into once for each state that it has.
        if found != self._whole and cached(self.name, self.revision) is None:
            return None
        self._whole = found
        return found

    def folder(self) -> TextFolder:
        """The folder's description.

        Raises:
            ModelUnreadable: the model cannot be used; the sentence says why and what to do.
            WeightsMissing: it is not on this machine.
        """
        check_installed()
        if self._local:
            return read_folder(self._local)
        check_name(self.name)
        if path := cached(self.name, self.revision):
            return read_folder(path, called=repr(self.name))
        with self._lock:
            if self._alive() or self._failure is None:
                state = "is being fetched" if self._alive() else "is yet to be fetched"
                raise WeightsMissing(
                    f"{self.name!r} is no folder, and {state} from the hub; ask again soon", retry_after=ASK_AGAIN
                )
            raise WeightsMissing(f"the model is not on this machine: {self._failure.detail}")

    def need(self) -> TextFolder:
        """The folder's description; the model is fetched first, which may take minutes, if it is not on this machine.

        Raises:
            ModelUnreadable: as `folder`, or it cannot be fetched.
            StorageFull: the disk has no room for it.
        """
        if not self._local and cached(self.name, self.revision) is None:
            fetch(self.name, self.revision)
        return self.folder()

    def fetch_soon(self) -> None:
        """Start to fetch the model in the background, unless it is here, on its way, or has just failed to come."""
        if self._local or self.signature() is not None:
            return
        with self._lock:
            if self._alive() or (self._failure and time.monotonic() - self._failed_at < PAUSE):
                return
            self._fetching = Thread(target=self._fetch, name=f"fetch {self.name}", daemon=True)
            self._fetching.start()

    def _alive(self) -> bool:
        return self._fetching is not None and self._fetching.is_alive()

    def _fetch(self) -> None:
        failure: ServerError | None = None
        try:
            fetch(self.name, self.revision)
            logger.info("%s: fetched from the hub", self.name)
        except ServerError as error:
            failure = error
            logger.warning("%s", error.detail)
        with self._lock:
            self._failure, self._failed_at = failure, time.monotonic()
