"""The model that serves: loaded once per process, and again when its file changes."""

import logging
import platform
import threading
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any

from server.errors import ModelUnreadable
from server.estimators.base import Estimator
from server.estimators.foreign import schema_of
from server.estimators.tabular import TabularEstimator
from server.schema import Schema
from server.storage.model_store import ModelStore, Signature

logger = logging.getLogger(__name__)
LIBRARIES = ("scikit-learn", "pandas", "numpy")


@cache
def versions() -> dict[str, str]:
    """The versions that decide whether a pickle reads the same."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


@dataclass(frozen=True)
class ServedModel:
    """A loaded model, its schema and the facts of its training (empty for a model that a user brought)."""

    estimator: Estimator
    schema: Schema
    signature: Signature
    facts: dict[str, Any] = field(default_factory=dict)


class ModelCache:
    """The serving model of one endpoint in this process."""

    def __init__(self, store: ModelStore, target: str | None) -> None:
        self._store = store
        self._target = target
        self._loading = threading.Lock()
        self._model: ServedModel | None = None
        self._failure: tuple[Signature, str] | None = None

    def current(self) -> ServedModel | None:
        """The model in the file as it is now; None when there is no file.

        Raises:
            ModelUnreadable: the file does not hold a model that can be read here.
        """
        signature = self._store.signature()
        if signature is None:
            self._model = None
            return None
        model = self._model
        if model is not None and model.signature == signature:
            return model
        with self._loading:
            return self._load()

    def _load(self) -> ServedModel | None:
        while True:
            signature = self._store.signature()
            if signature is None:
                return None
            if self._model is not None and self._model.signature == signature:
                return self._model
            if self._failure is not None and self._failure[0] == signature:
                raise ModelUnreadable(self._failure[1])
            try:
                model = self._read(signature)
            except FileNotFoundError:
                continue
            except ModelUnreadable as error:
                if self._store.signature() != signature:
                    continue
                self._failure = signature, error.detail
                raise
            # Facts and pickle are read one after the other: the file must have stayed the same.
            if self._store.signature() == signature:
                self._model = model
                return model

    def _read(self, signature: Signature) -> ServedModel:
        facts = self._store.facts() or {}
        written_by = facts.get("versions", {})
        try:
            estimator = TabularEstimator.load(self._store.path)
        except ModelUnreadable as error:
            known = (
                f" It was written with {_listed(written_by)}; this server has {_listed(versions())}."
                if written_by
                else ""
            )
            raise ModelUnreadable(error.detail + "." + known) from error
        if facts:
            self._compare(written_by)
            return ServedModel(estimator, Schema.from_dict(facts["schema"]), signature, facts)
        return ServedModel(estimator, schema_of(estimator.model, self._target), signature)

    def _compare(self, written_by: dict[str, str]) -> None:
        differing = {name: old for name, old in written_by.items() if versions().get(name) != old}
        if differing:
            now = {name: versions().get(name, "none") for name in differing}
            logger.warning(
                "%s was written with %s; this server has %s: retrain to be sure of its predictions",
                self._store.path,
                _listed(differing),
                _listed(now),
            )


def _listed(known: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in known.items())
