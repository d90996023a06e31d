"""Measures of the registry: what writing a prediction down costs, and how that grows with what is written."""

import json
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml

from benchmarks.data import FEATURES, passengers, write_config
from benchmarks.processes import SERVER_CORE, Server, gunicorn
from server.storage.registry.tables import ABTestSum, MLRequest

SINGLE = 300
FEW, MANY = 1_000, 1_000_000
JSON = {"Content-Type": "application/json"}
API = "/api/v1"
Figures = dict[str, float]


def serving(folder: Path, core: int | None = SERVER_CORE) -> AbstractContextManager[Server]:
    """A server whose endpoint `linear` answers for three algorithms of the registry's `titanic`."""
    path = write_config(folder, ["linear"])
    values = yaml.safe_load(path.read_text())
    algorithm = {"type": "classifier", "endpoint": "linear"}
    algorithms = [algorithm | {"name": name, "status": status} for name, status in SIDES.items()]
    kwargs = {"endpoints": {"titanic": {"algorithms": algorithms}}}
    values["url"]["registry"] = {"pattern": API, "handler": "RegistryHandler", "kwargs": kwargs}
    path.write_text(yaml.safe_dump(values))
    return gunicorn("wsgi:app", {"RESTIMATOR_CONFIG": str(path)}, ready="/readyz", core=core)


# An algorithm in production, and two to be compared.
SIDES = {"served": "production", "one": "testing", "other": "testing"}


def instances(count: int, seed: int) -> list[bytes]:
    """So many bodies of predictions."""
    rows = passengers(count, seed)[FEATURES].ffill().bfill().to_dict("records")
    return [json.dumps(row).encode() for row in rows]


def registry_log(folder: Path, rounds: int) -> Figures:
    """CPU of a prediction that is written down / of the same model's answer at its own door, in Flask or before it."""
    rows = instances(SINGLE, seed=9)
    ratios: dict[str, list[float]] = {"that Flask answers": [], "answered before Flask": []}
    with serving(folder) as server:
        server.rest()
        # A page's requests are looked at by Flask.
        of_a_page = {"Origin": f"http://127.0.0.1:{server.port}"}
        for _ in range(rounds + 1):
            usual = _cpu_per_request(server, "/linear?_output=proba", rows, of_a_page)
            early = _cpu_per_request(server, "/linear?_output=proba", rows)
            logged = _cpu_per_request(server, f"{API}/titanic/predict", rows)
            for values, unlogged in zip(ratios.values(), (usual, early), strict=True):
                values.append(logged / unlogged)
    return {f"a logged prediction / one {which}": statistics.median(values[1:]) for which, values in ratios.items()}


def _cpu_per_request(server: Server, path: str, bodies: list[bytes], headers: dict[str, str] | None = None) -> float:
    before = server.cpu()
    for body in bodies:
        server.ask("POST", path, body, JSON | (headers or {}))
    return (server.cpu() - before) / len(bodies)


def registry_growth(folder: Path, rounds: int) -> Figures:
    """Milliseconds of a prediction, of a feedback and of a test's state at a million requests / at a thousand."""
    found: dict[int, dict[str, float]] = {}
    with serving(folder) as server:
        server.rest()
        numbers = {row["name"]: row["id"] for row in json.loads(server.ask("GET", f"{API}/mlalgorithms"))}
        sides = {"parent_mlalgorithm1": numbers["one"], "parent_mlalgorithm2": numbers["other"]}
        test = created(server, f"{API}/abtests", {"title": "which", **sides})["id"]
        for count in (FEW, MANY):
            fill(folder / "models" / "server.db", count, list(sides.values()), test)
            found[count] = _times(server, test, 50 * rounds)
    few, many = found[FEW], found[MANY]
    ratios = {f"{name} at 1 M requests / at 1 k": many[name] / few[name] for name in few}
    return ratios | {"state of a test of 1 M requests, ms": many["state of a test"]}


def created(server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a POST has made."""
    server.connection.request("POST", path, json.dumps(body).encode(), JSON)
    answer = server.connection.getresponse()
    content = answer.read()
    assert answer.status == 201, content
    return json.loads(content)


def fill(database: Path, count: int, sides: list[int], test: int, days: float = 0) -> None:
    """Write requests of the test down until there are so many, over the last days; four of five have feedback."""
    engine = sa.create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        table = MLRequest.__table__
        there = connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        now, text = datetime.now(UTC), instances(1, seed=10)[0].decode()
        rows = (
            {
                "created_at": now - timedelta(days=days * (1 - number / count)),
                "input_data": text,
                "full_response": '{"status":"OK","label":0,"probability":0.9}',
                "response": "0",
                "feedback": "0" if number % 5 else None,
                "loss": float(number % 10 == 1) if number % 5 else None,
                "parent_mlalgorithm": sides[number % 2],
                "parent_abtest": test,
            }
            for number in range(there, count)
        )
        while part := list(islice(rows, 50_000)):
            connection.execute(sa.insert(table), part)
            for side in sides:
                _count(connection, test, side, [row["loss"] for row in part if row["parent_mlalgorithm"] == side])
    engine.dispose()


def _count(connection: sa.Connection, test: int, side: int, losses: list[float | None]) -> None:
    """Add what was written down past the server to the running sums; a loss is 0 or 1, and so its own square."""
    first_share = (ABTestSum.parent_abtest == test, ABTestSum.parent_mlalgorithm == side, ABTestSum.share == 0)
    counts = ABTestSum.requests, ABTestSum.feedback, ABTestSum.total, ABTestSum.squares
    requests, feedback, total, squares = connection.execute(sa.select(*counts).where(*first_share)).one()
    known = [int(loss) for loss in losses if loss is not None]
    connection.execute(
        sa.update(ABTestSum)
        .where(*first_share)
        .values(
            requests=requests + len(losses),
            feedback=feedback + len(known),
            total=str(int(total) + sum(known)),
            squares=str(int(squares) + sum(known)),
        )
    )


def _times(server: Server, test: int, turns: int) -> dict[str, float]:
    """The median of each, in milliseconds."""
    rows = instances(turns, seed=11)
    answered = iter(range(1, turns + 1))
    acts: dict[str, Callable[[bytes], object]] = {
        "logged prediction": lambda row: server.ask("POST", f"{API}/titanic/predict", row, JSON),
        "feedback": lambda row: server.ask("PUT", f"{API}/mlrequests/{next(answered)}", b'{"feedback": 1}', JSON),
    }
    times = {name: [timed(act, row) for row in rows] for name, act in acts.items()}
    times["state of a test"] = [timed(lambda _: server.ask("GET", f"{API}/abtests/{test}"), b"") for _ in rows]
    return {name: statistics.median(values) for name, values in times.items()}


def timed(act: Callable[[bytes], object], row: bytes) -> float:
    """Milliseconds that it takes."""
    begun = time.perf_counter()
    act(row)
    return (time.perf_counter() - begun) * 1000


REGISTRY_MEASURES = (registry_log, registry_growth)
