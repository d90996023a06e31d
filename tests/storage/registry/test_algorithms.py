"""Algorithms are known once, and have one active status."""

import threading

import pytest
import sqlalchemy as sa

from server.storage.registry import algorithms
from server.storage.registry.connection import Conflict
from server.storage.registry.listing import Page, row_of, rows_of

PAGE = Page(1000)


def statuses(database, **filters):
    with database.reading() as connection:
        return rows_of(connection, "mlalgorithmstatuses", filters, PAGE)


def test_an_algorithm_that_is_there_is_not_added_again_and_keeps_its_status(database, add_algorithm):
    first = add_algorithm(status="production")
    with database.writing() as connection:
        algorithms.activate(connection, first, "testing", "anna")
    assert add_algorithm(status="production", description="new words") == first
    with database.reading() as connection:
        told = row_of(connection, "mlalgorithms", first)
    assert (told["current_status"], told["description"]) == ("testing", "new words")


def test_versions_are_told_apart(add_algorithm):
    assert len({add_algorithm(), add_algorithm(version="2"), add_algorithm("tree")}) == 3


def test_the_database_allows_one_active_status(database, add_algorithm):
    number = add_algorithm()
    with pytest.raises(Conflict), database.writing() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO mlalgorithmstatus (status, active, created_at, parent_mlalgorithm) "
                "SELECT 'production', active, created_at, parent_mlalgorithm FROM mlalgorithmstatus"
            )
        )
    assert [row["status"] for row in statuses(database, parent_mlalgorithm=number)] == ["testing"]


def test_changes_at_once_leave_one_active_status(database, add_algorithm):
    number = add_algorithm()

    def change() -> None:
        for status in ("production", "testing", "inactive"):
            with database.writing() as connection:
                algorithms.locked(connection, {number})
                algorithms.activate(connection, number, status, None)

    threads = [threading.Thread(target=change) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = statuses(database, parent_mlalgorithm=number)
    assert len(found) == 25
    assert sum(row["active"] for row in found) == 1


def test_candidates_are_those_with_the_status_oldest_first(database, add_algorithm):
    first, second = add_algorithm(status="production"), add_algorithm("tree", "production")
    add_algorithm("other")
    with database.reading() as connection:
        assert [one.id for one in algorithms.candidates(connection, "iris", "production")] == [first, second]
        assert algorithms.candidates(connection, "nobody", "production") == []
        assert algorithms.all_candidates(connection, "nobody") is None
        assert len(algorithms.all_candidates(connection, "iris")) == 3


def test_two_versions_cannot_stand_for_the_same_run(database, add_algorithm):
    first, second = add_algorithm(), add_algorithm(version="2")
    with database.writing() as connection:
        algorithms.set_run(connection, first, "run")
    with pytest.raises(Conflict), database.writing() as connection:
        algorithms.set_run(connection, second, "run")


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"parent_endpoint": "iris"}, 2),
        ({"parent_endpoint": 1}, 2),
        ({"parent_endpoint": "x"}, 0),
        ({"status": "testing"}, 1),
    ],
)
def test_algorithms_are_filtered(database, add_algorithm, filters, count):
    add_algorithm(), add_algorithm("tree", "production")
    with database.reading() as connection:
        assert len(rows_of(connection, "mlalgorithms", filters, PAGE)) == count


def test_pages_follow_one_another_in_both_orders(database, add_algorithm):
    numbers = [add_algorithm(version=str(version)) for version in range(5)]
    with database.reading() as connection:

        def page(**given):
            return [row["id"] for row in rows_of(connection, "mlalgorithms", {}, Page(2, **given))]

        assert page() == numbers[:2]
        assert page(after=numbers[1]) == numbers[2:4]
        assert page(offset=4) == numbers[4:]
        assert page(newest_first=True, after=numbers[3]) == [numbers[2], numbers[1]]
