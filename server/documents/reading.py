"""Reading documents in a child process: what a file makes of its reader ends the child, and the next file is read."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

from server.documents.names import OUT_OF_MEMORY, READABLE, format_of
from server.errors import TrainingFailed

START = "from server.documents.reader import main; main()"
ROOT = str(Path(__file__).parents[2])
START_TIMEOUT = 120.0
REPORT_EVERY = 0.5
ENDED = "is damaged, or needs too much memory to read"


@dataclass(frozen=True)
class DocumentLimits:
    """What one document may take: MiB of its file, seconds, characters of its text, MiB of memory while it is read."""

    mb: float = 20
    seconds: float = 20
    characters: int = 1_000_000
    memory_mb: float = 1024


@dataclass(frozen=True)
class Document:
    """One document that was read; `name` is its path within the folder, such as 'cv/anna.pdf'."""

    name: str
    label: str
    text: str


@dataclass(frozen=True)
class Untreated:
    """One document that was not read; the reason follows the name in a sentence: 'is encrypted'."""

    name: str
    label: str
    reason: str


@dataclass(frozen=True)
class Reading:
    """What became of the documents, each list in the order in which they were given."""

    documents: list[Document]
    untreated: list[Untreated]


def _silent(read: int, of: int) -> None:
    """Nobody wants to know."""


def read_documents(
    files: Mapping[str, Sequence[Path]],
    root: Path,
    limits: DocumentLimits,
    report: Callable[[int, int], None] = _silent,
) -> Reading:
    """The texts of each label's files; `report(read, of)` is told first, twice a second, and last.

    A file that is damaged, encrypted, empty, too large or too slow, of another format, or a link that leads out of
    `root`, is listed as untreated.

    Raises:
        TrainingFailed: the reading process cannot be started on this machine.
    """
    reading = Reading([], [])
    top = root.resolve()
    pairs = [(label, path) for label, paths in files.items() for path in paths]
    reported = time.monotonic()
    report(0, len(pairs))
    with _Reader(limits) as reader:
        for count, (label, path) in enumerate(pairs, 1):
            name = _shown(path, label, root)
            text, reason = _read(path, top, reader)
            if reason:
                reading.untreated.append(Untreated(name, label, reason))
            else:
                reading.documents.append(Document(name, label, text))
            if count == len(pairs) or time.monotonic() - reported >= REPORT_EVERY:
                reported = time.monotonic()
                report(count, len(pairs))
    return reading


def _shown(path: Path, label: str, root: Path) -> str:
    """The name in Unicode, which the disk does not promise."""
    name = next((str(path.relative_to(top)) for top in (root, root.resolve()) if path.is_relative_to(top)), None)
    return os.fsencode(name or f"{label}/{path.name}").decode(errors="replace")


def _read(path: Path, top: Path, reader: "_Reader") -> tuple[str, str]:
    """Text and reason, one of them empty."""
    kind = format_of(path)
    if kind is None:
        return "", f"is in no format that is read: {READABLE}"
    try:
        target = path.resolve()
    except (OSError, RuntimeError, ValueError):
        return "", "is a link that leads nowhere"
    if not target.is_relative_to(top):
        return "", "is a link that leads out of the folder of documents"
    return reader.read(target, kind)


class _Reader:
    """The child: started at the first document, and anew when one has ended it."""

    def __init__(self, limits: DocumentLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def read(self, path: Path, kind: str) -> tuple[str, str]:
        """Text and reason, one of them empty."""
        fresh = self._read == 0
        text, reason = self._ask(path, kind)
        if reason not in (OUT_OF_MEMORY, ENDED):
            return text, reason
        self._stop()
        # Documents before may have left little memory to this one.
        return (text, reason) if fresh else self.read(path, kind)

    def _ask(self, path: Path, kind: str) -> tuple[str, str]:
        connection = self._connection or self._start()
        self._read += 1
        try:
            connection.send_bytes(json.dumps([str(path), kind]).encode())
            if not connection.poll(self._limits.seconds):
                self._stop()
                return "", f"takes longer than {self._limits.seconds:g} s to read"
            answer = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return "", OUT_OF_MEMORY if self._stop() == -signal.SIGKILL else ENDED
        return answer.get("text", ""), answer.get("reason", "")

    def _start(self) -> Connection:
        limits = self._limits
        ours, theirs = Pipe()
        environment = {"PYTHONPATH": ROOT, "PATH": os.environ.get("PATH", ""), "PYTHONUTF8": "1"}
        numbers = [theirs.fileno(), os.getpid(), limits.mb * 2**20, limits.characters, limits.memory_mb * 2**20]
        self._process = subprocess.Popen(
            # -P: no module of the folder in which the server was started.
            [sys.executable, "-P", "-c", START, *(str(int(number)) for number in numbers)],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        self._connection = ours
        with contextlib.suppress(EOFError, OSError):
            if ours.poll(START_TIMEOUT) and ours.recv_bytes():
                return ours
        raise TrainingFailed(f"the process that reads documents did not start (status {self._stop()})")

    def _stop(self) -> int | None:
        """End the child; the status with which it ended, if it did so by itself."""
        if self._process is None or self._connection is None:
            return None
        self._connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Whoever is not busy ends now.
            self._process.wait(0.05)
        status = self._process.poll()
        self._process.kill()
        self._process.wait()
        self._process = self._connection = None
        self._read = 0
        return status
