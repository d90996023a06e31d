"""The parameters of statsmodels' SARIMAX in scikit-learn's form, checked without importing statsmodels."""

from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import StrOptions

# A year of weeks with a seasonal difference has 107 states, hours with a day's season and one, 50. The time of a fit
# grows with their cube and with the terms: 120 states or 30 terms are minutes, several hundreds are hours.
MOST_STATES = 120
MOST_TERMS = 30
FLAGS = (
    "measurement_error", "time_varying_regression", "mle_regression", "simple_differencing", "enforce_stationarity",
    "enforce_invertibility", "hamilton_representation", "concentrate_scale", "use_exact_diffuse",
)  # fmt: skip


class SARIMAX(BaseEstimator):
    """Seasonal autoregressive integrated moving average with exogenous regressors.

    Parameters are those of `statsmodels.tsa.statespace.sarimax.SARIMAX`, as `get_params` lists them; `freq` is
    the frequency of the timestamps in pandas' words (QE, MS, D, h, …), found out if it is not given.
    """

    _parameter_constraints = {
        "trend": [StrOptions({"n", "c", "t", "ct"}), list, None],
        "freq": [str, None],
        **dict.fromkeys(FLAGS, ["boolean"]),
    }

    def __init__(
        self,
        order: Any = (1, 0, 0),
        seasonal_order: Any = (0, 0, 0, 0),
        trend: Any = None,
        measurement_error: bool = False,
        time_varying_regression: bool = False,
        mle_regression: bool = True,
        simple_differencing: bool = False,
        enforce_stationarity: bool = True,
        enforce_invertibility: bool = True,
        hamilton_representation: bool = False,
        concentrate_scale: bool = False,
        trend_offset: int = 1,
        use_exact_diffuse: bool = False,
        freq: str | None = None,
    ) -> None:
        self.order = order
        self.seasonal_order = seasonal_order
        self.trend = trend
        self.measurement_error = measurement_error
        self.time_varying_regression = time_varying_regression
        self.mle_regression = mle_regression
        self.simple_differencing = simple_differencing
        self.enforce_stationarity = enforce_stationarity
        self.enforce_invertibility = enforce_invertibility
        self.hamilton_representation = hamilton_representation
        self.concentrate_scale = concentrate_scale
        self.trend_offset = trend_offset
        self.use_exact_diffuse = use_exact_diffuse
        self.freq = freq

    def _validate_params(self) -> None:
        """scikit-learn calls this for its own classes; here it also knows what statsmodels demands.

        Raises:
            ValueError: with a sentence that names the parameter and what it takes.
        """
        super()._validate_params()
        _check_order("order", self.order, "(p, d, q)")
        _check_order("seasonal_order", self.seasonal_order, "(P, D, Q, s)")
        season, period = list(self.seasonal_order)[:3], self.seasonal_order[3]
        if (any(season) or period) and not (_is_count(period) and period > 1):
            raise ValueError("the parameter 'seasonal_order' of SARIMAX needs a period s of at least 2")
        if self.simple_differencing:
            raise ValueError("simple_differencing must be false: its predictions are differences, not values")
        if self.time_varying_regression and self.mle_regression:
            raise ValueError("time_varying_regression=true needs mle_regression=false")
        if isinstance(self.trend_offset, bool) or not isinstance(self.trend_offset, int):
            raise ValueError(
                f"the parameter 'trend_offset' of SARIMAX must be a whole number, not {self.trend_offset!r}"
            )
        _check_frequency(self.freq)
        self._check_size()

    def states(self, exogenous: int = 0) -> int:
        """The size of the state vector with this many exogenous columns, `k_states` of the statsmodels model."""
        p, d, q = self.order
        seasonal_p, seasonal_d, seasonal_q, period = self.seasonal_order
        lags = _longest(p) + _longest(seasonal_p) * period
        averaged = _longest(q) + _longest(seasonal_q) * period
        within = 0 if self.mle_regression else exogenous
        # A regression whose coefficients vary needs no state of its own for the error.
        bare = self.time_varying_regression and not lags + averaged
        return (0 if bare else max(lags, averaged + 1)) + d + seasonal_d * period + within

    def _check_size(self) -> None:
        terms = sum(map(_terms, (*self.order[::2], *self.seasonal_order[:3:2])))
        if isinstance(self.trend, (list, tuple)):
            terms += len(self.trend)
        if terms > MOST_TERMS:
            raise ValueError(
                f"order, seasonal_order and trend have {terms} terms to estimate; {MOST_TERMS} are allowed"
            )
        if self.states() > MOST_STATES:
            raise ValueError(
                f"order and seasonal_order make a model of {self.states()} states; {MOST_STATES} are allowed, "
                "and a shorter season or fewer lags make fewer"
            )

    def predict(self, features: pd.DataFrame) -> Any:
        """Never called: the family's estimator forecasts. It says that this class has answers for new rows."""
        raise NotImplementedError


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _longest(lags: Any) -> int:
    """The most distant lag of a number of them, or of a list that says which."""
    if isinstance(lags, int):
        return lags
    return max((distance for distance, used in enumerate(lags, start=1) if used), default=0)


def _terms(lags: Any) -> int:
    return lags if isinstance(lags, int) else sum(lags)


def _check_order(name: str, value: Any, form: str) -> None:
    """Lags are a number of them, or a list that says which: 1 for the first, 0 for none."""
    length = form.count(",") + 1
    whole = isinstance(value, (tuple, list)) and len(value) == length
    if whole:
        for place, part in enumerate(value):
            lags = isinstance(part, (tuple, list)) and all(part_of in (0, 1) for part_of in part)
            whole = whole and (_is_count(part) or (lags and place in (0, 2)))
    if not whole:
        raise ValueError(
            f"the parameter {name!r} of SARIMAX must be {length} whole numbers {form}, such as "
            f"{'(1, 1, 1)' if length == 3 else '(1, 0, 0, 4)'}, not {value!r}"
        )


def _check_frequency(freq: str | None) -> None:
    if freq is None:
        return
    known = "one of pandas' frequencies, such as QE, MS, W, D or h"
    try:
        forward = pd.tseries.frequencies.to_offset(freq).n > 0
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the parameter 'freq' of SARIMAX must be {known}, not {freq!r}") from error
    if not forward:
        raise ValueError(f"the parameter 'freq' of SARIMAX must lead from one timestamp to a later one, not {freq!r}")
