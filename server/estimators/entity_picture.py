"""The picture of an entity recognizer: how good it is at each type of entity."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from server.errors import BadRequest, NoScore
from server.estimators.base import Estimator
from server.estimators.drawing import INK, PALETTE, Drawing, number, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TYPES = 12
MEASURES = {"precision": "precision", "recall": "recall", "f1": "F1"}
# Of the distance between two types.
THICKNESS = 0.26


def entity_scores(estimator: Estimator, features: pd.DataFrame, target: np.ndarray | None) -> Drawing:
    """Precision, recall and F1 of all entities and of each type, between 0 and 1, as seqeval defines them."""
    assert target is not None
    try:
        scores = estimator.scores(features, target)
    except NoScore as error:
        raise BadRequest(error.detail) from error
    by_type = scores["labels"]
    often = sorted(by_type, key=lambda name: (-by_type[name]["support"], name))[:MOST_TYPES]
    rows = [
        ("all entities", scores),
        *((f"{shown(name)} ({by_type[name]['support']})", by_type[name]) for name in often),
    ]
    note = f"{len(target):,} stored row{'' if len(target) == 1 else 's'}; how many entities there are in brackets"
    if len(often) < len(by_type):
        note += f"; the {len(often)} most frequent of {len(by_type)} types"

    def paint(axes: "Axes") -> None:
        places = np.arange(len(rows))
        for offset, (measure, name), colour in zip((-1, 0, 1), MEASURES.items(), PALETTE, strict=False):
            values = [row[measure] for _, row in rows]
            drawn = axes.barh(places + offset * THICKNESS, values, THICKNESS * 0.9, color=colour, label=name)
            axes.bar_label(drawn, [number(round(value, 3)) for value in values], padding=3, size=7, color=INK)
        axes.set_yticks(places, [name for name, _ in rows])
        axes.set(xlim=(0, 1.1), ylim=(len(rows) - 0.4, -0.6))
        axes.grid(visible=False, axis="y")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, columnspacing=1)

    return Drawing(paint, note, 1.5 + 0.5 * len(rows))
