"""Rows that are held out of a training, and how well a model does on them."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.model_selection import train_test_split

from server.errors import BadRequest, UntrainableRows

# Names of metrics are limited to 250 characters in MLflow, and to these; a slash would be one of a path there.
REFUSED = re.compile(r"[^\w. -]")
LONGEST = 200
DIGEST = 8
DIGESTED = re.compile(rf"-[0-9a-f]{{{DIGEST}}}$")


def split(labels: Sequence[str], size_train: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The positions of rows to train on, and of those held out, both ascending; each label is on both sides.

    Args:
        labels: one for each row.
        size_train: the share of each label's rows to train on, rounded to whole rows.
        seed: equal seeds split equally.

    Raises:
        BadRequest: `size_train` is no share.
        UntrainableRows: there are no rows, or a label has a single one.
    """
    if not 0 < size_train < 1:
        raise BadRequest(f"size_train must lie between 0 and 1, both excluded, not {size_train:g}")
    counts = Counter(labels)
    if not counts:
        raise UntrainableRows("there are no rows to split")
    for label, count in counts.items():
        if count < 2:
            raise UntrainableRows(f"the label {label!r} has 1 row; 2 are needed, one to train on and one to hold out")
    column, chance = np.asarray(labels, dtype=object), np.random.RandomState(seed)
    # Label by label: over all rows, scikit-learn's stratification leaves a rare label wholly on one side.
    sides = [
        train_test_split(
            np.flatnonzero(column == label),
            train_size=min(max(1, round(size_train * counts[label])), counts[label] - 1),
            random_state=chance,
        )
        for label in sorted(counts)
    ]
    train, held_out = (np.sort(np.concatenate(parts)) for parts in zip(*sides, strict=True))
    return train, held_out


def validation_metrics(true: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Accuracy, macro F1, and for each label precision, recall and F1, by names that MLflow takes (`f1.cv`).

    What a division by zero leaves open, as the precision of a label that is never predicted, is 0.
    """
    labels = sorted({*true, *predicted})
    precision, recall, f1, _ = precision_recall_fscore_support(true, predicted, labels=labels, zero_division=0)
    found = {"accuracy": float(accuracy_score(true, predicted)), "f1_macro": float(np.mean(f1))}
    for index, label in enumerate(labels):
        name = _metric_name(label)
        found[f"precision.{name}"] = float(precision[index])
        found[f"recall.{name}"] = float(recall[index])
        found[f"f1.{name}"] = float(f1[index])
    return found


def _metric_name(label: str) -> str:
    """The label, or what of it may stand in a metric's name with a digest of all of it."""
    # Also of a label that looks like such a name, so that no two labels share one.
    if not REFUSED.search(label) and len(label) <= LONGEST and not DIGESTED.search(label):
        return label
    digest = hashlib.sha256(label.encode(errors="surrogatepass")).hexdigest()[:DIGEST]
    return f"{REFUSED.sub('_', label)[:LONGEST]}-{digest}"
