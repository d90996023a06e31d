"""Values that must not be kept: those of some columns, wherever they stand in what a client sent or got."""

from collections.abc import Iterable
from typing import Any

REDACTED = "[redacted]"


class Redaction:
    """Leaves the values of these columns out."""

    def __init__(self, columns: Iterable[str]) -> None:
        self._columns = frozenset(columns)

    def concerns(self, value: Any) -> bool:
        """Whether it holds one of the columns, at any depth."""
        if not self._columns:
            return False
        if isinstance(value, dict):
            return not self._columns.isdisjoint(value) or any(map(self.concerns, value.values()))
        return isinstance(value, list) and any(map(self.concerns, value))

    def without(self, value: Any) -> Any:
        """The same without the values of the columns."""
        if isinstance(value, dict):
            return {name: REDACTED if name in self._columns else self.without(own) for name, own in value.items()}
        return [self.without(own) for own in value] if isinstance(value, list) else value
