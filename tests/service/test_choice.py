"""Which algorithm answers."""

import pytest

from server.errors import BadRequest
from server.service.choice import Asked, chosen, nobody
from server.storage.registry.algorithms import Candidate


def candidate(number, status="production", version=None, **changes):
    return Candidate(number, "forest", version or str(number), "classifier", None, status, **changes)


def pick(asked, *found, broken=()):
    return chosen(asked, "iris", found, lambda one: "it is broken" if one.id in broken else None).id


def test_without_a_status_the_oldest_in_production_answers():
    assert pick(Asked(), candidate(1), candidate(2)) == 1


def test_one_that_cannot_be_used_is_passed_over():
    assert pick(Asked(), candidate(1), candidate(2), broken=[1]) == 2


def test_where_none_can_be_used_all_reasons_are_told():
    with pytest.raises(BadRequest, match="forest 1: it is broken; forest 2: it is broken"):
        pick(Asked(), candidate(1), candidate(2), broken=[1, 2])


def test_several_of_a_status_are_ambiguous_unless_the_version_decides():
    testing = [candidate(1, "testing"), candidate(2, "testing")]
    with pytest.raises(BadRequest, match=r"ambiguous.*forest 1, forest 2.*version="):
        pick(Asked("testing"), *testing)
    assert pick(Asked("testing", "2"), *testing) == 2


def test_a_version_that_there_is_not_is_told_with_those_that_there_are():
    with pytest.raises(BadRequest, match="no algorithm of version '3' with status production; known: 1, 2"):
        pick(Asked(version="3"), candidate(1), candidate(2))


def sides():
    return [candidate(1, "ab_testing", abtest=7, side=0), candidate(2, "ab_testing", abtest=7, side=1)]


def test_both_sides_of_a_test_answer():
    assert {pick(Asked("ab_testing"), *sides()) for _ in range(50)} == {1, 2}


def test_a_subject_keeps_its_side():
    picked = {subject: pick(Asked("ab_testing", subject=subject), *sides()) for subject in map(str, range(50))}
    assert set(picked.values()) == {1, 2}
    assert all(pick(Asked("ab_testing", subject=subject), *sides()) == side for subject, side in picked.items())


def test_the_other_side_never_answers_for_one_that_cannot_be_used():
    with pytest.raises(BadRequest, match="the test 7 cannot go on: forest 2 cannot be used: it is broken"):
        pick(Asked("ab_testing"), *sides(), broken=[2])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked("prodution"), "did you mean 'production'"),
        (Asked("inactive"), "an inactive algorithm is never used"),
        (Asked("ab_testing", "1"), "leave version out"),
    ],
)
def test_what_nobody_can_answer_is_refused(asked, words):
    with pytest.raises(BadRequest, match=words):
        asked.check()


def test_where_nobody_has_the_status_it_is_told_who_has_which():
    assert (
        "it has forest 1 (testing), forest 2 (no status)"
        in nobody(Asked(), "iris", [candidate(1, "testing"), candidate(2, None)]).detail
    )
    assert "ask with ?status=ab_testing" in nobody(Asked(), "iris", sides()).detail
    assert "no algorithm at all" in nobody(Asked(), "iris", []).detail
