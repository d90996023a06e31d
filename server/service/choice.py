"""Which algorithm answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.config import STATUSES
from server.errors import BadRequest, did_you_mean
from server.service.abtest import drawn_side
from server.storage.registry.algorithms import Candidate

Problem = Callable[[Candidate], str | None]
USUAL, UNDER_TEST, INACTIVE = "production", "ab_testing", "inactive"


@dataclass(frozen=True)
class Asked:
    """What a request says of the algorithm that it wants; the same subject always gets the same side of a test."""

    status: str | None = None
    version: str | None = None
    subject: str | None = None

    def check(self) -> None:
        """Accept a status that algorithms can have and that answers.

        Raises:
            BadRequest: another one, or a version of what is drawn.
        """
        usable = [status for status in STATUSES if status != INACTIVE]
        if self.status == INACTIVE:
            raise BadRequest(f"an inactive algorithm is never used; ask for one of {', '.join(usable)}")
        if self.status is not None and self.status not in usable:
            hint = did_you_mean(self.status, usable) or f"; known: {', '.join(usable)}"
            raise BadRequest(f"unknown status {self.status!r}{hint}")
        if self.status == UNDER_TEST and self.version is not None:
            raise BadRequest("status=ab_testing draws one of the two algorithms of the test; leave version out")

    @property
    def wanted(self) -> str:
        """The status of the algorithms that may answer."""
        return self.status or USUAL


def chosen(asked: Asked, endpoint: str, found: Sequence[Candidate], problem: Problem) -> Candidate:
    """One of those found, which have the status that was asked for, oldest first; there is one at least.

    Raises:
        BadRequest: none of them, or more than one, is meant, or none can be used.
    """
    if asked.wanted == UNDER_TEST:
        return _drawn(asked, found, problem)
    # A query spells a space with a plus, and later versions have one.
    spellings = () if asked.version is None else (asked.version, asked.version.replace(" ", "+"))
    fitting = [one for one in found if not spellings or one.version in spellings]
    if not fitting:
        known = ", ".join(dict.fromkeys(one.version for one in found))
        raise BadRequest(
            f"{endpoint} has no algorithm of version {asked.version!r} with status {asked.wanted}; known: {known}"
        )
    if asked.status is not None or asked.version is not None:
        if len(fitting) > 1:
            several = ", ".join(one.label for one in fitting)
            raise BadRequest(
                f"the choice is ambiguous: {len(fitting)} algorithms of {endpoint} have status {asked.wanted} "
                f"({several}); name one by version="
            )
        return fitting[0]
    problems = []
    for one in fitting:
        reason = problem(one)
        if reason is None:
            return one
        problems.append(f"{one.label}: {reason}")
    raise BadRequest(f"no algorithm of {endpoint} in production can be used: {'; '.join(problems)}")


def _drawn(asked: Asked, found: Sequence[Candidate], problem: Problem) -> Candidate:
    sides = {one.side: one for one in found if one.side is not None}
    test = next((one.abtest for one in sides.values()), None)
    if test is None or len(sides) != 2:
        raise BadRequest("the test ended a moment ago; ask again")
    for one in sides.values():
        reason = problem(one)
        if reason is not None:
            # The other side alone would be compared with nothing.
            raise BadRequest(f"the test {test} cannot go on: {one.label} cannot be used: {reason}")
    return sides[drawn_side(test, asked.subject)]


def nobody(asked: Asked, endpoint: str, known: Sequence[Candidate]) -> BadRequest:
    """The error where no algorithm has the status that was asked for; `known` are all of the endpoint."""
    told = f"{endpoint} has no algorithm with status {asked.wanted}"
    if not known:
        return BadRequest(f"{told}: it has no algorithm at all")
    if asked.wanted == UNDER_TEST:
        return BadRequest(f"{told}: no test of it is running")
    tested = [one.label for one in known if one.status == UNDER_TEST]
    if tested:
        return BadRequest(f"{told}: {' and '.join(tested)} are being tested; ask with ?status=ab_testing")
    others = ", ".join(f"{one.label} ({one.status or 'no status'})" for one in known[-10:])
    return BadRequest(f"{told}; it has {others}")
