"""A process that owns a runner: starts a job and waits; the test kills it.

Arguments: the files of `work_on`, and `fork` or `bound`.
"""

import os
import sys
from pathlib import Path

from server.jobs import ProcessRunner
from tests.jobs.work import parent, work_on

if __name__ == "__main__":
    started, go, done = (Path(name) for name in sys.argv[1:4])
    runner = ProcessRunner(["tests.jobs.work"], bound=sys.argv[4:] == ["bound"])
    if sys.argv[4:] == ["fork"]:
        runner.fork_launcher()
    print(runner.run(parent), os.getpid(), flush=True)
    runner.run(work_on, started, go, done)
