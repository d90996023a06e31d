"""How many requests of a process may wait for trainings."""

import pytest

from server.errors import NotReady
from server.web import waiting as module
from server.web.waiting import keep_threads, waiting


@pytest.fixture
def room(monkeypatch):
    """The process's own, as it was before afterwards."""
    monkeypatch.setattr(module._Room, "most", None)
    return module._Room


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 6), (12, 9), (100, 75)])
def test_some_threads_never_wait(room, threads, most):
    keep_threads(threads)
    assert room.most == most


@pytest.mark.parametrize("seconds", [None, 5.0, 0.0])
def test_without_gunicorn_any_number_waits(room, seconds):
    with waiting(seconds) as first, waiting(seconds) as second:
        assert (first, second) == (seconds, seconds)


def test_who_finds_no_room_is_refused_or_does_not_wait(room):
    keep_threads(3)
    with waiting(0) as none, waiting(5) as some:
        assert (none, some) == (0, 5)
        with waiting(5) as later, waiting(0) as at_once:
            assert (later, at_once) == (0, 0)
        with (
            pytest.raises(NotReady, match="with 'Prefer: respond-async' the answer comes at once") as refused,
            waiting(None),
        ):
            pass
        assert refused.value.retry_after == 10
    with waiting(None) as again:
        assert again is None


def test_a_failure_leaves_the_place(room):
    keep_threads(1)
    for _ in range(2):
        with pytest.raises(KeyError), waiting(None):
            raise KeyError
