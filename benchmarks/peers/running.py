"""A peer with its files in a folder, and its server there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.catalogue import Peer
from benchmarks.peers.environments import last_line, run, surroundings
from benchmarks.processes import Failed, Server, free_port, started


def prepare(peer: Peer, programs: Path, model: Path, folder: Path) -> None:
    """Make a folder with the peer's files and `model.pkl`. Raises: Failed."""
    if peer.installed:
        shutil.copytree(peer.folder, folder)
    else:
        folder.mkdir()
    shutil.copy(model, folder / "model.pkl")
    if peer.before:
        run([str(programs / peer.before[0]), *peer.before[1:]], folder, surroundings(programs))


@contextmanager
def serving(peer: Peer, programs: Path, folder: Path) -> Iterator[Server]:
    """The peer's server in its folder, until the block ends. Raises: Failed with the last line of its log."""
    ports = {name: free_port() for name in ("port", "spare", "other")}
    command = [str(programs / peer.command[0]), *(part.format(**ports) for part in peer.command[1:])]
    own = {name: value.format(**ports) for name, value in peer.environment.items()}
    log = folder / "log.txt"
    try:
        with started(
            command, ports["port"], peer.ready, surroundings(programs) | own, folder=folder, log=log
        ) as server:
            yield server
    except Failed as error:
        raise Failed(f"{error}; its log ends: {last_line(log.read_text(errors='replace'))}") from error
