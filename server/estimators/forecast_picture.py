"""The picture of a time series: what was observed, what is predicted, and how sure that is."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from server.errors import BadRequest
from server.estimators.base import Estimator
from server.estimators.drawing import ACCENT, MUTED, OPPOSITE, Drawing, drawable
from server.estimators.timeseries import TimeSeriesEstimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More would be a smear.
MOST_STEPS = 150
LEAST_AHEAD, MOST_AHEAD = 4, 24


def forecast(estimator: Estimator, features: pd.DataFrame, target: np.ndarray | None) -> Drawing:
    """The last observed values, each one's prediction from those before it, and a sixth as many steps ahead."""
    assert isinstance(estimator, TimeSeriesEstimator)
    steps = len(estimator.timeline.index)
    past = min(steps, MOST_STEPS)
    ahead = min(max(past // 6, LEAST_AHEAD), MOST_AHEAD)
    outlook = estimator.outlook(ahead).iloc[-past - ahead :]
    outlook = outlook.where(drawable(outlook.to_numpy(dtype=float)))
    if not outlook["predicted"].notna().any():
        raise BadRequest("the time series has no finite predictions to draw")
    moments, future = outlook.index.to_numpy(), outlook.index.to_numpy()[-ahead:]
    shown = f"the last {past} of {steps:,} steps" if past < steps else f"{steps:,} steps"
    note = f"{shown} ({estimator.timeline.freq}) and {ahead} ahead"
    if len(features.columns):
        note += "; exogenous columns stay at their last values"

    def paint(axes: "Axes") -> None:
        observed = axes.plot(moments, outlook["observed"], color=ACCENT, linewidth=1.3)[0]
        predicted = axes.plot(moments, outlook["predicted"], color=OPPOSITE, linewidth=1.3, alpha=0.8)[0]
        lower, upper = (outlook[name].to_numpy()[-ahead:] for name in ("lower", "upper"))
        interval = axes.fill_between(future, lower, upper, color=OPPOSITE, alpha=0.18, linewidth=0)
        axes.axvline(moments[-ahead - 1], color=MUTED, linestyle="--", linewidth=1)
        labels = ["observed", "predicted", "95 % interval"]
        axes.legend([observed, predicted, interval], labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)

    return Drawing(paint, note)
