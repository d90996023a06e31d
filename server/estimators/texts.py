"""Text models behind the interface: features are one column of texts, and the model file is a folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from server.errors import BadRequest, InvalidRows, NoScore, Problem, and_more
from server.estimators.attributes import learned_attributes
from server.estimators.base import Estimator, ModelKind, Report, ignore
from server.estimators.documents import TEXT_COL
from server.estimators.entities import NER, Found
from server.estimators.entity_scores import entity_scores
from server.estimators.parameters import build, plain_parameters
from server.estimators.sentiment import SentimentAnalysis
from server.estimators.spans import Entity, WrongEntities, parse_entities
from server.estimators.tabular import TabularEstimator
from server.estimators.text_class import TextClass
from server.estimators.text_folder import TextFolder
from server.schema import Column, Kind, Schema, pointer


class TextEstimator(Estimator):
    """What both families have in common: a class that reads texts, trained here or read from a folder."""

    text_class: ClassVar[type[TextClass]]
    is_folder = True
    reads_texts = True

    def __init__(self, model: Any) -> None:
        self._model = model

    @classmethod
    def holds(cls, model: object) -> bool:
        return isinstance(model, TextFolder) and model.head is cls.text_class.head

    @classmethod
    def of(cls, model: Any, params: Mapping[str, Any] | None = None) -> Self:
        return cls(cls.text_class.from_folder(model, params))

    @classmethod
    def from_texts(cls, params: Mapping[str, Any]) -> Self:
        """A model to be trained.

        Raises:
            InvalidParameter: the parameters do not fit.
        """
        return cls(build(cls.text_class, params))

    @property
    def model(self) -> Any:
        return self._model

    @property
    def estimator(self) -> Any:
        return self._model

    @property
    def class_name(self) -> str:
        return type(self.model).__name__

    @property
    def defect(self) -> str | None:
        return self.model.defect

    @property
    def is_row_by_row(self) -> bool:
        # Texts are padded to the longest of their batch, and a network's last digits follow from that.
        return False

    def parameters(self) -> dict[str, Any]:
        return plain_parameters(self.model)

    def attributes(self) -> dict[str, Any]:
        return learned_attributes(self.model)

    def save(self, path: Path) -> None:
        self.model.save(path)


class SentimentEstimator(TextEstimator, TabularEstimator):
    """A fine-tuned or pretrained classifier of texts."""

    text_class = SentimentAnalysis

    def remembering(self) -> Self:
        return type(self)(self.model.remembering())

    @property
    def score_name(self) -> str:
        return "ROC AUC"

    def schema(self, target: str | None) -> Schema:
        labels = Column.of(target or SentimentAnalysis.target_col, pd.Series(self.model.classes_), categorical=True)
        return Schema((Column(TEXT_COL, Kind.TEXT),), labels)

    def fit(self, features: pd.DataFrame, target: np.ndarray | None, report: Report = ignore) -> None:
        self._check_target(target)
        assert target is not None
        self.model.fit(self._taken(features), target, report)

    def scores(self, features: pd.DataFrame, target: np.ndarray | None, metric: str | None = None) -> dict[str, Any]:
        return {"score" if metric else "roc_auc": self.score(features, target, metric)}

    def score(self, features: pd.DataFrame, target: np.ndarray | None, metric: str | None = None) -> float:
        if target is not None:
            self.model.check_known(target)
        if metric is not None or target is None:
            return super().score(features, target, metric)
        return roc_auc(target, self.model.predict_proba(self._taken(features)), self.model.classes_)

    def _taken(self, features: pd.DataFrame) -> list[str]:
        return texts_of(features)


class EntityEstimator(TextEstimator):
    """A fine-tuned or pretrained recognizer of entities; a target is a list of entities for each text."""

    text_class = NER

    @property
    def kind(self) -> ModelKind:
        return ModelKind.RECOGNIZER

    def schema(self, target: str | None) -> Schema:
        return Schema((Column(TEXT_COL, Kind.TEXT),), Column(target or NER.target_col, Kind.NESTED))

    def fit(self, features: pd.DataFrame, target: np.ndarray | None, report: Report = ignore) -> None:
        assert target is not None
        texts = texts_of(features)
        self.model.fit(texts, entities_of(texts, target), report)

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """For each row its text and the entities in it."""
        return self._told(features, lambda found: found.entity.to_dict())

    def predict_proba(self, features: pd.DataFrame) -> pd.DataFrame:
        """As `predict`, each entity with the probabilities of all types."""
        return self._told(features, lambda found: found.entity.to_dict() | {"proba": found.probabilities})

    def score(self, features: pd.DataFrame, target: np.ndarray | None, metric: str | None = None) -> float:
        return float(next(iter(self.scores(features, target, metric).values())))

    def scores(self, features: pd.DataFrame, target: np.ndarray | None, metric: str | None = None) -> dict[str, Any]:
        if target is None:
            raise NoScore("the score compares with entities, and there is no target column")
        if metric not in (None, *ENTITY_METRICS):
            raise BadRequest(f"{metric} cannot be had for {self.class_name}; known: {', '.join(ENTITY_METRICS)}")
        texts = texts_of(features)
        true = self.model.snapped(texts, entities_of(texts, target))
        found = entity_scores(true, self.model.predict(texts))
        return found if metric is None else {"score": found[metric]}

    def _told(self, features: pd.DataFrame, told: Callable[[Found], dict[str, Any]]) -> pd.DataFrame:
        texts = texts_of(features)
        labels = [[told(found) for found in row] for row in self.model.predict_proba(texts)]
        return pd.DataFrame({"text": texts, "labels": pd.Series(labels, dtype=object)})


ENTITY_METRICS = ("precision", "recall", "f1")
TEXT_FAMILIES: dict[type, type[TextEstimator]] = {
    family.text_class: family for family in (SentimentEstimator, EntityEstimator)
}


def texts_of(features: pd.DataFrame) -> list[str]:
    """The texts of the one column.

    Raises:
        InvalidRows: one is missing or blank.
    """
    name, cells = features.columns[0], features.iloc[:, 0]
    refuse_blank(name, [row for row, cell in enumerate(cells) if not isinstance(cell, str) or not cell.strip()])
    return cells.tolist()


def refuse_blank(name: str, rows: Sequence[int]) -> None:
    """Accept that no row of the column has an empty text.

    Raises:
        InvalidRows: these have, counted from 0.
    """
    if rows:
        problems = [Problem(pointer(row, name), "the text is empty") for row in rows]
        raise InvalidRows(f"row {rows[0] + 1}, {name}: the text is empty{and_more(problems)}", problems[:20])


def refuse_wrong(problems: Sequence[Problem]) -> None:
    """Accept that there are no problems.

    Raises:
        InvalidRows: there are; the sentence is the first one's.
    """
    if problems:
        raise InvalidRows(problems[0].detail + and_more(problems), problems[:20])


def entities_of(texts: Sequence[str], cells: np.ndarray) -> list[tuple[Entity, ...]]:
    """The entities of each text.

    Raises:
        InvalidRows: a cell is no list of entities, or not of this text.
    """
    found, problems = [], []
    for row, (text, cell) in enumerate(zip(texts, cells, strict=True)):
        try:
            found.append(parse_entities(cell, text))
        except WrongEntities as error:
            problems.append(Problem(pointer(row, NER.target_col), f"row {row + 1}: {error}"))
    refuse_wrong(problems)
    return found


def roc_auc(target: np.ndarray, probabilities: np.ndarray, classes: np.ndarray) -> float:
    """The area under the ROC curve: of two classes that of the last; of more, the mean of each against the rest.

    Classes that no row, or every row, belongs to have no curve, and do not count.

    Raises:
        NoScore: no class has one.
    """
    counted = list(enumerate(classes.tolist()))
    members = [(probabilities[:, index], target == label) for index, label in counted[-1 if len(counted) == 2 else 0 :]]
    areas = [roc_auc_score(member, score) for score, member in members if 0 < member.sum() < len(member)]
    if not areas:
        raise NoScore("roc_auc compares rows of different labels, and these all have the same")
    return float(np.mean(areas))
