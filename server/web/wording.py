"""Numbers, times and cells as a reader wants them."""

from datetime import datetime
from typing import Any

import pandas as pd

from server.tables.writing import to_json

LONGEST = 200
STEPS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def ago(then: datetime, now: datetime) -> str:
    """How long ago that was: 'just now', '2 minutes ago'."""
    seconds = (now - then).total_seconds()
    for length, unit in STEPS:
        count = int(seconds // length)
        if count >= 1:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def instant(text: str) -> datetime:
    """The moment that an ISO 8601 timestamp names."""
    return datetime.fromisoformat(text)


def lasting(seconds: float) -> str:
    """A duration in its two largest units: '0.4 s', '12 s', '3 min 20 s', '2 h 5 min'."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def literal(value: Any) -> str:
    """A parameter as JSON, cut where it is long."""
    text = to_json(value).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def counted(number: int, noun: str) -> str:
    """'1 row', '1,200 rows'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shown(cell: Any) -> str:
    """A cell as text: numbers with six digits, lists as JSON, long text cut; a missing cell is empty."""
    if not pd.api.types.is_scalar(cell):
        return shown(to_json(cell).decode())
    if pd.isna(cell):
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return f"{cell:.6g}"
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ").removesuffix(" 00:00:00")
    text = str(cell)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def score(value: float) -> str:
    """A score with three decimals; with three digits where it is small or large."""
    if value and not 0.1 <= abs(value) < 10:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:.3f}"


def sentence(text: str) -> str:
    """The reason as a sentence of its own; a name such as data.url stays as it is written."""
    begun = text[:1].upper() + text[1:] if text.split(" ")[0].isalpha() else text
    return begun if begun.endswith((".", "!", "?", "…")) else f"{begun}."


FILTERS = {
    "ago": ago,
    "counted": counted,
    "instant": instant,
    "lasting": lasting,
    "literal": literal,
    "score": score,
    "sentence": sentence,
    "shown": shown,
}
