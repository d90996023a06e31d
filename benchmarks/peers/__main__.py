"""python -m benchmarks.peers: other model servers beside this one, installed and measured now on this machine."""

import argparse
import os
import platform
import sys
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.peers.catalogue import PEERS, Peer
from benchmarks.peers.comparison import Comparison, bench
from benchmarks.peers.environments import SHARED, default_folder, installed, requirements
from benchmarks.peers.table import HEAD, own_line, peer_line
from benchmarks.processes import CLIENT_CORE, Failed


def main() -> None:
    """Print the table; exit 1 if a peer could not be measured."""
    known = {peer.name: peer for peer in PEERS}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)} (default: all)")
    parser.add_argument("--folder", type=Path, default=default_folder(), help="keeps the environments (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns; the median counts (%(default)s)")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"no peer is called {unknown[0]}; known: {', '.join(known)}")
    if arguments.rounds < 1:
        parser.error("--rounds takes 1 or more")
    chosen = [peer for name, peer in known.items() if name in (arguments.names or known)]
    # All before any is measured: pip takes every core.
    programs = _installed(chosen, arguments.folder.absolute())
    ready = [peer for peer in chosen if peer.name in programs]
    done = _measured(ready, programs, arguments.rounds) if ready else []
    sys.exit(0 if len(done) == len(chosen) else 1)


def _installed(peers: list[Peer], folder: Path) -> dict[str, Path]:
    """Where the programs of each peer lie that could be installed."""
    programs = {}
    for peer in peers:
        try:
            wanted = requirements(peer.folder / "requirements.txt") if peer.installed else []
            programs[peer.name] = installed(folder / peer.name, wanted) if wanted else Path(sys.executable).parent
        except (Failed, OSError) as error:
            print(f"{peer.name}: not installed: {error}", flush=True)
    return programs


def _measured(peers: list[Peer], programs: dict[str, Path], rounds: int) -> list[Comparison]:
    """Print a line for each peer, one after the other, and one for our own server; what could be compared."""
    done = []
    os.sched_setaffinity(0, {CLIENT_CORE})
    versions = ", ".join(f"{name} {version(name)}" for name in SHARED)
    load = os.getloadavg()[0]
    with TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as name, bench(Path(name)) as beside:
        print(f"Python {platform.python_version()}, {versions}; load {load:.1f}; {rounds} rounds, medians\n\n{HEAD}")
        for peer in peers:
            try:
                done.append(beside.compare(peer, programs[peer.name], Path(name) / peer.name, rounds))
            except (Failed, OSError, HTTPException) as error:
                print(f"{peer.name}: not measured: {error}", flush=True)
            else:
                print(peer_line(peer.name, done[-1]), flush=True)
        if done:
            print(own_line(beside.footprint, done))
    return done


main()
