"""python -m benchmarks.registry_size: what each use of the registry takes with ten million requests of a running test.

They take some minutes to write down, and 4 GB.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.processes import Server
from benchmarks.registry_measures import API, JSON, created, fill, instances, serving, timed
from benchmarks.report import machine

TURNS = 20
DAYS = 29.5
Act = Callable[[bytes], object]


def main() -> None:
    """Print a line for each use: milliseconds of the first time, and the median of those after it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry_size", description=__doc__)
    parser.add_argument(
        "--requests", type=int, default=10_000_000, help="as many are written down (default: 10 million)"
    )
    parser.add_argument("--folder", type=Path, help="a new one, to keep the database (default: a temporary one)")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=folder == Path(temporary))
        with serving(folder, core=None) as server:
            server.rest()
            test = _begun(server)
            sides = [test["parent_mlalgorithm1"], test["parent_mlalgorithm2"]]
            fill(folder / "models" / "server.db", arguments.requests, sides, test["id"], DAYS)
            print(f"{machine()}\n{arguments.requests:,} requests\n\n{'ms':<48}{'first':>10}{'then':>10}")
            rows = instances(TURNS + 1, seed=12)
            for name, act in _uses(server, test, arguments.requests).items():
                first, *then = [timed(act, row) for row in rows]
                print(f"{name:<48}{first:>10.1f}{statistics.median(then):>10.1f}", flush=True)
            stop = timed(lambda _: server.ask("POST", f"{API}/stop_ab_test/{test['id']}?promote=false"), b"")
            print(f"{'the end of the test':<48}{stop:>10.1f}")


def _begun(server: Server) -> dict[str, int]:
    """A running test."""
    numbers = {row["name"]: row["id"] for row in json.loads(server.ask("GET", f"{API}/mlalgorithms"))}
    sides = {"parent_mlalgorithm1": numbers["one"], "parent_mlalgorithm2": numbers["other"]}
    return created(server, f"{API}/abtests", {"title": "which", **sides})


def _uses(server: Server, test: dict[str, int], requests: int) -> dict[str, Act]:
    """What is asked, by what it is called."""
    answered = count(requests // 2)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lists = {
        "the oldest": "limit=100",
        "the newest": "order=-id",
        "of the endpoint, the newest": "parent_endpoint=titanic&order=-id",
        "of an algorithm, the newest": f"parent_mlalgorithm={test['parent_mlalgorithm1']}&order=-id",
        "of an algorithm with few": "parent_mlalgorithm=1",
        "of the test, the newest": f"parent_abtest={test['id']}&order=-id",
        "of the test, after half of them": f"parent_abtest={test['id']}&after={requests // 2}",
        "of the last day": f"since={yesterday}",
        "of the last day, of the endpoint, the newest": f"since={yesterday}&parent_endpoint=titanic&order=-id",
        "after half of them": f"after={requests // 2}",
        "behind half of them (offset)": f"offset={requests // 2}",
    }
    return {
        "a prediction": lambda row: server.ask("POST", f"{API}/titanic/predict", row, JSON),
        "a prediction in the test": lambda row: server.ask(
            "POST", f"{API}/titanic/predict?status=ab_testing", row, JSON
        ),
        "feedback": lambda _: server.ask("PUT", f"{API}/mlrequests/{next(answered)}", b'{"feedback": 1}', JSON),
        "the state of the test": lambda _: server.ask("GET", f"{API}/abtests/{test['id']}"),
        **{f"requests: {name}": _listed(server, query) for name, query in lists.items()},
        "the page of the endpoint": lambda _: server.ask("GET", f"{API}/endpoints/1?_format=html"),
    }


def _listed(server: Server, query: str) -> Act:
    return lambda _: server.ask("GET", f"{API}/mlrequests?{query}")


if __name__ == "__main__":
    main()
