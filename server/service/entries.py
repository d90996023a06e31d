"""The registry's lists as clients read them."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from server.errors import NoSuchEntry
from server.service.registration import GONE, Registration
from server.storage.registry.connection import RegistryDatabase
from server.storage.registry.listing import LISTINGS, Page, count_of, row_of, rows_of

# What can hold very many rows is not counted.
UNCOUNTED = frozenset({"mlrequests"})
SINGULAR = {
    "endpoints": "endpoint",
    "mlalgorithms": "algorithm",
    "mlalgorithmstatuses": "status",
    "mlrequests": "request",
    "abtests": "test",
}


def known_filters(name: str) -> tuple[str, ...]:
    """The filters of a list."""
    return tuple(LISTINGS[name].filters)


class Entries:
    """Endpoints, algorithms, statuses, requests and tests: one, or a page of them."""

    def __init__(self, database: RegistryDatabase, registration: Registration) -> None:
        self._database = database
        self._registration = registration
        self._told: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "mlalgorithms": self._algorithm,
            "mlrequests": request_told,
        }

    def page(self, name: str, filters: Mapping[str, Any], page: Page) -> tuple[list[dict[str, Any]], bool, int | None]:
        """The entries of the page, whether there are more behind it, and how many there are where that is counted.

        Raises:
            RegistryUnavailable: the database cannot be reached.
        """
        self._registration.ensure()
        one_more = Page(page.limit + 1, page.after, page.offset, page.newest_first)
        with self._database.reading() as connection:
            found = rows_of(connection, name, filters, one_more)
            count = None if name in UNCOUNTED else count_of(connection, name, filters)
        return [self._entry(name, row) for row in found[: page.limit]], len(found) > page.limit, count

    def one(self, name: str, number: int) -> dict[str, Any]:
        """The entry of this number.

        Raises:
            NoSuchEntry: there is none.
            RegistryUnavailable: the database cannot be reached.
        """
        self._registration.ensure()
        with self._database.reading() as connection:
            row = row_of(connection, name, number)
        if row is None:
            raise NoSuchEntry(f"there is no {SINGULAR[name]} {number}")
        return self._entry(name, row)

    def tell(self, name: str, told: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Let entries of a list be told by this function of their rows."""
        self._told[name] = told

    def _entry(self, name: str, row: dict[str, Any]) -> dict[str, Any]:
        return with_moments(self._told[name](row) if name in self._told else row)

    def _algorithm(self, row: dict[str, Any]) -> dict[str, Any]:
        declared = self._registration.of(row.pop("endpoint_name"), row["name"], row["version"])
        return row | {"problem": GONE if declared is None else declared.model.glance(row["run"])}


def request_told(row: dict[str, Any]) -> dict[str, Any]:
    """A request with its JSON texts as values."""
    parsed = {name: _parsed(row[name]) for name in ("input_data", "full_response", "response", "feedback")}
    # The answer was written down before it had a number.
    return row | parsed | {"full_response": parsed["full_response"] | {"request_id": row["id"]}}


def with_moments(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with moments as text: ISO 8601, UTC."""
    return {name: moment_text(value) if isinstance(value, datetime) else value for name, value in row.items()}


def moment_text(moment: datetime) -> str:
    """The moment in ISO 8601, UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
