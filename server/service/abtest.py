"""The arithmetic of an A/B test: who answers, what an answer loses, and what the losses tell. Nothing is stored."""

import hashlib
import math
import secrets
from dataclasses import dataclass
from typing import Any

from server.errors import BadRequest
from server.storage.registry.sums import Tally

# Share of tests of equal algorithms in which the interval may leave out zero, at whatever moment one looks.
ALPHA = 0.05
# The number of compared requests, both sides together, at which the interval is narrowest for its kind.
TIGHTEST = 1000
# Compared requests of a side before which its spread is not known well enough for an interval.
FEWEST = 10
METRICS = {"classifier": "accuracy", "regressor": "RMSE"}
# Beyond it, the squares of squared errors could not be summed in float64.
LARGEST_ERROR = 1e60
TRUTHS = {"true": "1", "false": "0"}


@dataclass(frozen=True)
class Comparison:
    """What a test tells at a moment; scores are accuracies or root mean squared errors, None without feedback.

    `better` is the side whose score is better (0 or 1), None if neither is. `winner` is the side that is better by
    the interval, too, None as long as zero lies in it.
    """

    metric: str
    score1: float | None
    score2: float | None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    better: int | None = None
    winner: int | None = None


def drawn_side(test: int, subject: str | None) -> int:
    """The side that answers, 0 or 1, half each: always the same for a subject, else at random."""
    if subject is None:
        # The generators of forked workers would draw alike.
        return secrets.randbits(1)
    return hashlib.sha256(f"{test}:{subject}".encode()).digest()[0] & 1


def loss_of(model_type: str, label: Any, feedback: Any, failed: bool) -> float | None:
    """What a test compares: 0 for a right label and 1 for a wrong one, or the squared error of a number.

    A classifier that failed, or answered null, was not right. None where a regressor answered no number.

    Raises:
        BadRequest: the feedback for a regressor is no number that could be compared.
    """
    if model_type == "classifier":
        return float(failed or label is None or normalised(label) != normalised(feedback))
    truth = _number(feedback)
    if truth is None:
        raise BadRequest(f"the feedback for a regressor must be a finite number, such as 1.5, not {feedback!r}")
    answer = None if failed else _number(label)
    if answer is None:
        return None
    if abs(answer - truth) > LARGEST_ERROR:
        raise BadRequest(f"the feedback {feedback!r} is too far from the label {label!r} to be compared")
    return (answer - truth) ** 2


def normalised(value: Any) -> str:
    """A label as text in which 1, 1.0, "1" and true are the same, and so are the values within lists and objects."""
    if isinstance(value, list):
        return f"[{', '.join(map(normalised, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {normalised(value[name])}' for name in sorted(value))}}}"
    text = str(value).strip()
    text = TRUTHS.get(text.lower(), text)
    number = _number(text)
    if number is None:
        return text
    if text.lstrip("+-").isdecimal():
        # Integers beyond 2^53 have no float of their own, and Python reads none of more than 4,300 digits.
        digits = text.lstrip("+-0") or "0"
        return f"-{digits}" if number < 0 else digits
    return str(int(number) if number.is_integer() else number)


def compared(model_type: str, first: Tally, second: Tally) -> Comparison:
    """What the losses of both sides tell.

    The interval of the difference `score1 - score2` is an asymptotic confidence sequence: it holds at all moments at
    once, so one may look as often as one likes, and stop because of what one saw (Waudby-Smith, Arbour, Sinha, Kennedy
    and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52 (2024),
    theorem 2.2). With t compared requests and v the variance of the difference times t, it is

        difference ± sqrt(v) sqrt(2 (t ρ² + 1) / (t² ρ²) log(sqrt(t ρ² + 1) / α)).

    Mean squared errors are compared, and the interval divided by the sum of their roots, because
    a - b = (a² - b²) / (a + b).
    """
    metric = METRICS[model_type]
    is_accuracy = model_type == "classifier"
    scores = [score_of(model_type, side) for side in (first, second)]
    if scores[0] is None or scores[1] is None:
        return Comparison(metric, scores[0], scores[1])
    means = _mean(first), _mean(second)
    # Sums of the same losses in another order differ in their last digits.
    lost = 0.0 if math.isclose(*means, rel_tol=1e-9) else means[0] - means[1]
    better = None if lost == 0 else int(lost > 0)
    if is_accuracy:
        sign, scale = -1.0, 1.0
    else:
        sign, scale = 1.0, scores[0] + scores[1]
    interval = None
    if min(first.feedback, second.feedback) >= FEWEST and scale > 0:
        half = half_width(model_type, first, second)
        interval = ((sign * lost - half) / scale, (sign * lost + half) / scale)
        if is_accuracy:
            interval = max(interval[0], -1.0), min(interval[1], 1.0)
    winner = better if interval is not None and not interval[0] <= 0 <= interval[1] else None
    difference = scores[0] - scores[1] if lost else 0.0
    return Comparison(metric, scores[0], scores[1], difference, interval, better, winner)


def score_of(model_type: str, side: Tally) -> float | None:
    """The accuracy of a classifier, the root mean squared error of a regressor; None without feedback."""
    if not side.feedback:
        return None
    return 1 - _mean(side) if model_type == "classifier" else math.sqrt(_mean(side))


def half_width(model_type: str, first: Tally, second: Tally) -> float:
    """Half of the interval of the difference of the mean losses."""
    t = first.feedback + second.feedback
    # That ρ² which makes the interval narrowest at TIGHTEST (the same paper, section 2.3).
    rho2 = (-2 * math.log(ALPHA) + math.log(-2 * math.log(ALPHA)) + 1) / TIGHTEST
    variance = t * sum(_variance(model_type, side) / side.feedback for side in (first, second))
    grown = t * rho2 + 1
    return math.sqrt(variance * 2 * grown / (t**2 * rho2) * math.log(math.sqrt(grown) / ALPHA))


def _mean(side: Tally) -> float:
    return side.total / side.feedback


def _variance(model_type: str, side: Tally) -> float:
    # A few equal losses prove little. So a classifier counts as right once more and wrong once more, and a regressor
    # as if one more request had lost twice the mean.
    if model_type == "classifier":
        wrong = (side.total + 1) / (side.feedback + 2)
        return wrong * (1 - wrong)
    spread = side.squares - side.total * _mean(side)
    return (max(spread, 0.0) + _mean(side) ** 2) / (side.feedback + 1)


def _number(value: Any) -> float | None:
    """The finite number in a value or a text."""
    # Python reads 1_0 as 10.
    if isinstance(value, (list, dict, bool)) or value is None or "_" in str(value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
