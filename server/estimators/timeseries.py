"""Time series: statsmodels' SARIMAX behind the interface. Rows are matched by timestamp, whatever their order."""

import logging
import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from server.errors import BadRequest, InvalidRows, ModelUnreadable, Problem, UntrainableRows
from server.estimators.attributes import plain
from server.estimators.base import Estimator, ModelKind, Report, ignore
from server.estimators.parameters import build, plain_parameters
from server.estimators.sarimax import SARIMAX
from server.estimators.scoring import score_of_values
from server.estimators.timeline import Timeline
from server.schema import Column, Kind, Schema, pointer

logger = logging.getLogger(__name__)
RESULTS = ("SARIMAXResultsWrapper", "SARIMAXResults")
FITTED = ("aic", "aicc", "bic", "hqic", "llf", "mae", "mse", "sse", "nobs")
# statsmodels keeps a covariance of states for each step: about 140 bytes for each of its cells in a training, 30 in a
# forecast, and 190 in the model file.
MOST_CELLS = 10_000_000
CLOCK = ("Date:", "Time:")
PER_PARAMETER = ("params", "bse", "zvalues", "pvalues")


class TimeSeriesEstimator(Estimator):
    """A SARIMAX model; once fitted, `results` is what statsmodels returned."""

    def __init__(self, specification: SARIMAX, results: Any = None) -> None:
        self.specification = specification
        self.results = results

    @classmethod
    def create(cls, params: Mapping[str, Any]) -> Self:
        """An unfitted model.

        Raises:
            InvalidParameter: the parameters do not fit together.
        """
        return cls(build(SARIMAX, params))

    @classmethod
    def holds(cls, model: object) -> bool:
        return type(model).__module__.startswith("statsmodels.tsa.")

    @classmethod
    def of(cls, model: Any) -> Self:
        if type(model).__name__ not in RESULTS:
            raise ModelUnreadable(f"{type(model).__name__} is not served; of statsmodels' time series, SARIMAX is")
        if model.model.endog is None:
            raise ModelUnreadable("the time series model lacks its data, as after remove_data(), and cannot forecast")
        if model.model.simple_differencing:
            raise ModelUnreadable(
                "the time series model was fitted with simple_differencing: its predictions are differences, not values"
            )
        index = _index_of(model)
        if isinstance(index, pd.PeriodIndex):
            raise ModelUnreadable(
                "the time series model was fitted on periods; fit it on timestamps, by to_timestamp()"
            )
        if not isinstance(index, pd.DatetimeIndex):
            raise ModelUnreadable("the time series model was fitted without timestamps at a fixed frequency")
        kept = {name: model.model._get_init_kwds().get(name) for name in SARIMAX().get_params()}
        kept |= {"freq": Timeline.of(index).freq}
        return cls(SARIMAX(**{name: value for name, value in kept.items() if value is not None}), model)

    def schema(self, target: str | None) -> Schema:
        """The exogenous columns, the endogenous one, and the timestamps by the name that they had in training."""
        model = self.results.model
        features = tuple(Column(name, Kind.NUMBER) for name in model.exog_names[: model.k_exog] or ())
        name = str(self.timeline.index.name or "index")
        return Schema(features, Column(target or model.endog_names, Kind.NUMBER), index=Column(name, Kind.DATETIME))

    @property
    def kind(self) -> ModelKind:
        return ModelKind.FORECASTER

    @property
    def class_name(self) -> str:
        return "SARIMAX"

    @property
    def model(self) -> Any:
        return self.results

    @property
    def estimator(self) -> Any:
        return self.results

    @property
    def timeline(self) -> Timeline:
        """The timestamps of the training, at the frequency of the model."""
        return Timeline.of(_index_of(self.results))

    def fit(self, features: pd.DataFrame, target: np.ndarray | None, report: Report = ignore) -> None:
        if target is None:
            raise UntrainableRows("SARIMAX learns to predict a column; name it with target_col")
        if target.dtype == object:
            raise UntrainableRows("the target holds text, and SARIMAX predicts numbers")
        timeline = Timeline.spanning(pd.DatetimeIndex(features.index), self.specification.freq)
        observed = pd.Series(target.astype(np.float64), index=features.index, name="target").reindex(timeline.index)
        exogenous = self._exogenous(features, observed)
        self._refuse_size(len(timeline.index), len(features.columns))
        # 40 MB and more than a second that only time series need.
        from statsmodels.tsa.statespace import sarimax as statespace

        params = {name: value for name, value in self.specification.get_params().items() if name != "freq"}
        params |= {name: tuple(params[name]) for name in ("order", "seasonal_order")}
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                self.results = statespace.SARIMAX(observed, exogenous, **params).fit(disp=False)
        except (ValueError, TypeError, IndexError, ArithmeticError, np.linalg.LinAlgError) as error:
            raise UntrainableRows(f"SARIMAX cannot be trained on these rows: {error}") from error
        for message in {str(warning.message) for warning in told}:
            logger.warning("SARIMAX: %s", message)

    def _refuse_size(self, steps: int, exogenous: int) -> None:
        states = self.specification.states(exogenous)
        most = _most_steps(states)
        if steps > most:
            raise UntrainableRows(
                f"{steps} steps are too many for a model of {states} states, which learns from {most} at most; "
                "give fewer rows, a coarser frequency, or a shorter season"
            )

    def _exogenous(self, features: pd.DataFrame, observed: pd.Series) -> pd.DataFrame | None:
        """The exogenous values on the timeline. Where nothing was observed they do not matter, but must be numbers."""
        if features.columns.empty:
            return None
        for name in features.columns:
            if features[name].dtype == object:
                raise UntrainableRows(
                    f"the exogenous column {name!r} holds text; exclude it, or let a transform make numbers of it"
                )
            if features[name].isna().any():
                raise UntrainableRows(
                    f"the exogenous column {name!r} has missing cells; fill them in, exclude it, or set dropna=true"
                )
        # An observation that is missing takes no part in the likelihood, and with it the values beside it.
        return features.reindex(observed.index).ffill()

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """The forecast at each row's timestamp; within the training range, the prediction from all earlier values.

        Exogenous values given for a trained timestamp take the place of those of the training.

        Raises:
            InvalidRows: a timestamp stands twice, lies before the training, beside the frequency or farther
                ahead than this model can be asked for, an exogenous value is missing, or a step between
                training and forecast has no exogenous values.
        """
        timeline = self.timeline
        if not len(features):
            return np.empty(0)
        moments = pd.DatetimeIndex(features.index)
        steps = timeline.positions(moments, _most_steps(self.results.model.k_states))
        self._check_values(features)
        ahead = int(steps.max()) - len(timeline.index) + 1
        exogenous = None
        if len(features.columns):
            timeline.refuse_gaps(moments, steps)
            ordered = features.to_numpy(dtype=np.float64)[np.argsort(steps)]
            exogenous = ordered[np.sort(steps) >= len(timeline.index)] if ahead > 0 else None
        results = self._with(features, steps)
        first = int(min(steps.min(), len(timeline.index)))
        values = results.get_prediction(start=first, end=int(steps.max()), exog=exogenous).predicted_mean
        return np.asarray(values, dtype=np.float64)[steps - first]

    def outlook(self, steps: int) -> pd.DataFrame:
        """The series and what comes after it: `observed`, `predicted`, and its 95 % interval, `lower` to `upper`.

        Indexed by timestamp, from the first of the training to `steps` after the last. Each value is
        predicted from those before it, which the very first ones do not have; exogenous values stay at
        their last.
        """
        count = len(self.timeline.index)
        trained = self.results.model.orig_exog
        held = None if trained is None else np.repeat(np.asarray(trained, dtype=np.float64)[-1:], steps, axis=0)
        prediction = self.results.get_prediction(start=0, end=count + steps - 1, exog=held)
        frame = pd.DataFrame({"predicted": prediction.predicted_mean})
        frame[["lower", "upper"]] = np.asarray(prediction.conf_int(alpha=0.05))
        frame.iloc[: self.results.loglikelihood_burn] = np.nan
        frame.insert(0, "observed", pd.Series(self.results.model.orig_endog, index=self.timeline.index))
        return frame

    def _check_values(self, features: pd.DataFrame) -> None:
        problems = []
        for name in features.columns:
            for row in np.flatnonzero(features[name].isna().to_numpy())[:10]:
                problems.append(Problem(pointer(row, name), f"{name}: a forecast needs every exogenous value"))
        if problems:
            row = problems[0].pointer.split("/")[1]
            raise InvalidRows(f"row {int(row) + 1}, {problems[0].detail}", problems)

    def _with(self, features: pd.DataFrame, steps: np.ndarray) -> Any:
        """The results with the exogenous values given at trained timestamps, if they differ from the trained ones."""
        trained = self.results.model.orig_exog
        if trained is None:
            return self.results
        trained = np.asarray(trained, dtype=np.float64)
        within = steps < len(trained)
        given = features.to_numpy(dtype=np.float64)[within]
        if np.array_equal(trained[steps[within]], given):
            return self.results
        changed = trained.copy()
        changed[steps[within]] = given
        model = self.results.model
        return self.results.apply(
            model.orig_endog, exog=pd.DataFrame(changed, model.orig_endog.index, model.exog_names[: model.k_exog])
        )

    def predict_proba(self, features: pd.DataFrame) -> pd.DataFrame:
        raise BadRequest("SARIMAX has no probabilities; use _output=values or _output=records")

    def score(self, features: pd.DataFrame, target: np.ndarray | None, metric: str | None = None) -> float:
        """The mean absolute error of the predictions, in the target's unit, or a named scorer."""
        return score_of_values(self.predict(features), target, metric)

    def parameters(self) -> dict[str, Any]:
        return plain_parameters(self.specification)

    def attributes(self) -> dict[str, Any]:
        """What statsmodels estimated: values, standard errors and p-values by parameter, criteria, and its summary."""
        results = self.results
        names = list(results.param_names)
        converged = (getattr(results, "mle_retvals", None) or {}).get("converged")
        # A constant series leaves nothing to divide by; the answer is NaN, which needs no warning.
        with np.errstate(divide="ignore", invalid="ignore"):
            learned: dict[str, Any] = {
                name: dict(zip(names, plain(np.asarray(getattr(results, name))), strict=True)) for name in PER_PARAMETER
            }
            learned |= {name: plain(getattr(results, name)) for name in FITTED}
            learned["summary"] = self._summary
        return learned | {"freq": self.timeline.freq, "converged": plain(converged)}

    @cached_property
    def _summary(self) -> str:
        """statsmodels' summary without the date and time at which it is made: they tell nothing of the fit."""
        summary = self.results.summary()
        top = summary.tables[0]
        # Each row has two labels with their values; what stood below moves up on the left.
        left = [(label.data, value.data) for label, value, *_ in top if label.data not in CLOCK]
        left += [("", "")] * (len(top) - len(left))
        for row, (label, value) in zip(top, left, strict=True):
            row[0].data, row[1].data = label, value
        while not any(str(cell.data).strip() for cell in top[-1]):
            top.pop()
        return str(summary)


def _index_of(results: Any) -> pd.Index:
    """The index of the series with its frequency, which `data.row_labels` lacks where statsmodels found it out."""
    return results.model._index


def _most_steps(states: int) -> int:
    return MOST_CELLS // max(states, 1) ** 2
