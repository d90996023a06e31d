"""Each measure is one figure: a ratio of two things measured in the same run, in turns."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import joblib
import pandas as pd

from benchmarks.data import FEATURES, MODEL, passengers, write_bulk, write_config, write_large
from benchmarks.processes import SERVER_CORE, Failed, Server, gunicorn
from benchmarks.row_measures import Figures, serving

SINGLE = 300
TYPES = {".csv": "text/csv", ".json": "application/json", ".parquet": "application/vnd.apache.parquet"}


def bulk(folder: Path, rounds: int, count: int = 100_000) -> Figures:
    """CPU of a plain script that reads, predicts and writes / CPU of the server."""
    files = write_bulk(folder, count)
    figures = {}
    with serving(folder, ["linear"]) as server:
        # Scores and pictures of the training follow its answer.
        server.rest()
        model = folder / "models" / "linear" / "model.pkl"
        for name, path in files.items():
            content, ratios, answer = path.read_bytes(), [], b""
            for _ in range(rounds):
                script = _script(model, path)
                before = server.cpu()
                for _ in range(3):
                    answer = server.ask("POST", "/linear", content, {"Content-Type": TYPES[path.suffix]})
                ratios.append(script / ((server.cpu() - before) / 3))
            if json.loads(answer) != json.loads(Path(f"{path}.out").read_text()):
                raise Failed(f"the rows as {name} are not answered as by the script")
            figures[f"{count:,} rows as {name}"] = statistics.median(ratios)
    return figures


def _script(model: Path, rows: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.plain_script", str(model), str(rows), "4"]
    run = subprocess.run(
        command, capture_output=True, text=True, check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
    )  # fmt: skip
    return statistics.median(float(line) for line in run.stdout.split()[1:])


def large_body(folder: Path, rounds: int, sizes: tuple[int, int] = (20, 200)) -> Figures:
    """Peak memory of a worker that is sent a CSV of 200 MB / of 20 MB, once each: a first time is the worst."""
    peaks = []
    for size in sizes:
        place = folder / str(size)
        place.mkdir()
        rows = write_large(place / "rows.csv", size)
        limits = {"body_mb": 2 * size, "rows": 10**9}
        with serving(place, ["linear"], limits=limits) as server, rows.open("rb") as body:
            server.rest()
            server.forget_peaks()
            headers = {"Content-Type": TYPES[".csv"], "Content-Length": str(rows.stat().st_size)}
            server.ask("POST", "/linear", body, headers)
            peaks.append(server.peak())
        rows.unlink()
    small, large = sizes
    return {
        f"peak memory, a CSV of {large} MB / of {small} MB": peaks[1] / peaks[0],
        f"peak memory, a CSV of {large} MB, MiB": peaks[1],
    }


def append(folder: Path, rounds: int) -> Figures:
    """Time of appending 100 rows at 1,000,000 stored rows / at 1,000."""
    medians = {}
    body = passengers(100, seed=3).to_csv(index=False).encode()
    for count in (1_000, 1_000_000):
        place = folder / str(count)
        place.mkdir()
        stored = place / "stored.csv"
        passengers(count, seed=4).to_csv(stored, index=False)
        config = write_config(place, ["data only"], stored)
        with gunicorn("wsgi:app", {"RESTIMATOR_CONFIG": str(config)}, ready="/readyz") as server:
            times = []
            for _ in range(10 * rounds):
                begun = time.perf_counter()
                server.ask("POST", "/data-only?_action=append", body, {"Content-Type": "text/csv"})
                times.append(time.perf_counter() - begun)
        medians[count] = statistics.median(times[2:])
    return {
        "append of 100 rows at 1 M stored / at 1 k stored": medians[1_000_000] / medians[1_000],
        "append of 100 rows at 1 M stored, ms": medians[1_000_000] * 1000,
    }


def retrain(folder: Path, rounds: int) -> Figures:
    """Seconds of a retrain over HTTP − seconds of the same fit in a script."""
    with serving(folder, ["linear"], core=None) as server:
        model = folder / "models" / "linear" / "model.pkl"
        overheads = []
        for _ in range(2 * rounds + 1):
            begun = time.perf_counter()
            server.ask("POST", "/linear?_action=retrain")
            taken = time.perf_counter() - begun
            overheads.append(taken - _fit_in_script(model))
    return {"retrain over HTTP − the same fit in a script, s": statistics.median(overheads[1:])}


def _fit_in_script(model: Path) -> float:
    from sklearn.base import clone

    rows = passengers(891, seed=5)[[*FEATURES, MODEL["target_col"]]].dropna()
    pipeline = clone(joblib.load(model))
    begun = time.perf_counter()
    features = rows[FEATURES]
    pipeline.fit(features, rows["Survived"]).score(features, rows["Survived"])
    return time.perf_counter() - begun


def latency_while_training(folder: Path, rounds: int) -> Figures:
    """p99 of predictions while a training runs / without."""
    rows = folder / "many.csv"
    passengers(60_000, seed=6).to_csv(rows, index=False)
    query = urlencode(passengers(1, seed=7)[FEATURES].iloc[0].to_dict())
    ratios = []
    with serving(folder, ["forest"], rows, core=None) as server:
        other = Server(server.process, server.port, 0)
        for _ in range(rounds):
            quiet = _p99(server, f"/forest?{query}", lambda: False, 200)
            thread = threading.Thread(target=lambda: other.ask("POST", "/forest?_action=retrain"))
            thread.start()
            busy = _p99(server, f"/forest?{query}", thread.is_alive, 50)
            thread.join()
            ratios.append(busy / quiet)
    return {"p99 of predictions while a training runs / without": statistics.median(ratios)}


def _p99(server: Server, path: str, going_on, least: int) -> float:
    times: list[float] = []
    while len(times) < least or going_on():
        begun = time.perf_counter()
        server.ask("GET", path)
        times.append(time.perf_counter() - begun)
    return pd.Series(times).quantile(0.99)


def start_and_memory(folder: Path, rounds: int) -> Figures:
    """Memory of the Titanic endpoint / of the naive server, one worker each; seconds to the first answer."""
    rows = passengers(SINGLE, seed=8)[FEATURES].ffill().bfill().to_dict("records")
    queries = [urlencode(row) for row in rows]
    with serving(folder, ["linear"]):
        pass  # the first start trains; it is not the one to measure
    model = folder / "models" / "linear" / "model.pkl"
    ratios, starts = [], []
    for _ in range(rounds):
        with serving(folder, ["linear"]) as ours:
            our_memory = _peak(ours, [f"/linear?{query}" for query in queries])
            torch = ours.maps("libtorch")
        arguments = ("--worker-class", "gthread", "--threads", "24", "--config", "python:benchmarks.empty_resource")
        with gunicorn("benchmarks.naive_server:app", {"NAIVE_MODEL": str(model)}, *arguments) as naive:
            ratios.append(our_memory / _peak(naive, ["/?" + query for query in queries]))
        starts.append(ours.started)
    return {
        "memory, one worker / the naive server": statistics.median(ratios),
        "processes without text models that loaded torch": torch,
        "start to the first answer, s": statistics.median(starts),
    }


def _peak(server: Server, paths: list[str]) -> float:
    highest = 0.0
    for number, path in enumerate(paths):
        server.ask("GET", path)
        if number % 50 == 49:
            highest = max(highest, server.memory())
    return highest


# These leave the client on one core and the server on another.
PINNED = (bulk, large_body, append, start_and_memory)
MEASURES = (bulk, large_body, latency_while_training, append, retrain, start_and_memory)
