"""A registry's database, in SQLite and in PostgreSQL."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from server.storage.registry import abtests
from server.storage.registry.algorithms import Entry, ensure_algorithm, ensure_endpoint
from server.storage.registry.connection import RegistryDatabase

KINDS = ("sqlite", "postgresql")


@pytest.fixture
def make_url(tmp_path, request) -> Callable[[str], str]:
    """The URL of a new, empty database of the kind."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/registry.db"
        return request.getfixturevalue("postgres").fresh_url()

    return make


@pytest.fixture(params=KINDS)
def database(make_url, request) -> Iterator[RegistryDatabase]:
    found = RegistryDatabase(make_url(request.param))
    yield found
    found.close()


@pytest.fixture
def add_algorithm(database) -> Callable[..., int]:
    """Put an algorithm of the endpoint `iris` into the registry; its number."""

    def add(name: str = "forest", status: str = "testing", version: str = "1", **changes: Any) -> int:
        given = {"model_type": "classifier", "description": "", "code": "", "owner": ""} | changes
        with database.writing() as connection:
            endpoint = ensure_endpoint(connection, "iris", "me")
            return ensure_algorithm(connection, endpoint, Entry(name, version, **given), status)

    return add


@pytest.fixture
def begin_test(database) -> Callable[[int, int], int]:
    """Begin a test of two algorithms of the endpoint; its number."""

    def begin(first: int, second: int) -> int:
        with database.writing() as connection:
            return abtests.add(
                connection,
                {
                    "title": "t", "model_type": "classifier", "created_by": None, "min_feedback": 1,
                    "parent_endpoint": 1, "parent_mlalgorithm1": first, "parent_mlalgorithm2": second,
                    "status_before1": "production", "status_before2": "testing",
                },
            )  # fmt: skip

    return begin
