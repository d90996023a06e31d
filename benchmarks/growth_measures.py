"""How the cost of one row grows: with its columns, categories, trees, and with the rows beside it."""

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import yaml
from sklearn import ensemble, linear_model, naive_bayes, neural_network, svm, tree

from benchmarks.data import FEATURES, MODEL, passengers, write_config
from benchmarks.processes import SERVER_CORE, gunicorn
from benchmarks.row_measures import cpu_per_request, empty_resource
from server.estimators.row_path import RowPath
from server.estimators.tabular import TabularEstimator
from server.schema import Column, Schema

REQUESTS = 200
COLUMNS, CATEGORIES, TREES, ROWS = (5, 50, 500), (3, 30, 3000), (10, 100, 1000), (1, 16, 256, 4096)
JSON = {"Content-Type": "application/json"}
FEW = {"random_state": 0}
KERNELS: tuple[tuple[type, dict[str, Any]], ...] = (
    (linear_model.LogisticRegression, {}),
    (linear_model.Ridge, {}),
    (naive_bayes.GaussianNB, {}),
    (tree.DecisionTreeClassifier, FEW),
    (ensemble.RandomForestClassifier, FEW),
    (ensemble.ExtraTreesRegressor, FEW),
    (ensemble.GradientBoostingClassifier, FEW),
    (ensemble.HistGradientBoostingClassifier, FEW),
    (neural_network.MLPClassifier, {"max_iter": 1000, **FEW}),
    (svm.SVC, {}),
)
Figures = dict[str, float]


def growth(folder: Path, rounds: int) -> Figures:
    """Requests per CPU second of the empty resource that models of each size reach."""
    rows = _write_models(folder)
    shares: dict[str, list[float]] = {name: [] for name in rows}
    with (
        gunicorn("wsgi:app", {"RESTIMATOR_CONFIG": str(folder / "config.yaml")}, ready="/readyz") as ours,
        empty_resource() as empty,
    ):
        ours.rest()
        for turn in range(rounds + 1):
            for name, drawn in rows.items():
                queries = [urlencode(row) for row in drawn(100 + turn).to_dict("records")]
                before = cpu_per_request(empty, ["/?" + query for query in queries])
                pattern = name.replace(" ", "-")
                shares[name].append(before / cpu_per_request(ours, [f"/{pattern}?{query}" for query in queries]))
    return {f"one row, {name}": statistics.median(values[1:]) for name, values in shares.items()}


def _write_models(folder: Path) -> dict[str, Callable[[int], pd.DataFrame]]:
    """A configuration with an endpoint for each size, and what draws the rows to ask it about by a seed."""
    path = write_config(folder, [])
    values, rows = yaml.safe_load(path.read_text()), {}

    def add(name: str, stored: pd.DataFrame, asked: Callable[[int], pd.DataFrame], model: dict[str, Any]) -> None:
        stored.to_csv(folder / f"{name}.csv", index=False)
        kwargs = {"data": {"url": str(folder / f"{name}.csv")}, "model": model}
        values["url"][name] = {"pattern": "/" + name.replace(" ", "-"), "handler": "MLHandler", "kwargs": kwargs}
        rows[name] = asked

    linear = {"class": "LogisticRegression", "target_col": "y", "params": {"max_iter": 500}}
    for count in COLUMNS:
        add(f"{count} columns", _numbers(2000, count, 1), partial(_features, _numbers, count), linear)
    for count in CATEGORIES:
        add(f"{count} categories", _words(20_000, count, 3), partial(_features, _words, count), linear)
    for count in TREES:
        forest = MODEL | {"class": "RandomForestClassifier", "params": {"n_estimators": count, "random_state": 0}}
        add(f"{count} trees", passengers(891, seed=6), _passengers, forest)
    path.write_text(yaml.safe_dump(values))
    return rows


def _features(rows: Callable[[int, int, int], pd.DataFrame], size: int, seed: int) -> pd.DataFrame:
    return rows(REQUESTS, size, seed).drop(columns="y")


def _passengers(seed: int) -> pd.DataFrame:
    return passengers(REQUESTS, seed)[FEATURES].ffill().bfill()


def _numbers(count: int, columns: int, seed: int) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(count, columns)).round(4)
    rows = pd.DataFrame(values, columns=[f"x{place}" for place in range(columns)])
    return rows.assign(y=(values[:, :5].sum(axis=1) > 0).astype(int))


def _words(count: int, categories: int, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, categories, count)
    numbers = generator.normal(size=count).round(4)
    return pd.DataFrame({"word": [f"w{code}" for code in codes], "x": numbers, "y": (codes % 2 + numbers > 0.5) + 0})


def rows_at_once(folder: Path, rounds: int) -> Figures:
    """CPU of a row in a JSON body / of a row that comes alone."""
    config = write_config(folder, ["linear"])
    costs: dict[int, list[float]] = {count: [] for count in ROWS}
    with gunicorn("wsgi:app", {"RESTIMATOR_CONFIG": str(config)}, ready="/readyz", core=SERVER_CORE) as server:
        server.rest()
        for turn in range(rounds + 1):
            for count in ROWS:
                times = max(3, REQUESTS // count)
                rows = passengers(times * count, seed=turn)[FEATURES].ffill().bfill().to_dict("records")
                bodies = [json.dumps(rows[place : place + count]).encode() for place in range(0, len(rows), count)]
                before = server.cpu()
                for body in bodies:
                    server.ask("POST", "/linear", body, JSON)
                costs[count].append((server.cpu() - before) / len(rows))
    medians = {count: statistics.median(values[1:]) for count, values in costs.items()}
    return {f"a row of {count:,} in a JSON body / alone": medians[count] / medians[1] for count in ROWS[1:]}


def kernels(folder: Path, rounds: int) -> Figures:
    """CPU microseconds of one row in this process, by the row path and by the pipeline, for each kind of estimator."""
    stored = passengers(891, seed=7)[[*FEATURES, MODEL["target_col"]]]
    columns = [Column.of(name, stored[name], name in MODEL["cats"]) for name in FEATURES]
    schema = Schema(tuple(columns))
    features, target = schema.parse_features(stored), stored[MODEL["target_col"]].to_numpy()
    cats = [column for column in columns if column.name in MODEL["cats"]]
    asked = _passengers(8).to_dict("records")
    figures: Figures = {}
    for cls, params in KERNELS:
        estimator = TabularEstimator.create(cls, params, cats, [one for one in columns if one not in cats], True)
        estimator.fit(features, target)
        path = RowPath(estimator.model, schema)
        quick = _microseconds(lambda row, path=path: path.predict([row]), asked, rounds)
        # Both begin with the row as a request has it.
        slow = _microseconds(
            lambda row, estimator=estimator: estimator.predict(schema.parse_features(pd.DataFrame([row]))),
            asked[:20],
            rounds,
        )
        figures |= {f"µs of a row, {cls.__name__}": quick, f"µs of a row, {cls.__name__}, by its pipeline": slow}
    return figures


def _microseconds(act: Callable[[Any], Any], things: list[Any], rounds: int) -> float:
    found = []
    for _ in range(rounds + 1):
        begun = time.thread_time()
        for thing in things:
            act(thing)
        found.append((time.thread_time() - begun) / len(things) * 1e6)
    return statistics.median(found[1:])


GROWTH_MEASURES = (growth, rows_at_once, kernels)
