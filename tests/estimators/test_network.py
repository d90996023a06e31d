"""Inference: threads that wait do not spin."""

import os


def test_threads_that_wait_leave_the_cores_to_others():
    import server.estimators.network  # noqa: F401 - it sets what torch reads

    assert os.environ["OMP_WAIT_POLICY"].lower() == "passive"
