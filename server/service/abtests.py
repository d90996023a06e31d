"""A/B tests: begun, watched, and stopped once, with or without a promotion."""

import json
from collections.abc import Mapping
from typing import Any

from server.errors import BadRequest, NoSuchEntry
from server.service.abtest import METRICS, Comparison, compared
from server.service.choice import UNDER_TEST, USUAL
from server.service.entries import Entries
from server.service.registration import Registration
from server.storage.registry import abtests, algorithms, sums
from server.storage.registry.algorithms import Held
from server.storage.registry.connection import Conflict, Connection, RegistryDatabase
from server.storage.registry.sums import Tally
from server.tables.writing import plain_json

LOSER = "testing"


class ABTests:
    """The tests of all endpoints."""

    def __init__(self, database: RegistryDatabase, registration: Registration, entries: Entries) -> None:
        self._database = database
        self._registration = registration
        self._entries = entries
        entries.tell("abtests", self._told)

    def start(self, title: str, by: str | None, first: int, second: int, min_feedback: int) -> dict[str, Any]:
        """Begin to compare two algorithms; the test.

        Raises:
            BadRequest: they cannot be compared, or one of them cannot answer; nothing is changed.
        """
        self._registration.ensure()
        if first == second:
            raise BadRequest("a test compares two algorithms; parent_mlalgorithm1 and parent_mlalgorithm2 are the same")
        self._check_usable(first, second)
        try:
            with self._database.writing() as connection:
                sides = _checked(connection, first, second)
                test = abtests.add(
                    connection,
                    {
                        "title": title,
                        "model_type": sides[0].model_type,
                        "created_by": by,
                        "min_feedback": min_feedback,
                        "parent_endpoint": sides[0].endpoint,
                        "parent_mlalgorithm1": first,
                        "parent_mlalgorithm2": second,
                        "status_before1": sides[0].status,
                        "status_before2": sides[1].status,
                    },
                )
                for side in sides:
                    algorithms.activate(connection, side.id, UNDER_TEST, by)
        except Conflict:
            # Another test of other algorithms of the endpoint began at this moment.
            raise BadRequest("the endpoint has a running test; stop it first") from None
        return self._entries.one("abtests", test)

    def stop(self, number: int, promote: bool) -> dict[str, Any]:
        """End a test: the better algorithm goes into production, or both get back what they were; the test.

        Raises:
            NoSuchEntry: there is no such test.
            BadRequest: it has ended, or a side has too little feedback for a promotion; nothing is changed.
        """
        with self._database.writing() as connection:
            test = abtests.locked(connection, number)
            if test is None:
                raise NoSuchEntry(f"there is no test {number}")
            if test["ended_at"] is not None:
                raise BadRequest(f"test {number} has ended already")
            held = algorithms.locked(connection, _numbers(test))
            labels = [held[side].label for side in _numbers(test)]
            sides = _sides(sums.tallies(connection, number), test)
            if promote:
                _check_feedback(sides, labels, test["min_feedback"])
            told = compared(test["model_type"], *sides)
            promoted = _promoted(told, test) if promote else None
            after = _statuses_after(test, promoted)
            for side, status in zip(_numbers(test), after, strict=True):
                algorithms.activate(connection, side, status, test["created_by"])
            verdict = _verdict(test, sides, told, promoted)
            abtests.end(connection, number, _summary(told, sides, labels, after, promote), plain_json(verdict))
        return self._entries.one("abtests", number)

    def _check_usable(self, *numbers: int) -> None:
        for number in numbers:
            with self._database.reading() as connection:
                found = algorithms.placed(connection, number)
            if found is None:
                raise BadRequest(f"there is no algorithm {number}")
            reason = self._registration.problem(*found)
            if reason is not None:
                raise BadRequest(f"{found[1].label} cannot be used: {reason}")

    def _told(self, row: dict[str, Any]) -> dict[str, Any]:
        """The test with its verdict, or as it stands now."""
        hidden = ("verdict", "status_before1", "status_before2")
        shown = {name: value for name, value in row.items() if name not in hidden}
        if row["verdict"] is not None:
            return shown | json.loads(row["verdict"])
        with self._database.reading() as connection:
            sides = _sides(sums.tallies(connection, row["id"]), row)
        return shown | _verdict(row, sides, compared(row["model_type"], *sides), None)


def _numbers(test: Mapping[str, Any]) -> tuple[int, int]:
    return test["parent_mlalgorithm1"], test["parent_mlalgorithm2"]


def _sides(tallies: Mapping[int, Tally], test: Mapping[str, Any]) -> tuple[Tally, Tally]:
    first, second = (tallies.get(number, Tally()) for number in _numbers(test))
    return first, second


def _checked(connection: Connection, first: int, second: int) -> tuple[Held, Held]:
    """Both algorithms, if they can be compared; nobody else can change them."""
    held = algorithms.locked(connection, {first, second})
    missing = [number for number in (first, second) if number not in held]
    if missing:
        raise BadRequest(f"there is no algorithm {missing[0]}")
    one, other = held[first], held[second]
    if one.endpoint != other.endpoint:
        raise BadRequest(f"{one.label} and {other.label} belong to different endpoints and cannot be compared")
    if one.model_type != other.model_type:
        raise BadRequest(
            f"{one.label} is a {one.model_type} and {other.label} a {other.model_type}; a test compares two of one type"
        )
    running = abtests.running(connection, one.endpoint)
    for side in (one, other):
        if side.status == UNDER_TEST:
            raise BadRequest(f"{side.label} is in the running test {running}; stop that first")
        if side.status in (None, "inactive"):
            raise BadRequest(
                f"{side.label} has {'no status' if side.status is None else 'status inactive'}; "
                "only what is in production or testing can be tested"
            )
    if running is not None:
        raise BadRequest(f"the endpoint has a running test, {running}; stop it first")
    return one, other


def _check_feedback(sides: tuple[Tally, Tally], labels: list[str], least: int) -> None:
    for side, label in zip(sides, labels, strict=True):
        if side.feedback < least:
            raise BadRequest(
                f"{label} has feedback for {side.feedback} of its {side.requests} requests in this test, and {least} "
                "are needed for a verdict (min_feedback); send more, or stop with promote=false"
            )


def _promoted(told: Comparison, test: Mapping[str, Any]) -> int:
    """The side that goes into production: the better one; of equals the one that was there, else the first."""
    if told.better is not None:
        return told.better
    return int(test["status_before1"] != USUAL and test["status_before2"] == USUAL)


def _statuses_after(test: Mapping[str, Any], promoted: int | None) -> list[str]:
    if promoted is None:
        return [test["status_before1"], test["status_before2"]]
    return [USUAL if side == promoted else LOSER for side in (0, 1)]


def _verdict(
    test: Mapping[str, Any], sides: tuple[Tally, Tally], told: Comparison, promoted: int | None
) -> dict[str, Any]:
    """The fields of a test beside those of its row; algorithms by their numbers."""
    numbers = _numbers(test)
    return {
        "metric": METRICS[test["model_type"]],
        "score1": told.score1,
        "score2": told.score2,
        "difference": told.difference,
        "interval": told.interval,
        "requests1": sides[0].requests,
        "requests2": sides[1].requests,
        "feedback1": sides[0].feedback,
        "feedback2": sides[1].feedback,
        "winner": None if told.winner is None else numbers[told.winner],
        "promoted": None if promoted is None else numbers[promoted],
    }


def _summary(told: Comparison, sides: tuple[Tally, Tally], labels: list[str], after: list[str], promoted: bool) -> str:
    """All that the test told, for people."""
    scores = (told.score1, told.score2)
    parts = [
        f"{label} {'unknown' if score is None else f'{score:.4g}'} "
        f"({side.requests} requests, {side.feedback} with feedback)"
        for label, score, side in zip(labels, scores, sides, strict=True)
    ]
    sentences = [f"{told.metric}: {parts[0]}, {parts[1]}"]
    if told.difference is not None:
        interval = "too few for an interval"
        if told.interval is not None:
            interval = f"95 % confidence interval {told.interval[0]:.4g} to {told.interval[1]:.4g}"
        sentences.append(f"difference {told.difference:.4g} ({interval})")
    ending = f"{labels[0]} is now {after[0]}, {labels[1]} {after[1]}"
    return "; ".join(sentences) + f". {ending}." if promoted else "; ".join(sentences) + f". Not promoted: {ending}."
