"""The model that serves: loaded once per process, and again when its file changes."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from server.errors import ModelUnreadable
from server.estimators.base import Estimator
from server.estimators.loading import load_estimator, load_text_model, named, reading
from server.estimators.pretrained import Pretrained
from server.estimators.text_folder import Head
from server.schema import Schema
from server.service.one_row import OFF, TRANSFORMED, OneRow, restored
from server.service.served_model import ServedModel
from server.service.versions import listed, versions, warn_if_other
from server.storage.model_folder import zipped
from server.storage.model_store import ModelStore, Signature

logger = logging.getLogger(__name__)
# Ends the signature of pretrained weights; an inode, which ends others, is never negative.
PRETRAINED = -1


@dataclass(frozen=True)
class Brought:
    """What the configuration says of a model that does not say it itself, because a user brought it."""

    target: str | None = None
    text_col: str | None = None
    index_col: str | None = None
    transform: str | None = None
    folder: Path = Path()
    only_texts: bool = False
    head: Head | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


class ModelCache:
    """The serving model of one endpoint in this process.

    Where none was trained, `pretrained` weights serve, as long as they are `wanted` and have a head. `row_path`
    says whether single rows may be answered without the pipeline.
    """

    def __init__(
        self,
        store: ModelStore,
        brought: Brought,
        pretrained: Pretrained | None = None,
        wanted: Callable[[], bool] = lambda: True,
        row_path: bool = True,
    ) -> None:
        self._store = store
        self._brought = brought
        self._pretrained = pretrained
        self._wanted = wanted
        self._row_path = row_path
        self._loading = threading.Lock()
        self._known: tuple[Signature, ServedModel | None] | None = None
        self._failure: tuple[Signature, str] | None = None

    def current(self) -> ServedModel | None:
        """The model in the file or folder as it is now; None when there is none.

        Raises:
            ModelUnreadable: it does not hold a model that can be read here.
        """
        signature = self._signature()
        known = self._known
        if signature is None:
            self._known = None
            return None
        if known is not None and known[0] == signature:
            return known[1]
        with self._loading:
            return self._load()

    def file(self) -> tuple[str, Path | IO[bytes]]:
        """The name and the file of the model that serves, or the zip of its folder.

        Raises:
            ModelMissing: it was replaced or deleted meanwhile.
            ModelUnreadable: the pretrained weights cannot be had.
        """
        if self._store.signature() is not None:
            location = self._store.location()
        else:
            assert self._pretrained is not None
            location = self._pretrained.folder().path
        if location == self._store.path:
            return location.name, location
        return "model.zip", zipped(location, "model")

    def headless(self) -> str | None:
        """The name of pretrained weights that are here and answer nothing before a training, if that is the case."""
        if self._signature() is None or self.current() is not None or self._pretrained is None:
            return None
        return self._called()

    def fetch_soon(self) -> None:
        """Begin to fetch pretrained weights that are not here yet, if they are to serve."""
        if self._pretrained is not None and self._store.signature() is None and self._wanted():
            self._pretrained.fetch_soon()

    def _signature(self) -> Signature | None:
        try:
            signature = self._store.signature()
        except OSError as error:
            raise self._unreadable(error) from error
        if signature is not None or self._pretrained is None or not self._wanted():
            return signature
        return (*(self._pretrained.signature() or self._refused()), PRETRAINED)

    def _unreadable(self, error: OSError) -> ModelUnreadable:
        return ModelUnreadable(f"the model file {self._store.path} cannot be read: {error.strerror or error}")

    def _refused(self) -> Signature:
        """Raise the reason why the pretrained weights cannot be had; if they came this moment, their signature."""
        assert self._pretrained is not None
        self._pretrained.folder()
        return self._pretrained.signature() or ()

    def _load(self) -> ServedModel | None:
        while True:
            signature = self._signature()
            if signature is None:
                return None
            if self._known is not None and self._known[0] == signature:
                return self._known[1]
            if self._failure is not None and self._failure[0] == signature:
                raise ModelUnreadable(self._failure[1])
            try:
                model = self._read(signature)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._unreadable(error) from error
            except ModelUnreadable as error:
                if self._signature() != signature:
                    continue
                self._failure = signature, error.detail
                raise
            # Facts and pickle are read one after the other: the file must have stayed the same.
            if self._signature() == signature:
                self._known = signature, model
                return model

    def _read(self, signature: Signature) -> ServedModel | None:
        if self._store.signature() is None:
            return self._read_pretrained(signature)
        facts = self._store.facts() or {}
        written_by = facts.get("versions", {})
        path, brought = self._store.location(), self._brought
        if path.is_dir():
            self._store.trust.check_folder(path)
        params = facts["params"] if facts else brought.params
        try:
            estimator = load_estimator(
                path, self._store.vectorizer, brought.only_texts, params, self._store.trust.opened
            )
            with reading(path, "served"):
                schema = Schema.from_dict(facts["schema"]) if facts else estimator.schema(brought.target)
        except ModelUnreadable as error:
            known = (
                f" It was written with {listed(written_by)}; this server has {listed(versions())}."
                if written_by
                else ""
            )
            raise ModelUnreadable(error.detail + "." + known) from error
        if not facts:
            return self._served(estimator, schema, signature)
        if not estimator.is_folder:
            warn_if_other(self._store.path, written_by)
        raw = Schema.from_dict({"features": facts.get("raw") or []}).features
        transform = facts.get("transform")
        one_row = self._one_row(estimator, schema, facts, transform)
        return ServedModel(estimator, schema, signature, facts, transform, raw, brought.folder, one_row=one_row)

    def _one_row(self, estimator: Estimator, schema: Schema, facts: dict[str, Any], transform: str | None) -> OneRow:
        if not self._row_path or transform:
            return OneRow(None, TRANSFORMED if transform else OFF)
        one_row = restored(estimator, schema, facts, facts.get("versions") == versions())
        logger.info("%s: %s", self._store.path, one_row)
        return one_row

    def _read_pretrained(self, signature: Signature) -> ServedModel | None:
        """The model of the pretrained weights; None if they lack the head and so must be trained first."""
        if self._pretrained is None:
            raise FileNotFoundError(self._store.path)
        folder = self._pretrained.folder()
        if folder.head is not self._brought.head:
            return None
        estimator = load_text_model(folder.path, self._brought.only_texts, self._brought.params)
        served = self._served(estimator, estimator.schema(self._brought.target), signature)
        return replace(served, pretrained=self._called())

    def _called(self) -> str:
        """The pretrained weights as people call them."""
        assert self._pretrained is not None
        path = Path(self._pretrained.name)
        return named(path) if path.is_absolute() else self._pretrained.name

    def _served(self, estimator: Estimator, schema: Schema, signature: Signature) -> ServedModel:
        brought = self._brought
        schema, transform = self._renamed(schema), brought.transform
        one_row = self._one_row(estimator, schema, {}, transform)
        return ServedModel(estimator, schema, signature, {}, transform, (), brought.folder, one_row=one_row)

    def _renamed(self, schema: Schema) -> Schema:
        """The column of texts, and that of timestamps, as the configuration calls them; a model need not know."""
        brought = self._brought
        if brought.index_col is not None and schema.index is not None:
            return replace(schema, index=replace(schema.index, name=brought.index_col))
        if brought.text_col is None or len(schema.features) != 1:
            return schema
        return replace(schema, features=(replace(schema.features[0], name=brought.text_col),))
