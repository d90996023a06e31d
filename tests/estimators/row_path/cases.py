"""Random schemas, models and rows, answered both ways.

`python -m tests.estimators.row_path.cases --cases 1000000` compares as many rows, and ends with 1 at a difference;
with `--texts`, as many texts.
"""

import argparse
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn import ensemble, linear_model, naive_bayes, svm, tree
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

from server.errors import UntrainableRows
from server.estimators.row_path import RowPath
from server.estimators.row_path.probes import cells_of, features_of
from server.estimators.row_path.verification import Comparison
from server.estimators.tabular import TabularEstimator
from server.schema import Column, Kind, Schema
from server.schema.cells import RowReader, Unusual
from tests.estimators.row_path.text_cases import texts_compared

FEW = {"n_estimators": 5, "random_state": 0}
CLASSIFIERS = [
    (linear_model.LogisticRegression, {}),
    (linear_model.SGDClassifier, {"loss": "log_loss", "random_state": 0}),
    (linear_model.RidgeClassifier, {}),
    (naive_bayes.GaussianNB, {}),
    (naive_bayes.BernoulliNB, {}),
    (tree.DecisionTreeClassifier, {"random_state": 0}),
    (ensemble.RandomForestClassifier, FEW),
    (ensemble.GradientBoostingClassifier, FEW),
    (ensemble.HistGradientBoostingClassifier, {"max_iter": 4, "min_samples_leaf": 3}),
    (svm.SVC, {}),
]
REGRESSORS = [
    (linear_model.Ridge, {}),
    (linear_model.LinearRegression, {}),
    (ensemble.ExtraTreesRegressor, FEW),
    (ensemble.GradientBoostingRegressor, FEW),
    (ensemble.HistGradientBoostingRegressor, {"max_iter": 4, "min_samples_leaf": 3}),
]
KINDS = [Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT]
WORDS = ["a", "b", "B", "é", "1", " x", "漢"]
LEARNED = 60


def compared(seed: int, count: int) -> tuple[int, str | None]:
    """How many of `count` rows a path answered, and the first difference, for the model that the seed stands for."""
    random = np.random.default_rng(seed)
    kinds = random.choice(np.array(KINDS, dtype=object), random.integers(1, 7)).tolist()
    names = [f"c{place}" for place in range(len(kinds))]
    learned = pd.DataFrame({name: _column(random, kind) for name, kind in zip(names, kinds, strict=True)})
    categorical = [kind is Kind.TEXT or random.random() < 0.3 for kind in kinds]
    columns = [Column.of(name, learned[name], cat) for name, cat in zip(names, categorical, strict=True)]
    schema = Schema(tuple(columns))
    features = schema.parse_features(learned)
    try:
        estimator = _fitted(random, columns, categorical, features)
    except UntrainableRows:
        # Its encoder leaves nothing of the only column.
        return compared(seed + 2**32, count)
    path = RowPath(estimator.model, schema)
    rows = [{column.name: _cell(random, column.kind) for column in columns} for _ in range(count)]
    read, reason = _read_alike(schema, rows)
    comparison = Comparison(path, estimator, schema)
    reason = reason or comparison.of(read) or _together(random, path, estimator, schema, read)
    return comparison.answered, reason


def _together(
    random: np.random.Generator, path: RowPath, estimator: TabularEstimator, schema: Schema, read: list[list[Any]]
) -> str | None:
    """The first row that is answered otherwise among a few others than they are by the pipeline."""
    few = [read[place] for place in random.permutation(len(read))[: random.integers(2, 17)]]
    rows = [dict(zip(schema.names, cells, strict=True)) for cells in few]
    try:
        found = path.predict(rows)
    except Unusual:
        return None
    expected = estimator.predict(features_of(few, schema))
    alike = np.isclose(found, expected, rtol=1e-9) if found.dtype.kind == "f" else found == expected
    return None if np.all(alike) else f"{found} instead of {expected} for {rows}"


def _column(random: np.random.Generator, kind: Kind) -> pd.Series:
    if kind is Kind.TEXT:
        return pd.Series(random.choice(WORDS[:5], LEARNED), dtype="str")
    if kind is Kind.BOOLEAN:
        return pd.Series(random.random(LEARNED) < 0.5)
    if kind is Kind.INTEGER:
        return pd.Series(random.integers(-5, 9, LEARNED))
    values = random.normal(0, 10.0 ** random.integers(-6, 7), LEARNED)
    values[random.random(LEARNED) < 0.1] = np.nan
    return pd.Series(values.round(int(random.integers(0, 9))))


def _fitted(
    random: np.random.Generator, columns: list[Column], categorical: list[bool], features: pd.DataFrame
) -> TabularEstimator:
    signal = features.select_dtypes("number").fillna(0).rank().sum(axis=1).to_numpy() + random.normal(0, 9, LEARNED)
    if random.random() < 0.6:
        cls, params = CLASSIFIERS[random.integers(len(CLASSIFIERS))]
        target = np.digitize(signal, np.quantile(signal, [0.5] if random.random() < 0.5 else [0.3, 0.7]))
        labels = np.array(["no", "yes", "so"], dtype=object)
        values = labels[target] if random.random() < 0.5 else target
    else:
        cls, params = REGRESSORS[random.integers(len(REGRESSORS))]
        values = signal
    cats = [column for column, is_one in zip(columns, categorical, strict=True) if is_one]
    nums = [column for column in columns if column not in cats]
    made = random.random() < 0.5
    estimator = (
        TabularEstimator.create(cls, params, cats, nums, True)
        if made
        else TabularEstimator(_own_pipeline(random, cls(**params), cats, nums))
    )
    estimator.fit(features, values)
    return estimator


def _own_pipeline(random: np.random.Generator, estimator: Any, cats: list[Column], nums: list[Column]) -> Pipeline:
    encoders = [
        OneHotEncoder(handle_unknown="ignore", sparse_output=False, drop="first"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, sparse_output=False),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ]
    scalers = [StandardScaler(), MinMaxScaler(clip=True), RobustScaler(), "passthrough"]
    texts, codes = ([one for one in cats if (one.kind is Kind.TEXT) is flag] for flag in (True, False))
    steps = [
        (name, make_pipeline(SimpleImputer(strategy="most_frequent"), encoders[random.integers(3)]), part)
        for name, part in (("texts", texts), ("codes", codes))
    ]
    steps.append(("numbers", make_pipeline(SimpleImputer(), scalers[random.integers(4)]), nums))
    chosen = [(name, step, [column.name for column in part]) for name, step, part in steps if part]
    return make_pipeline(ColumnTransformer(chosen), estimator)


def _cell(random: np.random.Generator, kind: Kind) -> Any:
    if random.random() < 0.1:
        return random.choice(np.array(["", None], dtype=object))
    if kind is Kind.TEXT:
        return str(random.choice(WORDS))
    if kind is Kind.BOOLEAN:
        return random.choice(np.array([True, False, "true", "0"], dtype=object))
    value = (
        float(random.normal(0, 10.0 ** random.integers(-6, 7))) if kind is Kind.NUMBER else int(random.integers(-6, 11))
    )
    return str(value) if random.random() < 0.5 else value


def _read_alike(schema: Schema, rows: list[dict[str, Any]]) -> tuple[list[list[Any]], str | None]:
    """The cells of the rows that are read without a table, and the first that a table reads otherwise."""
    reader, found, read = RowReader(schema), [], []
    for row in rows:
        try:
            found += reader.read([row])
        except Unusual:
            continue
        read.append(row)
    if not read:
        return [], None
    frame = pd.DataFrame({name: pd.Series([row[name] for row in read], dtype=object) for name in schema.names})
    for own, other, row in zip(found, cells_of(schema.parse_features(frame)), read, strict=True):
        if own != other:
            return found, f"{row} is read as {own} instead of {other}"
    return found, None


def main() -> None:
    """Compare as many rows as asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="rows to compare")
    parser.add_argument("--seed", type=int, default=0, help="that of the first model")
    parser.add_argument("--texts", action="store_true", help="compare texts, and not rows of a table")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    done, seed = 0, arguments.seed
    while done < arguments.cases:
        count, reason = texts_compared(seed, 100) if arguments.texts else compared(seed, 500)
        if reason:
            sys.exit(f"seed {seed}: {reason}")
        done, seed = done + count, seed + 1
    print(f"{done:,} {'texts' if arguments.texts else 'rows'} of {seed - arguments.seed:,} models answered alike")


if __name__ == "__main__":
    main()
