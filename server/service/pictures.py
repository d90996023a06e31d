"""Pictures of the serving model, drawn from the stored rows."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from server.errors import BadRequest, ModelMissing, NotReady
from server.estimators.base import Estimator
from server.estimators.pictures import draw, picture_names
from server.schema import Column
from server.service.recipe import Recipe
from server.service.served_model import ServedModel
from server.storage.endpoint_store import EndpointStore

# Enough to see what a picture can show; more would only cost time and bytes.
MOST_ROWS = 2000
# A text model needs tens of milliseconds for each.
MOST_TEXTS = 200


@dataclass(frozen=True)
class Sitting:
    """The rows that a model is drawn with, kept where its answers cost much: the next picture asks for the same."""

    estimator: Estimator
    features: pd.DataFrame
    target: np.ndarray | None


@dataclass(frozen=True)
class Subject:
    """What is drawn: a model, what would be trained now, and the name of the target."""

    served: ServedModel
    recipe: Recipe
    target: str | None

    def fits(self, stored: Sequence[str]) -> bool:
        """Whether rows with these columns have those of the model, as far as it can be known."""
        served = self.served
        if served.transform and not served.raw:
            return True
        others = [name for name in stored if name != self.target]
        by_position = served.schema.positional and len(others) == len(served.schema.features)
        return by_position or {column.name for column in served.inputs} <= set(stored)


class Pictures:
    """The pictures of one endpoint; those drawn are kept until model, rows, recipe or target change.

    `subject` answers what is to be drawn now, or raises ModelMissing or NotReady; `prepared` makes of stored
    rows those that the model was trained on.
    """

    def __init__(
        self,
        store: EndpointStore,
        subject: Callable[[], Subject],
        prepared: Callable[[pd.DataFrame, ServedModel], pd.DataFrame],
    ) -> None:
        self._store = store
        self._subject = subject
        self._prepared = prepared
        self._drawing = threading.Lock()
        self._state: tuple[object, ...] = ()
        self._drawn: dict[tuple[str, str], bytes] = {}
        self._sitting: Sitting | None = None

    def names(self) -> tuple[str, ...]:
        """The pictures that can be had; none without a model, or where the stored rows lack one of its columns."""
        try:
            subject = self._subject()
        except (ModelMissing, NotReady):
            return ()
        stored = [column.name for column in self._store.data.columns()]
        if not stored or not subject.fits(stored):
            return ()
        made = subject.served.transform is not None  # it may add the target
        has_target = subject.target is not None and (made or subject.target in stored)
        return picture_names(subject.served.estimator, has_target)

    def drawn(self, name: str, shape: str = "usual") -> bytes:
        """A picture as an SVG document, in a shape that `estimators.pictures.draw` knows.

        Raises:
            ModelMissing, NotReady: there is no model that could be drawn.
            BadRequest: there are no rows, they do not fit, or there is no such picture or shape.
        """
        with self._drawing:
            subject = self._subject()
            version = self._store.data.version()
            state = (subject.served.signature, version, subject.recipe, subject.target)
            if state != self._state:
                self._state, self._drawn, self._sitting = state, {}, None
            if (name, shape) not in self._drawn:
                # Names that a model does not have raise, and unknown shapes, so that these stay few.
                sitting = self._sitting or self._sat(name, subject, self._store.data.read(version))
                self._drawn[name, shape] = draw(sitting.estimator, name, sitting.features, sitting.target, shape)
                if sitting.estimator.is_folder:
                    self._sitting = sitting
            return self._drawn[name, shape]

    def _sat(self, name: str, subject: Subject, rows: pd.DataFrame) -> Sitting:
        if rows.empty:
            raise BadRequest("there are no rows to draw from: append training data, or post some with _action=train")
        prepared = self._prepared(rows, subject.served)
        if subject.target not in prepared.columns:
            _refuse_comparison(name, subject)
        estimator = subject.served.estimator
        most = MOST_TEXTS if estimator.is_folder else MOST_ROWS
        features, target = _parsed(sample(prepared, subject.target, most), subject)
        return Sitting(estimator.remembering(), features, target)


def sample(rows: pd.DataFrame, target: str | None, most: int = MOST_ROWS) -> pd.DataFrame:
    """At most so many of the rows that have a target, in their order; the same ones each time.

    They are drawn by lot: equal steps could fall in with a pattern of the rows.

    Raises:
        BadRequest: no row has a target.
    """
    if target in rows.columns:
        rows = rows[rows[target].notna()]
        if rows.empty:
            raise BadRequest(f"no stored row has a value in the target column {target!r}")
    if len(rows) > most:
        rows = rows.sample(most, random_state=0).sort_index()
    return rows.reset_index(drop=True)


def _refuse_comparison(name: str, subject: Subject) -> None:
    with_target, without = (picture_names(subject.served.estimator, known) for known in (True, False))
    if name in with_target and name not in without:
        lacking = f"the stored rows have no column {subject.target!r}" if subject.target else "name it with target_col"
        raise BadRequest(f"{name} compares predictions with a target column; {lacking}")


def _parsed(rows: pd.DataFrame, subject: Subject) -> tuple[pd.DataFrame, np.ndarray | None]:
    schema, target = subject.served.schema, subject.target
    if target is None or target not in rows.columns:
        return schema.parse_features(rows), None
    column = replace(schema.target, name=target) if schema.target else Column.of(target, rows[target])
    # A model of unnamed columns counts them; the target is none of its features.
    others = rows if target in schema.names else rows.drop(columns=target)
    return schema.parse_features(others), replace(schema, target=column).parse_target(rows)
