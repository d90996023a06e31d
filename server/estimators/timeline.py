"""Timestamps at a fixed frequency: which step of the series a row stands for."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from server.errors import InvalidRows, Problem, UntrainableRows
from server.schema import pointer

MOST_STEPS = 100_000
SHOWN = 5
HOUR = pd.Timedelta(hours=1)


@dataclass(frozen=True)
class Timeline:
    """The timestamps of a training: regular, ascending, without gaps."""

    index: pd.DatetimeIndex

    @classmethod
    def of(cls, labels: Any) -> Self:
        """The timeline of a fitted model."""
        return cls(labels)

    @classmethod
    def spanning(cls, moments: pd.DatetimeIndex, freq: str | None) -> Self:
        """The timeline from the first to the last of the timestamps, at the frequency given or found out.

        Raises:
            UntrainableRows: a timestamp stands twice, lies beside the frequency, or there is none to be found.
        """
        twice = moments[moments.duplicated()]
        if len(twice):
            raise UntrainableRows(
                f"the timestamp {_shown(twice[0])} stands more than once; a time series has one row for each"
            )
        ordered = moments.sort_values()
        freq = freq or frequency_of(ordered)
        if freq is None:
            reason = _summer_time(ordered) or f"{_irregular(ordered)}; give one with params: {{freq: …}}"
            raise UntrainableRows(f"no frequency fits the timestamps{reason}")
        try:
            far = len(ordered) > 0 and _steps_between(ordered[0], ordered[-1], freq) > max(
                MOST_STEPS, 10 * len(ordered)
            )
        except (ValueError, OverflowError) as error:
            raise UntrainableRows(f"the steps of the frequency {freq!r} are longer than the calendar") from error
        if far:
            raise UntrainableRows(f"the timestamps are too far apart for the frequency {freq!r}")
        index = pd.date_range(ordered[0], ordered[-1], freq=freq, name=moments.name, unit="us")
        odd = ordered[~ordered.isin(index)]
        if len(odd):
            reason = _summer_time(ordered) or "; correct them, or give another one with params: {freq: …}"
            raise UntrainableRows(
                f"{len(odd)} timestamps do not lie on the frequency {freq!r}, the first is {_shown(odd[0])}{reason}"
            )
        return cls(index)

    @property
    def freq(self) -> str:
        """The frequency in pandas' words, such as QE-DEC."""
        freq = self.index.freq
        assert freq is not None
        return str(freq.freqstr)

    @property
    def in_days(self) -> bool:
        """Whether every step begins a day, the next one too: quarters, months, days."""
        steps = self.index.union(self.index.shift(1))
        return bool((steps == steps.normalize()).all())

    def positions(self, moments: pd.DatetimeIndex, ahead: int = MOST_STEPS) -> np.ndarray:
        """The step of each timestamp, counted from 0 at the first of the training; shape (n_rows,).

        `ahead` is how many steps may follow the training, if these are fewer than MOST_STEPS.

        Raises:
            InvalidRows: a timestamp stands twice, lies before the training, beside the frequency, or too far ahead.
        """
        self._refuse(moments, moments.duplicated(), "stands more than once")
        self._refuse(
            moments, moments < self.index[0], f"lies before the training data, which begin {_shown(self.index[0])}"
        )
        ahead = min(ahead, MOST_STEPS)
        far = [_steps_between(self.index[-1], moment, self.freq) > ahead for moment in moments]
        self._refuse(
            moments, np.array(far), f"lies more than {ahead} steps after the training data, too far for this model"
        )
        steps = self.index.append(self.after(moments.max())).get_indexer(moments)
        near = (
            f"is no step of the series, which has one value for each {self.freq} ({_shown(self.index[-1])} is the last)"
        )
        self._refuse(moments, steps < 0, near)
        return steps

    def after(self, last: pd.Timestamp) -> pd.DatetimeIndex:
        """The steps that follow the training, up to a moment."""
        if last <= self.index[-1]:
            return self.index[:0]
        return pd.date_range(self.index[-1], last, freq=self.index.freq, unit="us")[1:]

    def refuse_gaps(self, moments: pd.DatetimeIndex, steps: np.ndarray) -> None:
        """Pass if every step from the end of the training to the last of `steps` has a row.

        Raises:
            InvalidRows: a step has none; the first of them are named.
        """
        ahead = self.after(moments.max())
        absent = ahead[~np.isin(np.arange(len(self.index), len(self.index) + len(ahead)), steps)]
        if len(absent):
            named = ", ".join(map(_shown, absent[:SHOWN])) + (", …" if len(absent) > SHOWN else "")
            raise InvalidRows(
                f"{len(absent)} rows of exogenous values are missing: every step after {_shown(self.index[-1])} "
                f"up to {_shown(ahead[-1])} needs one, and there is none for {named}"
            )

    def _refuse(self, moments: pd.DatetimeIndex, wrong: np.ndarray, reason: str) -> None:
        rows = np.flatnonzero(wrong)[:10]
        if len(rows):
            name = moments.name or "index"
            problems = [Problem(pointer(row, name), f"{name}: {_shown(moments[row])} {reason}") for row in rows]
            raise InvalidRows(f"row {rows[0] + 1}, {problems[0].detail}", problems)


def frequency_of(ordered: pd.DatetimeIndex) -> str | None:
    """The frequency of ascending, different timestamps in pandas' words; None if they do not tell one."""
    # pandas is about to return an offset here instead of its name.
    found = pd.infer_freq(ordered) if len(ordered) >= 3 else None
    return getattr(found, "freqstr", found)


def _irregular(ordered: pd.DatetimeIndex) -> str:
    if len(ordered) < 3:
        return f": there are {len(ordered)} of them, and three tell a frequency"
    gaps = pd.Series(ordered[1:] - ordered[:-1])
    usual = gaps.mode().iloc[0]
    place = int((gaps - usual).abs().to_numpy().argmax())
    return f": between {_shown(ordered[place])} and {_shown(ordered[place + 1])} lie {gaps[place]}, and mostly {usual}"


def _summer_time(ordered: pd.DatetimeIndex) -> str:
    """The advice for local timestamps that were told with their offset; '' if these do not look so."""
    clock = (ordered - ordered.normalize()).unique().sort_values()
    if len(clock) != 2 or clock[1] - clock[0] not in (HOUR, 23 * HOUR):
        return ""
    hours = " and ".join(f"{ordered[0].normalize() + time:%H:%M}" for time in clock)
    return (
        f": in UTC they lie at {hours}, as the clock of a place with summer time does; "
        "give local times without zone or offset"
    )


def _steps_between(first: pd.Timestamp, last: pd.Timestamp, freq: str) -> float:
    """About how many steps lie between two moments; cheap also where there would be millions."""
    some = pd.date_range(first, periods=3, freq=freq, unit="us")
    return (last - first) / (some[2] - some[1])


def _shown(moment: pd.Timestamp) -> str:
    return moment.isoformat().removesuffix("T00:00:00")
