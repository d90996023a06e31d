"""Reading workbooks and Feather files in a process with a memory limit.

Their readers are native code that trusts the file: one far cell, a repeated cell, a compressed buffer or a
wrong offset takes all memory or ends the process. Here it ends the child. The child answers with an
uncompressed Arrow stream on its standard output; its exit status says what went wrong.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

from server.config import Limits
from server.errors import BadRequest, TooLarge
from server.tables.confined_reader import GROWS, SECONDS, UNREADABLE

# pyarrow would import both, at 0.4 s, and work without.
WITHOUT = "import sys; sys.modules.update(numpy=None, pandas=None)"
START = f"{WITHOUT}; from server.tables.confined_reader import main; main()"
ROOT = str(Path(__file__).parents[2])


def read_confined(content: bytes, name: str, limits: Limits, what: str) -> pa.Table:
    """The table in a workbook ("workbook"), a Feather file ("feather") or a nested Parquet file ("parquet").

    Raises:
        BadRequest: the file is damaged.
        TooLarge: it grows beyond limits.unpacked_mb, or takes too long.
    """
    most = int(limits.unpacked_mb * 2**20)
    environment = {"PYTHONPATH": ROOT, "PATH": os.environ.get("PATH", ""), "ARROW_DEFAULT_MEMORY_POOL": "system"}
    child = subprocess.run(
        [sys.executable, "-c", START, name, str(most)], input=content, capture_output=True, env=environment, check=False
    )
    if child.returncode == 0:
        return pyarrow.ipc.open_stream(child.stdout).read_all()
    if child.returncode == -signal.SIGXCPU:
        raise TooLarge(
            f"{what} takes longer than {SECONDS} seconds of processor time to read; send fewer rows, or a CSV file"
        )
    # Rust aborts when memory cannot be had; the kernel kills.
    if child.returncode in (GROWS, -6, -9):
        raise TooLarge(
            f"{what} grows beyond {limits.unpacked_mb:g} MiB when it is unpacked (server.limits.unpacked_mb), or far "
            "beyond what a table of its size takes; save only the part that holds rows"
        )
    reason = child.stderr.decode(errors="replace").strip().splitlines()[-1:] if child.returncode == UNREADABLE else []
    raise BadRequest(f"{what} is damaged or not what it says{': ' + reason[0][:300] if reason else ''}")
