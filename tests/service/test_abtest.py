"""The arithmetic of A/B tests, and how often the interval finds a winner where there is none."""

from collections.abc import Iterator

import numpy as np
import pytest

from server.errors import BadRequest
from server.service.abtest import compared, drawn_side, loss_of, normalised
from server.storage.registry.sums import Tally

pytestmark = pytest.mark.slow

# Tests of equal algorithms, compared requests of each at most, and after how many one looks.
TESTS, REQUESTS, LOOK = 2000, 400, 5


@pytest.mark.parametrize(
    ("label", "feedback"),
    [(1, "1"), (1, "1.0"), (1, True), (1.0, "true"), (0, "False"), ("setosa", "setosa "), (-2, "-2.0"), ("1e2", 100),
     ([1, "a"], ["1", "a"]), (2**60 + 1, str(2**60 + 1)), ({"a": 1, "b": "x"}, {"b": "x", "a": 1.0}),
     (0, "0" * 5000), (-5, "-" + "0" * 5000 + "5")],
)  # fmt: skip
def test_a_label_is_right_however_it_is_written(label, feedback):
    assert loss_of("classifier", label, feedback, failed=False) == 0


@pytest.mark.parametrize(
    ("label", "feedback"),
    [(1, "0"), ("setosa", "Setosa"), (1, "one"), (2**60 + 1, 2**60), ("10", "1_0"), ([1], [1, 2])],
)
def test_another_label_is_wrong(label, feedback):
    assert loss_of("classifier", label, feedback, failed=False) == 1


def test_a_classifier_that_failed_was_not_right():
    assert loss_of("classifier", None, "None", failed=True) == 1


def test_a_regressor_loses_the_squared_error_and_nothing_where_it_failed():
    assert loss_of("regressor", 1.5, "3.5", failed=False) == 4
    assert loss_of("regressor", None, 1, failed=True) is None
    assert loss_of("regressor", None, 1, failed=False) is None


@pytest.mark.parametrize("feedback", ["setosa", "nan", "inf", "", True, [1], {"a": 1}, 1e300])
def test_the_feedback_for_a_regressor_is_a_number(feedback):
    with pytest.raises(BadRequest, match="feedback"):
        loss_of("regressor", 1.5, feedback, failed=False)


def test_text_that_only_looks_like_a_number_stays_text():
    assert normalised("1_0") == "1_0"
    assert normalised("1e999") == "1e999"


def test_a_subject_always_gets_the_same_side_and_tests_draw_anew():
    sides = [[drawn_side(test, str(subject)) for subject in range(1000)] for test in (1, 2)]
    assert sides[0] == [drawn_side(1, str(subject)) for subject in range(1000)]
    assert 400 < sum(sides[0]) < 600
    assert 400 < sum(one != other for one, other in zip(*sides, strict=True)) < 600


def test_without_a_subject_both_sides_are_drawn_alike():
    assert 850 < sum(drawn_side(1, None) for _ in range(2000)) < 1150


def test_without_feedback_there_is_no_score():
    told = compared("classifier", Tally(5), Tally(5, 4, 1.0, 1.0))
    assert (told.score1, told.score2, told.interval, told.better) == (None, 0.75, None, None)


def test_accuracy_is_the_share_of_right_answers():
    told = compared("classifier", Tally(100, 90, 9, 9), Tally(100, 80, 40, 40))
    assert (told.score1, told.score2) == (0.9, 0.5)
    assert told.difference == pytest.approx(0.4)
    assert told.interval[0] < 0.4 < told.interval[1]
    assert (told.better, told.winner) == (0, 0)


def test_the_smaller_error_is_the_better():
    told = compared("regressor", Tally(100, 100, 900.0, 10_000.0), Tally(100, 100, 100.0, 150.0))
    assert (told.metric, told.score1, told.score2, told.better, told.winner) == ("RMSE", 3.0, 1.0, 1, 1)
    assert told.interval[0] < 2 < told.interval[1]


def test_equal_scores_have_no_better_side():
    assert compared("classifier", Tally(9, 9, 3, 3), Tally(6, 6, 2, 2)).better is None
    perfect = compared("regressor", Tally(20, 20), Tally(20, 20))
    assert (perfect.better, perfect.interval, perfect.winner) == (None, None, None)


def test_sums_in_another_order_are_no_difference():
    sides = [Tally(3, 3, sum(errors), 0.1) for errors in ((0.01, 0.04, 0.09), (0.09, 0.01, 0.04))]
    assert sides[0].total != sides[1].total
    told = compared("regressor", *sides)
    assert (told.difference, told.better) == (0.0, None)


def test_all_right_on_both_sides_is_no_certainty():
    low, high = compared("classifier", Tally(13, 13), Tally(17, 17)).interval
    assert low < -0.3
    assert high > 0.3


def test_a_label_null_was_not_right():
    assert loss_of("classifier", None, "None", failed=False) == 1.0


def test_a_few_answers_make_no_winner():
    assert compared("classifier", Tally(5, 5, 0, 0), Tally(5, 5, 5, 5)).interval is None
    assert compared("classifier", Tally(10, 10, 4, 4), Tally(10, 10, 6, 6)).winner is None


def test_the_interval_narrows():
    widths = [
        np.diff(compared("classifier", Tally(n, n, n / 4, n / 4), Tally(n, n, n / 2, n / 2)).interval)[0]
        for n in (40, 400, 4000, 40_000)
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.03


LOSSES = {
    "coin": ("classifier", lambda random: (random.random(REQUESTS) < 0.5).astype(float)),
    "good": ("classifier", lambda random: (random.random(REQUESTS) < 0.1).astype(float)),
    "normal": ("regressor", lambda random: random.normal(size=REQUESTS) ** 2),
    "heavy tails": ("regressor", lambda random: random.standard_t(5, size=REQUESTS) ** 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_equal_algorithms_have_a_winner_in_one_of_twenty_tests_at_most_however_often_one_looks(name):
    model_type, draw = LOSSES[name]
    random = np.random.default_rng(6)
    assert sum(has_winner(model_type, draw(random), random) for _ in range(TESTS)) <= 0.05 * TESTS


@pytest.mark.slow
@pytest.mark.parametrize("right", [(0.99, 0.95), (1.0, 0.97), (0.95, 0.9), (0.9, 0.7)])
def test_the_interval_holds_the_true_difference_at_all_moments_in_nineteen_of_twenty_tests(right):
    random = np.random.default_rng(7)

    def held() -> bool:
        second = random.integers(0, 2, REQUESTS).astype(bool)
        losses = (random.random(REQUESTS) >= np.where(second, right[1], right[0])).astype(float)
        told = [compared("classifier", *sides) for sides in looks(losses, second)]
        return all(one.interval is None or one.interval[0] <= right[0] - right[1] <= one.interval[1] for one in told)

    assert sum(held() for _ in range(TESTS)) >= 0.95 * TESTS


def has_winner(model_type: str, losses: np.ndarray, random: np.random.Generator) -> bool:
    second = random.integers(0, 2, REQUESTS).astype(bool)
    return any(compared(model_type, *sides).winner is not None for sides in looks(losses, second))


def looks(losses: np.ndarray, second: np.ndarray) -> Iterator[list[Tally]]:
    """Both sides as they stand after each few requests; `second` tells which of the requests were the second's."""
    sums = []
    for mine in (~second, second):
        own = np.where(mine, losses, 0)
        sums.append((np.cumsum(mine), np.cumsum(own), np.cumsum(own**2)))
    for look in range(LOOK - 1, REQUESTS, LOOK):
        yield [
            Tally(int(count[look]), int(count[look]), float(total[look]), float(squares[look]))
            for count, total, squares in sums
        ]
