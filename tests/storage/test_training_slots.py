"""So many trainings run at once as there are slots, whoever dies."""

import os
import signal
import subprocess
import sys
import threading
import time

from server.storage.training_slots import TrainingSlots
from tests.conftest import ROOT

HOLDS = """
import sys, time
from pathlib import Path
from server.storage.training_slots import TrainingSlots
with TrainingSlots(Path(sys.argv[1]), 1).held():
    print("held", flush=True)
    time.sleep(60)
"""


def test_as_many_hold_a_slot_as_there_are(tmp_path):
    slots = TrainingSlots(tmp_path, 2)
    inside, most, counting = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with slots.held():
            with counting:
                inside += 1
                most = max(most, inside)
            time.sleep(0.05)
            with counting:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (inside, most) == (0, 2)


def test_a_slot_is_free_when_its_holder_was_killed(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        entered = threading.Event()

        def enter() -> None:
            with TrainingSlots(tmp_path, 1).held():
                entered.set()

        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.3)
        os.kill(holder.pid, signal.SIGKILL)
        assert entered.wait(10)
        thread.join()


def test_without_a_bound_nothing_is_waited_for_or_written(tmp_path):
    slots = TrainingSlots(tmp_path / "slots", None)
    with slots.held(), slots.held():
        assert not (tmp_path / "slots").exists()
