"""Inference: requests take turns, and threads that wait do not spin."""

import os
import threading
import time

import pytest

from server.estimators.text_folder import Head, read_folder
from tests.tiny import tiny_model

pytestmark = pytest.mark.slow


def test_one_text_does_not_wait_for_all_texts_of_another_request(tmp_path):
    # Torch takes seconds to import; collecting the tests must not wait for it.
    from server.estimators.network import Network

    network = Network.load(read_folder(tiny_model(tmp_path)), Head.SEQUENCE)
    sizes: list[int] = []
    begun = threading.Event()

    def slowly(module, inputs, named):
        sizes.append(len(named["input_ids"]))
        begun.set()
        time.sleep(0.02)

    network.model.register_forward_pre_hook(slowly, with_kwargs=True)
    bulk = threading.Thread(target=network.of_texts, args=(["a good movie"] * 2000,))
    bulk.start()
    assert begun.wait(30)
    network.of_texts(["a bad film"])
    bulk.join()
    assert len(sizes) > 30
    assert sizes.index(1) < len(sizes) / 2


def test_threads_that_wait_leave_the_cores_to_others():
    import server.estimators.network  # noqa: F401 - it sets what torch reads

    assert os.environ["OMP_WAIT_POLICY"].lower() == "passive"
