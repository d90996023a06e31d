"""Text models: the server beside transformers' pipeline, 8-bit integers beside floats, predictions beside work."""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import orjson
import pandas as pd
import yaml
from sklearn.metrics import roc_auc_score

from benchmarks.data import FEATURES, MODEL, passengers
from benchmarks.fine_tuned import fine_tuned, reviews
from benchmarks.processes import ROOT, Server, gunicorn

Figures = dict[str, float]
Spent = tuple[float, float]  # wall and CPU seconds
CSV = {"Content-Type": "text/csv"}
SINGLE, BULK, TRAINED = 50, 1000, 300
# The pipeline's default, and sizes that its documentation has one try.
BATCH_SIZES = (1, 8, 32)


@contextmanager
def _serving(folder: Path, **params: Any) -> Iterator[Server]:
    text = {"class": "SentimentAnalysis", "params": {"model": str(fine_tuned())} | params}
    titanic = {"data": str(ROOT / "data" / "titanic.csv"), "model": MODEL | {"class": "LogisticRegression"}}
    url = {
        name: {"pattern": "/" + name, "handler": "MLHandler", "kwargs": kwargs}
        for name, kwargs in (("text", {"model": text}), ("titanic", titanic))
    }
    folder.mkdir(exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"url": url}))
    with gunicorn("wsgi:app", {"RESTIMATOR_CONFIG": str(config)}, ready="/readyz", core=None) as server:
        server.ask("GET", "/text?text=a+good+film")  # the first use loads the weights
        yield server


class _Pipeline:
    """The plain script, which stays: both sides have loaded their weights before they are measured."""

    def __init__(self, model: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.pipeline_script", str(model)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def spent(self, size: int, path: Path) -> Spent:
        self.process.stdin.write(f"{size} {path}\n")
        self.process.stdin.flush()
        wall, cpu = self.process.stdout.readline().split()
        return float(wall), float(cpu)

    def __enter__(self) -> "_Pipeline":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait()


def _spent(server: Server, work: Callable[[], object]) -> Spent:
    begun, cpu = time.perf_counter(), server.cpu()
    work()
    return time.perf_counter() - begun, server.cpu() - cpu


def _drawn(turn: int, count: int) -> pd.DataFrame:
    """Held-out sentences, others in each turn."""
    return reviews()[1][["text"]].sample(count, random_state=turn)


def _one_by_one(server: Server, texts: pd.DataFrame) -> None:
    for text in texts["text"]:
        server.ask("GET", "/text?" + urlencode({"text": text}))


def text_answers(folder: Path, rounds: int) -> Figures:
    """Texts per second of the server / of transformers' pipeline, on all cores, the same texts in turns."""
    many: dict[int, list[Spent]] = {size: [] for size in BATCH_SIZES}
    ours: list[Spent] = []
    one: list[tuple[Spent, Spent]] = []
    path = folder / "texts.csv"
    with _serving(folder) as server, _Pipeline(fine_tuned()) as pipeline:
        for turn in range(rounds):
            texts = _drawn(turn, BULK)
            texts.to_csv(path, index=False)
            content = path.read_bytes()
            ours.append(_spent(server, lambda content=content: server.ask("POST", "/text", content, CSV)))
            for size in BATCH_SIZES:
                many[size].append(pipeline.spent(size, path))
            texts = texts.head(SINGLE)
            texts.to_csv(path, index=False)
            single = _spent(server, lambda texts=texts: _one_by_one(server, texts))
            one.append((single, pipeline.spent(0, path)))
    figures = {}
    for size, theirs in many.items():
        name = "1,000 texts / the pipeline" + (f" in batches of {size}" if size > 1 else "")
        figures |= {name: _ratio(ours, theirs, 0), f"{name}, per CPU second": _ratio(ours, theirs, 1)}
    return figures | {
        "1,000 texts, texts per second": BULK / statistics.median(wall for wall, _ in ours),
        "one text / the pipeline": _ratio(*zip(*one, strict=True), 0),
        "one text / the pipeline, per CPU second": _ratio(*zip(*one, strict=True), 1),
        "one text, ms": 1000 * statistics.median(wall for (wall, _), _ in one) / SINGLE,
    }


def _ratio(ours: Any, theirs: Any, which: int) -> float:
    return statistics.median(other[which] / own[which] for own, other in zip(ours, theirs, strict=True))


def text_int8(folder: Path, rounds: int) -> Figures:
    """Answers, speed and memory with `quantize: int8`, on the held-out sentences, beside those without."""
    rows = reviews()[1]
    content = rows[["text"]].to_csv(index=False).encode()
    with _serving(folder / "float") as plain, _serving(folder / "int8", quantize="int8") as small:
        exact, near = (_probabilities(server, content) for server in (plain, small))
        speed, memory = [], []
        for turn in range(rounds):
            texts = _drawn(turn, BULK).to_csv(index=False).encode()
            walls = [
                _spent(one, lambda one=one, texts=texts: one.ask("POST", "/text", texts, CSV)) for one in (plain, small)
            ]
            speed.append(walls[0][0] / walls[1][0])
            memory.append(small.memory() / plain.memory())
    areas = [roc_auc_score(rows["label"], one) for one in (exact, near)]
    return {
        "int8: share of labels that differ": float(((exact > 0.5) != (near > 0.5)).mean()),
        "int8: ROC AUC lost": areas[0] - areas[1],
        "int8: ROC AUC without": areas[0],
        "int8: largest difference of a probability": float(np.abs(exact - near).max()),
        "int8: mean difference of a probability": float(np.abs(exact - near).mean()),
        "int8: texts per second / without": statistics.median(speed),
        "int8: memory / without": statistics.median(memory),
    }


def _probabilities(server: Server, content: bytes) -> np.ndarray:
    answers = orjson.loads(server.ask("POST", "/text?_output=proba", content, CSV))
    return np.array([answer["1"] for answer in answers])


def text_while_busy(folder: Path, rounds: int) -> Figures:
    """p99 of predictions while a text model is fine-tuned, or a large request answered / without."""
    row = "/titanic?" + urlencode(passengers(1, seed=7)[FEATURES].ffill().bfill().iloc[0].to_dict())
    paths = {"a table": row, "one text": "/text?" + urlencode({"text": reviews()[1]["text"].iloc[0]})}
    ratios: dict[str, list[float]] = {}
    learned = reviews()[0].head(TRAINED).to_csv(index=False).encode()
    many = reviews()[1][["text"]].head(BULK).to_csv(index=False).encode()
    with _serving(folder) as server:
        works = {"a fine-tuning": ("/text?_action=train", learned), "1,000 texts": ("/text", many)}
        for _ in range(rounds):
            quiet = _p99s(server, paths, lambda: False, 50)
            for work, (path, content) in works.items():
                other = Server(server.process, server.port, 0)
                thread = threading.Thread(target=other.ask, args=("POST", path, content, CSV))
                thread.start()
                for name, p99 in _p99s(server, paths, thread.is_alive, 5).items():
                    ratios.setdefault(f"p99 of {name} beside {work} / without", []).append(p99 / quiet[name])
                thread.join()
    return {name: statistics.median(values) for name, values in ratios.items()}


def _p99s(server: Server, paths: dict[str, str], going_on: Callable[[], bool], least: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in paths}
    while len(next(iter(times.values()))) < least or going_on():
        for name, path in paths.items():
            begun = time.perf_counter()
            server.ask("GET", path)
            times[name].append(time.perf_counter() - begun)
    return {name: float(np.quantile(values, 0.99)) for name, values in times.items()}


TEXT_MEASURES = (text_answers, text_int8, text_while_busy)
