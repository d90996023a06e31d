"""The guide's forecast endpoint, and what statsmodels itself says of its data."""

import pandas as pd
import pytest
from statsmodels.tsa.statespace import sarimax as statespace

URL = "/forecast"
MODEL = {"index_col": "index", "target_col": "R", "class": "SARIMAX", "params": {"order": [7, 1, 0]}}
# A fit of a few milliseconds, where the numbers do not matter.
QUICK = MODEL | {"params": {"order": [1, 0, 0]}}
NEXT = {"index": "1999-03-31", "Dp": 0.01}
PLACE = "?index=1999-03-31&Dp=0.01"
AHEAD = [NEXT, {"index": "1999-06-30", "Dp": 0.02}, {"index": "1999-09-30", "Dp": -0.01}]
# statsmodels' own fits beside the server's warn of hard starts; the numbers are compared.
QUIET = pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.ModelWarning")


def forecast(model=QUICK, rows="inflation.csv", **data):
    """The guide's endpoint."""
    kwargs = {"data": {"url": f"$YAMLPATH/data/{rows}"} | data, "model": model}
    return {"mlhandler-forecast": {"pattern": "/$YAMLURL/forecast", "handler": "MLHandler", "kwargs": kwargs}}


def own(rows, order=(1, 0, 0)):
    """statsmodels' own results."""
    indexed = rows.set_index(pd.DatetimeIndex(rows["index"], freq="QE"))
    return statespace.SARIMAX(indexed["R"], indexed[["Dp"]], order=order).fit(disp=False)
