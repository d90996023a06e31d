"""Rows and configurations for measuring, made from the example data with a fixed seed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from benchmarks.processes import ROOT

FEATURES = ["Pclass", "Sex", "Age", "SibSp", "Parch", "Fare", "Embarked"]
MODEL = {
    "target_col": "Survived",
    "exclude": ["PassengerId", "Ticket", "Cabin", "Name"],
    "cats": ["Embarked", "SibSp", "Parch", "Pclass", "Sex"],
}
CLASSES = {
    "linear": ("LogisticRegression", {}),
    "forest": ("RandomForestClassifier", {"random_state": 0}),
    "boosting": ("HistGradientBoostingClassifier", {"random_state": 0}),
    "other": ("SVC", {}),
    "data only": (None, {}),
}
TEXT_CLASSES = {"bayes": "MultinomialNB", "linear": "LogisticRegression", "other": "SVC"}


def passengers(count: int, seed: int = 0) -> pd.DataFrame:
    """Passengers drawn from the Titanic set with ages and fares varied, so that no two requests are alike."""
    generator = np.random.default_rng(seed)
    known = pd.read_csv(ROOT / "data" / "titanic.csv")
    rows = known.iloc[generator.integers(0, len(known), count)].reset_index(drop=True)
    rows["Fare"] = (rows["Fare"] + generator.uniform(0, 5, count)).round(4)
    rows["Age"] = (rows["Age"] + generator.integers(0, 3, count)).round(2)
    rows["PassengerId"] = np.arange(count)
    return rows


def write_config(folder: Path, kinds: list[str], data: Path | None = None, **server: Any) -> Path:
    """A configuration with one Titanic endpoint per kind of model."""
    url = {
        kind: {
            "pattern": "/" + kind.replace(" ", "-"),
            "handler": "MLHandler",
            "kwargs": {
                "data": {"url": str(data or ROOT / "data" / "titanic.csv")},
                "model": MODEL | {"class": CLASSES[kind][0], "params": CLASSES[kind][1]},
            },
        }
        for kind in kinds
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"server": server, "url": url}))
    return path


def write_text_config(folder: Path, learned: pd.DataFrame) -> Path:
    """A configuration with one TextHandler endpoint per class, trained on these texts and labels."""
    learned.to_csv(folder / "reviews.csv", index=False)
    url = {
        kind: {
            "pattern": "/" + kind,
            "handler": "TextHandler",
            "kwargs": {"data": {"url": str(folder / "reviews.csv")}, "model": {"class": class_name}},
        }
        for kind, class_name in TEXT_CLASSES.items()
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"url": url}))
    return path


def write_large(path: Path, megabytes: int) -> Path:
    """A CSV of so many megabytes, of the same 100,000 passengers again and again."""
    header, rows = passengers(100_000, seed=9)[FEATURES].to_csv(index=False).encode().split(b"\n", 1)
    with path.open("wb") as file:
        file.write(header + b"\n")
        while file.tell() < megabytes * 10**6:
            file.write(rows)
    return path


def write_bulk(folder: Path, count: int) -> dict[str, Path]:
    """The same rows as CSV, JSON records, JSON columns and Parquet."""
    rows = passengers(count, seed=1)[FEATURES]
    paths = {"CSV": folder / "rows.csv", "JSON": folder / "rows.json", "PARQUET": folder / "rows.parquet"}
    paths["JSON columns"] = folder / "columns.json"
    rows.to_csv(paths["CSV"], index=False)
    rows.to_json(paths["JSON"], orient="records")
    rows.to_parquet(paths["PARQUET"], index=False)
    columns = {name: [None if cell != cell else cell for cell in rows[name].tolist()] for name in rows}
    paths["JSON columns"].write_text(json.dumps(columns))
    return paths
