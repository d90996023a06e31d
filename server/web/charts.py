"""Small pictures of numbers over time, as coordinates: a template draws them as SVG, and a page renews them.

All lie in a square of 100, x to the right and y down, which the page stretches; what is written stands beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from server.service.history import Days, Moment, Series
from server.web.wording import counted, score

# Algorithms with a colour of their own.
COLOURS = 5
OTHERS = "others"
SIDE = 100.0
# Of the room of a day, what its bar takes.
BROAD = 0.8
# What is smaller is nothing on any scale.
LEAST = 1e-300
# A test's first intervals, which tell nothing yet, may leave a picture of so many times the last one.
SHOWN = 3
# A scale ends at one of these, times a power of ten, so that half of it is a short number, too.
ENDS = (1, 2, 4, 6, 8, 10)


@dataclass(frozen=True)
class Bar:
    """A rectangle of the colour."""

    colour: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """A path (SVG) of the colour, and its points as paths without a length, which round caps make visible."""

    colour: int
    path: str
    points: str


@dataclass(frozen=True)
class Chart:
    """A picture: what it shows as a title and as a sentence, its scales, its shapes, and the same as a table.

    `scale` has the numbers at the top, in the middle and at the bottom, `ends` what stands below at the left and at
    the right; `names` tells whose the colours are.
    """

    title: str
    told: str
    scale: tuple[str, str, str]
    ends: tuple[str, str]
    columns: list[str]
    rows: list[list[str]]
    names: list[tuple[int, str]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    band: str = ""


def requests_chart(days: Days) -> Chart | None:
    """Requests by day, a colour for each algorithm; None if there are none."""
    if not days.series:
        return None
    stacked = [(one.label, one.requests) for one in days.series[:COLOURS]]
    rest = days.series[COLOURS:]
    if rest:
        stacked.append((OTHERS, [sum(counts) for counts in zip(*(one.requests for one in rest), strict=True)]))
    totals = [sum(counts) for counts in zip(*(counts for _, counts in stacked), strict=True)]
    top = max(_end(max(totals)), 2.0)
    return Chart(
        title="Requests per day",
        told=f"{counted(sum(totals), 'request')} in {len(days.days)} days, {totals[-1]:,} of them today (UTC).",
        scale=(f"{top:,.0f}", f"{top / 2:,.0f}", "0"),
        ends=_ends(days.days),
        names=[(colour, name) for colour, (name, _) in enumerate(stacked)],
        bars=_bars([counts for _, counts in stacked], top),
        columns=["Day", *(name for name, _ in stacked)],
        rows=[
            [_day(day), *(f"{counts[index]:,}" for _, counts in stacked)]
            for index, day in enumerate(days.days)
            if totals[index]
        ],
    )


def score_charts(days: Days) -> list[Chart]:
    """Accuracy, or RMSE, by day, a line for each algorithm; none without feedback."""
    # The colours are those of the requests.
    coloured = list(enumerate(days.series[:COLOURS]))
    metrics = dict.fromkeys(one.metric for _, one in coloured if any(one.feedback))
    return [
        _score_chart(days.days, metric, [pair for pair in coloured if pair[1].metric == metric]) for metric in metrics
    ]


def interval_chart(moments: Sequence[Moment], metric: str) -> Chart | None:
    """The difference of a test and its interval by compared requests; None before there are two moments."""
    if len(moments) < 2:
        return None
    now = moments[-1]
    widest = max(abs(bound) for moment in moments for bound in moment.interval)
    top = _end(min(widest, SHOWN * max(map(abs, now.interval))))
    first, last = moments[0].compared, moments[-1].compared
    width = max(last - first, 1)

    def place(moment: Moment, value: float) -> str:
        y = (top - value) / (2 * top) * SIDE
        return _point((moment.compared - first) / width * SIDE, min(max(y, 0.0), SIDE))

    upper = [place(moment, moment.interval[1]) for moment in moments]
    lower = [place(moment, moment.interval[0]) for moment in reversed(moments)]
    middle = [place(moment, moment.difference) for moment in moments]
    return Chart(
        title=f"Difference of {metric}",
        told=f"After {counted(now.compared, 'compared request')}: {signed(now.difference)}, "
        f"between {signed(now.interval[0])} and {signed(now.interval[1])} (95 %).",
        scale=(f"+{_short(top)}", "0", f"−{_short(top)}"),
        ends=(f"{first:,}", f"{last:,} compared"),
        band=f"M{'L'.join([*upper, *lower])}Z",
        lines=[Line(0, f"M{'L'.join(middle)}", f"M{middle[-1]}h0")],
        columns=["Compared requests", "Difference", "from", "to"],
        rows=[[f"{moment.compared:,}", signed(moment.difference), *map(signed, moment.interval)] for moment in moments],
    )


def signed(value: float) -> str:
    """A difference with its sign and three digits, such as '+0.025' or '−12.4'."""
    text = score(abs(value)) if abs(value) >= 0.1 else f"{abs(value):.3f}"
    return f"{'−' if value < 0 else '+'}{text}"


def _score_chart(days: Sequence[date], metric: str, series: Sequence[tuple[int, Series]]) -> Chart:
    known = [value for _, one in series for value in one.scores if value is not None]
    is_accuracy = metric == "accuracy"
    top = 1.0 if is_accuracy else _end(max(known))
    # An accuracy is seldom near zero: the scale begins at the tenth below.
    bottom = min(math.floor(min(known) * 10) / 10, 0.9) if is_accuracy else 0.0
    shown = [(colour, one) for colour, one in series if any(one.feedback)]
    compared = sum(sum(one.feedback) for _, one in shown)
    return Chart(
        title=f"{'Accuracy' if is_accuracy else metric} per day",
        told=f"Of {counted(compared, 'request')} with feedback.",
        scale=(_short(top), _short((top + bottom) / 2), _short(bottom)),
        ends=_ends(days),
        names=[(colour, one.label) for colour, one in shown],
        lines=[_line(colour, one.scores, top, bottom) for colour, one in shown],
        columns=["Day", *(f"{one.label} (compared)" for _, one in shown)],
        rows=[
            [_day(day), *(_scored(one, index) for _, one in shown)]
            for index, day in enumerate(days)
            if any(one.feedback[index] for _, one in shown)
        ],
    )


def _bars(series: Sequence[Sequence[int]], top: float) -> list[Bar]:
    """The counts of a day upon one another."""
    width = SIDE / len(series[0])
    found = []
    for day, counts in enumerate(zip(*series, strict=True)):
        y = SIDE
        for colour, count in enumerate(counts):
            height = count / top * SIDE
            y -= height
            if count:
                x = (day + (1 - BROAD) / 2) * width
                found.append(Bar(colour, round(x, 2), round(y, 2), round(width * BROAD, 2), round(height, 2)))
    return found


def _line(colour: int, scores: Sequence[float | None], top: float, bottom: float) -> Line:
    """A line through the days that have a score, in the middle of their bars."""
    width = SIDE / len(scores)
    points = [
        _point((day + 0.5) * width, (top - value) / (top - bottom) * SIDE)
        for day, value in enumerate(scores)
        if value is not None
    ]
    return Line(colour, f"M{'L'.join(points)}", "".join(f"M{point}h0" for point in points))


def _point(x: float, y: float) -> str:
    return f"{x:.2f} {y:.2f}"


def _end(largest: float) -> float:
    """Where a scale ends that holds all from zero to the largest."""
    if largest < LEAST:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(end * power for end in ENDS if largest <= end * power * (1 + 1e-9))


def _short(value: float) -> str:
    return f"{value:.6g}"


def _day(day: date) -> str:
    return f"{day:%b} {day.day}"


def _ends(days: Sequence[date]) -> tuple[str, str]:
    return _day(days[0]), "today"


def _scored(one: Series, index: int) -> str:
    value = one.scores[index]
    return "–" if value is None else f"{score(value)} ({one.feedback[index]:,})"
