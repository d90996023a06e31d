"""The registry as a person wants to see it: its endpoints, and all about one of them."""

from dataclasses import dataclass
from typing import Any

from server.service.history import Days, Moment
from server.service.registry import Registry
from server.storage.registry.algorithms import label_of
from server.storage.registry.listing import Page
from server.storage.registry.standing import Standing, standings

# What of each a page shows at most.
ENDPOINTS, ALGORITHMS, TESTS = 1000, 100, 20
# Statuses in the order in which people look for them.
ORDER = ("production", "ab_testing", "testing", "inactive")


@dataclass(frozen=True)
class EndpointView:
    """An endpoint with its algorithms, its last days, and its tests; entries are those of the lists.

    `algorithm_count` and `ended_count` count also those that are not among the entries. `test` runs; `labels` names
    its algorithms, too.
    """

    endpoint: dict[str, Any]
    algorithms: list[dict[str, Any]]
    algorithm_count: int
    days: Days
    test: dict[str, Any] | None
    moments: list[Moment]
    ended: list[dict[str, Any]]
    ended_count: int
    labels: dict[int, str]


def overview(registry: Registry) -> list[Standing]:
    """The endpoints, oldest first.

    Raises:
        RegistryUnavailable: the database cannot be reached.
    """
    registry.registration.ensure()
    with registry.database.reading() as connection:
        return standings(connection, ENDPOINTS)


def view(registry: Registry, number: int) -> EndpointView:
    """All about the endpoint of this number.

    Raises:
        NoSuchEntry: there is none.
        RegistryUnavailable: the database cannot be reached.
    """
    endpoint = registry.entries.one("endpoints", number)
    algorithms, algorithm_count = _algorithms(registry, number)
    running, _, _ = registry.entries.page("abtests", {"parent_endpoint": number, "status": "running"}, Page(1))
    ended, _, ended_count = registry.entries.page(
        "abtests", {"parent_endpoint": number, "status": "ended"}, Page(TESTS, newest_first=True)
    )
    return EndpointView(
        endpoint=endpoint,
        algorithms=algorithms,
        algorithm_count=algorithm_count,
        days=registry.history.days(number),
        test=running[0] if running else None,
        moments=registry.history.moments(running[0]) if running else [],
        ended=ended,
        ended_count=ended_count or 0,
        labels={one["id"]: label_of(one["name"], one["version"]) for one in algorithms},
    )


def _algorithms(registry: Registry, endpoint: int) -> tuple[list[dict[str, Any]], int]:
    """Those that are used come first, of the same status the newest; and how many there are."""
    found: list[dict[str, Any]] = []
    count = 0
    for status in ORDER:
        filters = {"parent_endpoint": endpoint, "status": status}
        entries, _, known = registry.entries.page("mlalgorithms", filters, Page(ALGORITHMS, newest_first=True))
        found += entries
        count += known or 0
    return found[:ALGORITHMS], count
