"""The model that serves: loaded once per process, and again when its file changes."""

import logging
import platform
import threading
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from server.errors import ModelUnreadable, NotReady
from server.estimators.base import Estimator
from server.estimators.loading import load_estimator, reading
from server.schema import Column, Kind, Schema
from server.storage.model_store import ModelStore, Signature
from server.tables.reading import type_cells
from server.tables.transform import Transform, find_transform

logger = logging.getLogger(__name__)
LIBRARIES = ("scikit-learn", "statsmodels", "pandas", "numpy")


@cache
def versions() -> dict[str, str]:
    """The versions that decide whether a pickle reads the same."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


@dataclass(frozen=True)
class ServedModel:
    """A loaded model, its schema and the facts of its training (empty for a model that a user brought).

    Its rows are transformed as those were that it was trained on: `transform` is that of the training, or
    the configuration's for a model that a user brought. `raw` are the columns before the transform.
    """

    estimator: Estimator
    schema: Schema
    signature: Signature
    facts: dict[str, Any] = field(default_factory=dict)
    transform: str | None = None
    raw: tuple[Column, ...] = ()
    folder: Path = Path()

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that rows to predict have, as far as they are known."""
        if not self.transform or not self.raw:
            return self.schema.inputs
        target = self.schema.target.name if self.schema.target else None
        return tuple(column for column in self.raw if column.name != target)

    def find_transform(self) -> Transform | None:
        """The function that the rows go through first, if any.

        Raises:
            NotReady: it cannot be found any more.
        """
        if self.transform is None:
            return None
        try:
            return find_transform(self.transform, self.folder)
        except NotReady as error:
            raise NotReady(f"the model was trained with a transform that is gone: {error.detail}") from error

    def transformed(self, rows: pd.DataFrame, with_target: bool = True) -> pd.DataFrame:
        """The rows after the transform, each in its place; a target is parsed only if it is asked for.

        Raises:
            TransformFailed, InvalidRows: it does not take these rows.
        """
        transform = self.find_transform()
        if transform is None or rows.columns.empty:
            return rows
        if not self.raw and (rows.dtypes == "str").all():
            # Nothing says what these columns hold: they are read as a CSV's would be.
            rows = type_cells(rows)
        raw = self.raw
        if not with_target and self.schema.target is not None:
            unparsed = Column(self.schema.target.name, Kind.ANY)
            raw = tuple(unparsed if column.name == unparsed.name else column for column in raw)
        return transform(rows, raw, aligned=True)

    def features(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What the estimator takes of raw rows, shape (n_rows, n_features).

        Raises:
            InvalidRows, TransformFailed: the rows do not fit.
        """
        return self.schema.parse_features(self.transformed(rows, with_target=False))


class ModelCache:
    """The serving model of one endpoint in this process; `transform` and `folder` are the configuration's."""

    def __init__(
        self,
        store: ModelStore,
        target: str | None = None,
        text_col: str | None = None,
        transform: str | None = None,
        folder: Path = Path(),
        index_col: str | None = None,
    ) -> None:
        self._store = store
        self._target = target
        self._text_col = text_col
        self._transform = transform
        self._folder = folder
        self._index_col = index_col
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
            estimator = load_estimator(self._store.path, self._store.vectorizer, texts=self._text_col is not None)
            with reading(self._store.path, "served"):
                schema = Schema.from_dict(facts["schema"]) if facts else estimator.schema(self._target)
        except ModelUnreadable as error:
            known = (
                f" It was written with {_listed(written_by)}; this server has {_listed(versions())}."
                if written_by
                else ""
            )
            raise ModelUnreadable(error.detail + "." + known) from error
        if not facts:
            return ServedModel(estimator, self._renamed(schema), signature, {}, self._transform, (), self._folder)
        self._compare(written_by)
        raw = Schema.from_dict({"features": facts.get("raw") or []}).features
        return ServedModel(estimator, schema, signature, facts, facts.get("transform"), raw, self._folder)

    def _renamed(self, schema: Schema) -> Schema:
        """The column of texts, and that of timestamps, as the configuration calls them; a model need not know."""
        if self._index_col is not None and schema.index is not None:
            return replace(schema, index=replace(schema.index, name=self._index_col))
        if self._text_col is None or len(schema.features) != 1:
            return schema
        return replace(schema, features=(replace(schema.features[0], name=self._text_col),))

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
