"""The child of `reading`: reads one document after another, within limits that end it rather than the machine."""

import ctypes
import json
import os
import resource
import signal
import stat
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from server.documents.formats import document_text
from server.documents.names import OUT_OF_MEMORY
from server.documents.plain import Unreadable

# prctl(2): the signal that a process gets when the one that started it ends.
PR_SET_PDEATHSIG = 1


def main() -> None:
    """The child: arguments are the connection's descriptor, the parent's process, and the limits."""
    descriptor, parent, most_bytes, most_characters, memory = map(int, sys.argv[1:])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    # The terminal's Ctrl-C is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _confine(memory)
    connection = Connection(descriptor)
    connection.send_bytes(b"ready")
    while True:
        try:
            path, kind = json.loads(connection.recv_bytes())
        except EOFError:
            return
        connection.send_bytes(json.dumps(_answer(Path(path), kind, most_bytes, most_characters)).encode())


def _confine(memory: int) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Reading writes nothing.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _answer(path: Path, kind: str, most_bytes: int, most_characters: int) -> dict[str, str]:
    try:
        return {"text": document_text(_content(path, most_bytes), kind, most_characters)}
    except Unreadable as reason:
        return {"reason": str(reason)}
    except MemoryError:
        return {"reason": OUT_OF_MEMORY}


def _content(path: Path, most: int) -> bytes:
    try:
        # Links were resolved before. NONBLOCK, as opening a pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise Unreadable("is no file")
            if facts.st_size > most:
                raise Unreadable(f"is larger than {most / 2**20:.3g} MiB")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(facts.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreadable(f"cannot be opened: {(error.strerror or 'the name is wrong').lower()}") from error
