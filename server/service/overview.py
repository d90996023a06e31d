"""An endpoint as a person wants to see it: its state, what its model does and from what, and what it could be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import pandas as pd

from server.errors import FirstTrainingFailed, ModelUnreadable, NotReady, ServerError
from server.estimators.base import ModelKind
from server.estimators.timeseries import TimeSeriesEstimator
from server.schema import Column, Kind
from server.service.endpoint import Endpoint
from server.service.recipe import Recipe
from server.service.served_model import ServedModel
from server.service.stored import NOTHING, DataSummary

# What a training usually makes of a table, by what it does; any other class of scikit-learn may be named as well.
USUAL_CLASSES: Mapping[ModelKind, tuple[str, ...]] = {
    ModelKind.CLASSIFIER: (
        "LogisticRegression", "RandomForestClassifier", "HistGradientBoostingClassifier", "GradientBoostingClassifier",
        "ExtraTreesClassifier", "AdaBoostClassifier", "DecisionTreeClassifier", "SVC", "LinearSVC", "SGDClassifier",
        "KNeighborsClassifier", "GaussianNB", "MLPClassifier", "LinearDiscriminantAnalysis", "DummyClassifier",
    ),
    ModelKind.REGRESSOR: (
        "LinearRegression", "Ridge", "Lasso", "ElasticNet", "HuberRegressor", "PoissonRegressor",
        "RandomForestRegressor", "HistGradientBoostingRegressor", "GradientBoostingRegressor", "ExtraTreesRegressor",
        "DecisionTreeRegressor", "SVR", "KNeighborsRegressor", "MLPRegressor", "GaussianProcessRegressor",
        "DummyRegressor",
    ),
    ModelKind.CLUSTERER: ("KMeans", "MiniBatchKMeans", "BisectingKMeans", "Birch"),
    ModelKind.OUTLIER_DETECTOR: ("IsolationForest", "OneClassSVM", "EllipticEnvelope"),
    ModelKind.TRANSFORMER: ("PCA", "TruncatedSVD", "NMF", "FastICA", "StandardScaler"),
    ModelKind.FORECASTER: ("SARIMAX",),
}  # fmt: skip
USUAL_TEXT_CLASSES: Mapping[ModelKind, tuple[str, ...]] = {
    ModelKind.CLASSIFIER: ("SentimentAnalysis",),
    ModelKind.RECOGNIZER: ("NER",),
}
# Something to ask where no text is stored.
EXAMPLE_TEXTS = {
    ModelKind.CLASSIFIER: "A warm and funny film that I would gladly see again.",
    ModelKind.RECOGNIZER: "Anna Smith moved from Paris to the United Nations in New York.",
}


class State(StrEnum):
    """Whether an endpoint answers; beside a training, the model before does, if there is one."""

    TRAINED = "trained"
    PRETRAINED = "pretrained"
    TRAINING = "training"
    NO_MODEL = "no model"
    FAILED = "failed"
    NOT_READY = "not ready"


@dataclass(frozen=True)
class Overview:
    """An endpoint at a glance; None is what its model does not tell.

    `columns` counts those that a row to predict has, `rows` those it was trained on; `texts` says that such a
    row is a text. `pretrained` names weights that serve untrained. `waiting` says that the state will change by
    itself.
    """

    name: str
    state: State
    reason: str | None = None
    waiting: bool = False
    class_name: str | None = None
    kind: ModelKind | None = None
    target: str | None = None
    columns: int | None = None
    texts: bool = False
    score: float | None = None
    score_name: str | None = None
    trained: datetime | None = None
    rows: int | None = None
    run: str | None = None
    pretrained: str | None = None


@dataclass(frozen=True)
class Details:
    """Everything that the page of an endpoint shows, beside its overview.

    `inputs` are the columns of a row to predict, `example` is such a row; `days` names those of its columns whose
    timestamps are dates, `answers` the columns of its answer. `stored_problem` says why there is no summary of
    the stored rows. `is_folder` says that the model is no pickle, but a folder.
    """

    overview: Overview
    recipe: Recipe | None
    stored: DataSummary
    stored_problem: str | None = None
    stale: list[str] = field(default_factory=list)
    inputs: tuple[Column, ...] = ()
    example: dict[str, Any] = field(default_factory=dict)
    days: frozenset[str] = frozenset()
    answers: tuple[str, ...] = ()
    has_probabilities: bool = False
    is_folder: bool = False
    pictures: tuple[str, ...] = ()


def overview(endpoint: Endpoint) -> Overview:
    """The endpoint at a glance; no row is read for it."""
    known = Overview(endpoint.name, *_state(endpoint))
    served = endpoint.readiness.served_or_none()
    if served is None:
        recipe = _recipe(endpoint)
        return _planned(known, recipe) if recipe else known
    trained = served.facts.get("trained")
    return replace(
        known,
        class_name=served.estimator.class_name,
        kind=served.estimator.kind,
        target=served.schema.target.name if served.schema.target else None,
        columns=len(served.inputs),
        texts=served.estimator.reads_texts,
        score=served.facts.get("score"),
        score_name=served.estimator.score_name,
        trained=datetime.fromisoformat(trained) if trained else None,
        rows=served.facts.get("rows"),
        run=served.facts.get("run"),
        pretrained=served.pretrained,
    )


def _planned(known: Overview, recipe: Recipe) -> Overview:
    target, texts = recipe.options.target_col, recipe.text_col is not None
    return replace(known, class_name=recipe.class_name, target=target, texts=texts)


def usual_classes(recipe: Recipe | None) -> Mapping[ModelKind, tuple[str, ...]]:
    """The classes to choose from at an endpoint that learns by this recipe, by what they do."""
    if recipe is None or recipe.text_col is None:
        return USUAL_CLASSES
    if recipe.only_texts:
        kind = ModelKind.CLASSIFIER
        read = USUAL_TEXT_CLASSES[kind] if recipe.may_read_weights else ()
        return {kind: (*USUAL_CLASSES[kind], *read)}
    return USUAL_TEXT_CLASSES


def details(endpoint: Endpoint) -> Details:
    """All that can be told of the endpoint, whatever of it is missing or broken."""
    problem = None
    try:
        stored = endpoint.stored.summary()
    except ServerError as error:
        stored, problem = NOTHING, error.detail
    known = Details(overview(endpoint), _recipe(endpoint), stored, problem)
    served = endpoint.readiness.served_or_none()
    if served is None:
        return known
    kind = served.estimator.kind
    example = _next_step(served) if kind is ModelKind.FORECASTER else _example(served, stored.sample)
    chances = _answer_columns(endpoint, served, example, "proba") if kind is ModelKind.CLASSIFIER else ()
    return replace(
        known,
        stale=endpoint.stale_reasons(served),
        inputs=served.inputs,
        example=example,
        days=_days(served, stored.sample),
        answers=_answer_columns(endpoint, served, example, "values"),
        has_probabilities=bool(chances),
        is_folder=served.estimator.is_folder,
        pictures=endpoint.pictures.names(),
    )


def _state(endpoint: Endpoint) -> tuple[State, str | None, bool]:
    """The state, its reason, and whether it will change by itself."""
    readiness = endpoint.readiness
    try:
        readiness.check()
        served, headless = readiness.served_or_none(), readiness.headless()
    except NotReady as error:
        # Who looks at an endpoint knows its name.
        reason, waiting = error.detail.removeprefix(f"{endpoint.name}: "), error.retry_after is not None
        if isinstance(error, ModelUnreadable):
            return State.NOT_READY, reason, waiting
        failed = State.FAILED if isinstance(error, FirstTrainingFailed) else State.NOT_READY
        return State.TRAINING if waiting else failed, reason, waiting
    if served is None:
        return State.NO_MODEL, f"{headless} has no head for this task yet: train it first" if headless else None, False
    if readiness.retrains():
        before = "pretrained weights answer" if served.is_pretrained else "model before answers"
        return State.TRAINING, f"a training is running; until it is over, the {before}", True
    return State.PRETRAINED if served.is_pretrained else State.TRAINED, None, False


def _recipe(endpoint: Endpoint) -> Recipe | None:
    try:
        return endpoint.settings.recipe()
    except NotReady:
        return None


def _example(served: ServedModel, sample: pd.DataFrame) -> dict[str, Any]:
    """The stored row with the fewest missing cells among the first, or else the middle of what training saw."""
    names = [column.name for column in served.inputs]
    if not names or not set(names) <= set(sample.columns):
        text = EXAMPLE_TEXTS.get(served.estimator.kind) if served.estimator.reads_texts else None
        return {column.name: text or _middle(column) for column in served.inputs}
    rows = sample[names]
    fullest = int(rows.isna().sum(axis=1).to_numpy().argmin())
    row = rows.iloc[[fullest]].astype(object)
    cells = row.where(row.notna(), None).to_dict("records")[0]
    return {str(name): cell for name, cell in cells.items()}


def _next_step(served: ServedModel) -> dict[str, Any]:
    """The timestamp that follows the training, with the middle of what it saw of the exogenous columns."""
    estimator, index = served.estimator, served.schema.index
    assert isinstance(estimator, TimeSeriesEstimator)
    assert index is not None
    following = estimator.timeline.index.shift(1)[-1]
    exogenous = {column.name: _middle(column) for column in served.schema.features}
    return {index.name: following.to_pydatetime(), **exogenous}


def _days(served: ServedModel, sample: pd.DataFrame) -> frozenset[str]:
    """The columns with timestamps at midnight only, as far as the model or else the first stored rows tell."""
    if isinstance(served.estimator, TimeSeriesEstimator):
        index = served.schema.index
        return frozenset({index.name} if index and served.estimator.timeline.in_days else ())
    moments = {
        column.name: pd.to_datetime(pd.Series(column.categories or sample.get(column.name, ()))).dropna()
        for column in served.inputs
        if column.kind is Kind.DATETIME
    }
    return frozenset(name for name, known in moments.items() if len(known) and (known == known.dt.normalize()).all())


def _middle(column: Column) -> Any:
    if column.categories:
        return column.categories[0]
    if column.minimum is None or column.maximum is None:
        return None
    middle = (column.minimum + column.maximum) / 2
    return round(middle) if column.kind is Kind.INTEGER else float(f"{middle:.4g}")


def _answer_columns(endpoint: Endpoint, served: ServedModel, example: dict[str, Any], output: str) -> tuple[str, ...]:
    """The columns of an answer in this form, from the example's; none where there is no such answer."""
    if served.estimator.is_folder:
        return endpoint.answer_columns(served, output)
    if not example:
        return (served.schema.target.name,) if served.schema.target and output == "values" else ()
    try:
        answer = endpoint.predict(pd.DataFrame([example]), output)
    except Exception:  # noqa: BLE001 - a model that a user brought can fail in any way, and its page still helps
        return ()
    return tuple(str(name) for name in answer.frame.columns)
