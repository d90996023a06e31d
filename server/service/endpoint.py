"""An endpoint: predict, score, append, train, configure, forget, describe."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import pandas as pd

from server.config import Config
from server.errors import BadRequest, ModelMissing, ModelUnreadable
from server.estimators.scoring import check_metric
from server.jobs import Runner
from server.service.bulk import predicted_in_parts
from server.service.description import described, stale_reasons
from server.service.forgetting import check_forgettable
from server.service.pictures import Pictures, Subject
from server.service.prediction import Prediction, predicted, text_answer_columns
from server.service.preparation import prepare
from server.service.promotion import promote
from server.service.readiness import Readiness
from server.service.recipe import OPTIONS, Options, Recipe
from server.service.run_book import RunBook
from server.service.scoring import scored
from server.service.served_model import ServedModel, text_names
from server.service.settings import Settings
from server.service.source import fill_once, is_missing
from server.service.stored import StoredData
from server.service.stores import open_models, open_store
from server.service.text_rows import shown, storable
from server.service.trainings import Trainings
from server.tables.formats import Upload

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class Endpoint:
    """The use cases of one MLHandler endpoint; safe to call from many threads and processes."""

    def __init__(self, name: str, config: Config, runner: Runner, book: RunBook) -> None:
        self.name = name
        self.config = config
        self.entry = config.models[name]
        self._tells_scores = getattr(self.entry.kwargs, "task", None) == "sentiment-analysis"
        self._book = book
        self._store = open_store(config, name)
        self._models = open_models(config, name, self._store)
        self.settings = Settings(name, config, self._store, self._models)
        self.pictures = Pictures(self._store, self._subject, self._trained_part)
        self.stored = StoredData(self._store.data, self._fill)
        self.trainings = Trainings(name, config, runner, book, self._store, self.settings)
        self.readiness = Readiness(name, self.entry, self._store, self._models, self.trainings.start_first)

    def predict(self, rows: pd.DataFrame, output: str | None = None) -> Prediction:
        """One prediction per row, in the rows' order; no rows and no columns give no predictions.

        Raises:
            ModelMissing, NotReady: there is no model that could answer.
            InvalidRows: a column is missing or a cell does not fit.
        """
        return self.asked(lambda served: self.predicted_by(served, rows, output))

    def predicted_by(self, served: ServedModel, rows: pd.DataFrame, output: str | None = None) -> Prediction:
        """What `predict` answers if this is the serving model."""
        output = self._output(output)
        return predicted(served, rows, output, self._target_name(), self._tells_scores and output != "proba")

    def asked(self, question: Callable[[ServedModel], Answer]) -> Answer:
        """The serving model's answer; a folder of weights that was replaced before they were read is asked anew."""
        served = self._served()
        try:
            return question(served)
        except ModelUnreadable:
            if self._models.current() is served:
                raise
            return question(self._served())

    def predict_parts(
        self, upload: Upload, output: str | None, write: Callable[[Iterator[Prediction]], Answer]
    ) -> Answer | None:
        """What `write` makes of the predictions for a long table, part by part; None if it must be read as a whole.

        `write` may be called twice, and what it makes is to be kept only if it returns.

        Raises:
            As `predict`, and as reading the table: nothing is told before all of it was answered.
        """
        output, limits = self._output(output), self.config.server.limits
        return predicted_in_parts(self._served(), upload, limits, output, self._target_name(), write)

    def predict_few(self, rows: Sequence[Mapping[str, Any]], output: str | None) -> Any | None:
        """What `predict` answers for a few plain rows, without a table of them; None if they need one.

        Raises:
            NotReady: there is a model that cannot be read.
        """
        served = self._models.current()
        if served is None or self._tells_scores:
            return None
        return served.one_row.answers(rows, self.entry.kwargs.output if output is None else output)

    def _output(self, output: str | None) -> str:
        return self.entry.kwargs.output if output is None else output

    def answer_columns(self, served: ServedModel, output: str) -> tuple[str, ...]:
        """What the answers of a text model add to its rows in this form; its weights are not loaded for it."""
        return text_answer_columns(served, output, self._target_name(), self._tells_scores)

    def score(self, rows: pd.DataFrame | None, metric: str | None, target: str | None) -> dict[str, Any]:
        """The model's scores on the rows, or without any on the stored training data.

        Raises:
            BadRequest: the metric is unknown, the target column is missing, or there are no rows.
        """
        check_metric(metric)
        return self.asked(lambda served: self._scores(served, rows, metric, target))

    def _scores(
        self, served: ServedModel, rows: pd.DataFrame | None, metric: str | None, target: str | None
    ) -> dict[str, Any]:
        if rows is None:
            stored = self.stored_rows()
            if stored.empty:
                raise BadRequest("there are no rows to score: post some, or append training data first")
            rows = self._trained_part(stored, served)
        elif not rows.empty:
            rows = served.transformed(rows)
        return scored(served, rows, metric, target or self._target_name())

    def _trained_part(self, stored: pd.DataFrame, served: ServedModel) -> pd.DataFrame:
        """The stored rows and columns as the serving model was trained on them."""
        recipe = self.settings.recipe()
        trained = served.facts.get("options")
        options = Options.from_dict(trained) if trained else recipe.options
        return prepare(stored, options, self.name, served.find_transform(), recipe.text_col).rows

    def stored_rows(self) -> pd.DataFrame:
        """The training data; empty when there is none."""
        self._fill()
        return shown(self._store.data.read(), self.settings.recipe())

    def model_file(self) -> tuple[str, Path | IO[bytes]]:
        """The serving model's name and its file, or the zip of its folder.

        Raises:
            ModelMissing: there is none.
        """
        if self._models.current() is None:
            raise self._missing()
        return self._models.file()

    def append(self, rows: pd.DataFrame) -> dict[str, int]:
        """Add all rows to the training data, or none.

        Raises:
            SchemaConflict: the rows do not fit those stored.
        """
        if rows.empty:
            raise BadRequest("there are no rows to append")
        self._fill()
        rows = storable(rows, self.settings.recipe(), self._store.data.columns())
        with self._store.changing():
            return {"rows": self._store.data.append(rows), "appended": len(rows)}

    def train(self, rows: pd.DataFrame | None, given: Mapping[str, Any]) -> dict[str, Any]:
        """Train, and wait for the answer; see `Trainings.begin` and `Training.answer`."""
        return self.trainings.begin(rows, given).answer() or {}

    def promote(self, run: str) -> dict[str, Any]:
        """Serve the model of an earlier run again; what `describe_model` then says.

        Raises:
            NoSuchRun: there is no such run of this endpoint, or it holds no model.
            RunConflict: it is not finished.
        """
        promote(self._book, self._store, self.name, run)
        return self.describe_model()

    def configure(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change class, parameters and options; what `describe_model` then says.

        Raises:
            UnknownClass, InvalidParameter: nothing is changed.
        """
        return self._described(self.settings.change(given))

    def forget(self, what: Sequence[str], options: Sequence[str] = ()) -> dict[str, list[str]]:
        """Delete the model, the training data ("cache") or changed options ("opts").

        Raises:
            BadRequest: an unknown thing or option; nothing is deleted then.
        """
        check_forgettable(what, options)
        deleted = []
        if "model" in what and self._forget_model():
            deleted.append("model")
        if "cache" in what:
            # What was never filled must not be filled later: it was deleted.
            if not is_missing(self.entry.kwargs.data):
                self._fill()
            with self._store.changing():
                existed = self._store.data.count() > 0
                self._store.data.clear()
            deleted += ["cache"] if existed else []
        if "opts" in what:
            self.settings.forget(options or OPTIONS)
            deleted.append("opts")
        return {"deleted": deleted}

    def _forget_model(self) -> bool:
        with self._store.changing():
            # Told first: a start between the two steps must not train anew.
            existed = self.readiness.served_or_none() is not None or self._store.model.signature() is not None
            if existed:
                self._store.save_state({"state": "deleted"})
                self._store.model.delete()
        return existed

    def describe_model(self) -> dict[str, Any]:
        """Class and all its parameters as it will next be trained.

        Raises:
            ModelMissing: there is no trained model.
        """
        if self._store.model.signature() is None and self._models.current() is None:
            raise self._missing()
        return self._described(self.settings.recipe())

    def describe(self) -> dict[str, Any]:
        """Options, class and parameters; of the serving model what it learned, its run, and whether it is stale."""
        recipe = self.settings.recipe()
        served = self.readiness.served_or_none()
        return {
            "opts": recipe.options.to_dict(),
            "params": {"class": recipe.class_name, "params": recipe.params},
            "attrs": served.estimator.attributes() if served else {},
            "stale": bool(self.stale_reasons(served)),
            "run": served.facts.get("run") if served else None,
            "row_path": served.one_row.to_dict() if served else None,
            "training": self.progress(),
        }

    def progress(self) -> dict[str, Any] | None:
        """How far the running training is: its run, step, of, loss, each None if untold; None if none runs."""
        return self._store.progress()

    def stale_reasons(self, served: ServedModel | None) -> list[str]:
        """What has changed in the configuration since the serving model was trained."""
        return stale_reasons(self.entry, served, self.config.folder)

    def served(self) -> ServedModel | None:
        """The model that serves, if any."""
        return self._models.current()

    def text_columns(self) -> list[str]:
        """Columns known to hold text, in which '007' must stay '007'."""
        served = self._models.current()
        return text_names(self._store.data.columns()) if served is None else served.text_columns

    def stored_text_columns(self) -> list[str]:
        """The text columns of the stored training data, or of those to come."""
        return text_names(self._store.data.columns()) or self.settings.recipe().text_columns

    def prepare(self) -> None:
        """Finish what a death interrupted; train if there is data and a class and no model yet, or a stale one."""
        self._store.recover()
        self._models.fetch_soon()
        self.readiness.retry()
        stale = self.entry.kwargs.retrain_on_change and bool(self.stale_reasons(self.readiness.served_or_none()))
        if stale or self.readiness.wants_first_training():
            self.readiness.start(retrain=stale)

    def _served(self) -> ServedModel:
        served = self._models.current()
        if served is None:
            self.readiness.check()
            raise self._missing()
        return served

    def _subject(self) -> Subject:
        served = self._served()
        self._fill()
        return Subject(served, self.settings.recipe(), self._target_name())

    def _missing(self) -> ModelMissing:
        return ModelMissing(f"{self.name} has no trained model; POST ?_action=train with rows to train one")

    def _described(self, recipe: Recipe) -> dict[str, Any]:
        return described(recipe, self.readiness.served_or_none(), self.config.server.classes)

    def _fill(self) -> None:
        fill_once(self._store, self.entry.kwargs.data, self.config.server.limits, self.settings.recipe)

    def _target_name(self) -> str | None:
        served = self._models.current()
        if served is not None and served.schema.target is not None and served.facts:
            return served.schema.target.name
        return self.settings.recipe().options.target_col
