"""A parameter's value as text or JSON → the Python values that it may stand for."""

import ast
import json
from collections.abc import Iterator
from typing import Any

WORDS = {"none": None, "null": None, "true": True, "false": False}
BEYOND_JSON = 2**63


def candidates(value: Any) -> Iterator[Any]:
    """The values that this one may stand for, the likeliest first."""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        yield from _sequences([next(candidates(item)) for item in value])
    if isinstance(value, dict):
        # The keys of class_weight are labels; in JSON every key is text.
        yield {next(candidates(key)): weight for key, weight in value.items()}
    if not isinstance(value, str):
        yield value
        yield from _converted(value)
        return
    yield from _of_text(value.strip())
    yield value


def _of_text(text: str) -> Iterator[Any]:
    if text.lower() in WORDS:
        yield WORDS[text.lower()]
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        yield number
        yield from _converted(number)
    parsed = literal(text)
    if parsed is not None:
        yield from candidates(parsed)


def _converted(value: Any) -> Iterator[Any]:
    if isinstance(value, float) and value.is_integer():
        yield int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value in (0, 1):
        yield bool(value)
    if isinstance(value, (list, tuple)):
        yield from _sequences(list(value))


def _sequences(value: list[Any]) -> Iterator[Any]:
    yield tuple(value)
    yield value


def literal(text: str) -> Any:
    """The list, tuple or object that the text writes down in JSON or Python; None if it does not."""
    text = text.strip()
    if text[:1] not in ("(", "[", "{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def fits_json(value: Any) -> bool:
    """Whether the value can be written down: no integer of more than 64 bits anywhere in it."""
    if isinstance(value, dict):
        return all(map(fits_json, value.keys())) and all(map(fits_json, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(fits_json, value))
    return not isinstance(value, int) or -BEYOND_JSON <= value < BEYOND_JSON
