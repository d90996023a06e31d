"""Charts hold all that they show, on scales that people can read."""

from datetime import date, timedelta

import pytest

from server.service.history import Days, Moment, Series
from server.web.charts import interval_chart, requests_chart, score_charts

DAYS = [date(2026, 1, 1) + timedelta(days=day) for day in range(4)]


def series(label="forest 1", metric="accuracy", requests=(1, 0, 0, 0), scores=(1.0, None, None, None)):
    return Series(label, metric, list(requests), [int(value is not None) for value in scores], list(scores))


@pytest.mark.parametrize(
    ("requests", "scale"),
    [
        ((1, 0, 0, 0), ("2", "1", "0")),
        ((3, 4, 0, 0), ("4", "2", "0")),
        ((5, 0, 0, 0), ("6", "3", "0")),
        ((10, 0, 0, 0), ("10", "5", "0")),
        ((11, 0, 0, 0), ("20", "10", "0")),
        ((0, 1000, 0, 0), ("1,000", "500", "0")),
        ((0, 8_000_001, 0, 0), ("10,000,000", "5,000,000", "0")),
    ],
)
def test_a_scale_of_requests_has_whole_numbers_and_holds_the_most(requests, scale):
    chart = requests_chart(Days(DAYS, [series(requests=requests)]))
    assert chart.scale == scale
    assert all(0 <= bar.y <= 100 for bar in chart.bars)
    assert chart.ends == ("Jan 1", "today")
    assert len(chart.rows) == sum(count > 0 for count in requests)


@pytest.mark.parametrize(
    ("metric", "scores", "scale"),
    [
        ("accuracy", (1.0, 1.0, None, None), ("1", "0.95", "0.9")),
        ("accuracy", (0.97, 0.83, None, None), ("1", "0.9", "0.8")),
        ("accuracy", (0.0, None, None, 1.0), ("1", "0.5", "0")),
        ("RMSE", (0.0, None, None, None), ("1", "0.5", "0")),
        ("RMSE", (5e-324, None, None, None), ("1", "0.5", "0")),
        ("RMSE", (72.6, 12.0, None, None), ("80", "40", "0")),
        ("RMSE", (1e60, None, None, None), ("1e+60", "5e+59", "0")),
    ],
)
def test_a_scale_of_scores_holds_them_all(metric, scores, scale):
    (chart,) = score_charts(Days(DAYS, [series(metric=metric, scores=scores)]))
    assert chart.scale == scale
    points = [point.split() for point in chart.lines[0].path[1:].split("L")]
    assert len(points) == sum(value is not None for value in scores)
    assert all(0 <= float(y) <= 100 for _, y in points)


def test_each_metric_has_a_chart_and_an_algorithm_the_same_colour_in_all():
    found = [
        series("silent 1", scores=(None,) * 4),
        series("linear 1", "RMSE", scores=(2.0, None, None, None)),
        series("forest 1"),
    ]
    charts = score_charts(Days(DAYS, found))
    assert [(chart.title, chart.names) for chart in charts] == [
        ("RMSE per day", [(1, "linear 1")]),
        ("Accuracy per day", [(2, "forest 1")]),
    ]
    assert requests_chart(Days(DAYS, found)).names == [(0, "silent 1"), (1, "linear 1"), (2, "forest 1")]


def test_nothing_is_drawn_of_nothing():
    assert requests_chart(Days(DAYS, [])) is None
    assert score_charts(Days(DAYS, [series(scores=(None,) * 4)])) == []
    assert interval_chart([Moment(20, 0.1, (-0.5, 0.7))], "accuracy") is None


def test_the_first_wide_intervals_may_leave_the_picture():
    moments = [Moment(20, 30.0, (-900.0, 1000.0)), Moment(400, -12.0, (-20.0, -4.0)), Moment(500, -12.0, (-18.0, -6.0))]
    chart = interval_chart(moments, "RMSE")
    assert chart.scale == ("+60", "0", "−60")
    assert chart.ends == ("20", "500 compared")
    assert chart.told == "After 500 compared requests: −12, between −18 and −6.000 (95 %)."
    assert all(0 <= float(number) <= 100 for corner in chart.band[1:-1].split("L") for number in corner.split())
    assert chart.rows[0] == ["20", "+30", "−900", "+1,000"]
