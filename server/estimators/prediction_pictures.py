"""Pictures of what a model answers for rows, beside the truth where there is one."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.utils.multiclass import unique_labels

from server.errors import BadRequest
from server.estimators.base import Estimator, ModelKind
from server.estimators.drawing import ACCENT, HEIGHT, INK, MUTED, PALETTE, Drawing, bars, drawable, shades, shown
from server.estimators.tabular import TabularEstimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# As many as have room for their counts.
MOST_CLASSES = 15
MOST_CLUSTERS = 20
OUTLIERS = {-1: "outliers", 1: "inliers"}


def confusion_matrix(estimator: Estimator, features: pd.DataFrame, target: np.ndarray | None) -> Drawing:
    """Counts of the true classes (rows) by the predicted ones (columns), shaded by their share of the row."""
    assert target is not None
    predicted = _one_per_row(estimator, features)
    try:
        classes = unique_labels(target, predicted)
        counts = metrics.confusion_matrix(target, predicted, labels=classes)
    except (ValueError, TypeError) as error:
        raise BadRequest(f"the stored target cannot be compared with what the model predicts: {error}") from error
    names, counts, left_out = _largest([shown(label, 16) for label in classes], counts)
    note = _rows(target) + (f"; the {left_out} rarest classes are counted together" if left_out else "")

    def paint(axes: "Axes") -> None:
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.pcolormesh(shares, cmap=shades(), vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.65 else INK if count else MUTED
            axes.text(column + 0.5, row + 0.5, str(count), ha="center", va="center", color=colour, size=_size(counts))
        axes.set_xticks(np.arange(len(names)) + 0.5, names)
        if len("".join(names)) > 32:
            axes.tick_params(axis="x", labelrotation=40, labelrotation_mode="xtick")
        axes.set_yticks(np.arange(len(names)) + 0.5, names)
        axes.set(xlabel="predicted", ylabel="true")
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)

    return Drawing(paint, note, max(HEIGHT, 1.6 + 0.22 * len(names)))


def roc_curve(estimator: Estimator, features: pd.DataFrame, target: np.ndarray | None) -> Drawing:
    """True against false positive rate of each class against the rest; of two classes, of the second."""
    assert target is not None
    assert isinstance(estimator, TabularEstimator)
    classes, scores = list(estimator.estimator.classes_), estimator.class_scores(features)
    truths = [(label, target == label, scores[:, index]) for index, label in enumerate(classes)]
    truths = [(label, truth, score) for label, truth, score in truths if 0 < truth.sum() < len(target)]
    if not truths:
        raise BadRequest("a ROC curve needs rows of two classes of the model, and the stored rows hold fewer")
    truths = truths[-1:] if len(classes) == 2 else truths
    often = sorted(range(len(truths)), key=lambda place: -truths[place][1].sum())[: len(PALETTE)]
    curves = [_curve(*truths[place]) for place in sorted(often)]
    left_out = len(truths) > len(curves)
    note = _rows(target) + (f"; the {len(curves)} most frequent of {len(truths)} classes" if left_out else "")

    def paint(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1)
        lines = [
            axes.plot(false, true, color=colour, linewidth=1.8)[0]
            for (_, false, true), colour in zip(curves, PALETTE, strict=False)
        ]
        names = [f"{shown(label)}, AUC {metrics.auc(false, true):.3f}" for label, false, true in curves]
        axes.legend(lines, names, loc="lower right")
        axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))

    return Drawing(paint, note)


def prediction_error(estimator: Estimator, features: pd.DataFrame, target: np.ndarray | None) -> Drawing:
    """Predicted against true values, and the line on which they are equal."""
    assert target is not None
    true, predicted = _floats(target), _floats(_one_per_row(estimator, features))
    kept = drawable(true) & drawable(predicted)
    true, predicted = true[kept], predicted[kept]
    if len(true) < 2:
        raise BadRequest("predicted against true values need at least two rows with finite numbers")
    error = metrics.mean_absolute_error(true, predicted)
    note = f"{_rows(true)}; R² {metrics.r2_score(true, predicted):.3f}, mean absolute error {error:.3g}"
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]

    def paint(axes: "Axes") -> None:
        axes.plot(ends, ends, color=MUTED, linestyle="--", linewidth=1)
        axes.plot(true, predicted, "o", color=ACCENT, alpha=0.45, markersize=4, markeredgewidth=0)
        axes.set(xlabel="true", ylabel="predicted")

    return Drawing(paint, note)


def components(estimator: Estimator, features: pd.DataFrame, target: np.ndarray | None) -> Drawing:
    """The first two outputs of a transformer (one: by row), coloured by the target."""
    outputs = estimator.predict(features)
    assert isinstance(outputs, pd.DataFrame)
    places = _floats(outputs.iloc[:, :2].to_numpy())
    if outputs.shape[1] == 1:
        places = np.column_stack([places, np.arange(len(places))])
    kept = drawable(places).all(axis=1)
    if not outputs.shape[1] or not kept.any():
        raise BadRequest("the model has no outputs that are finite numbers")
    names = [*map(shown, outputs.columns[:2]), "row"]
    note = f"; the first 2 of {outputs.shape[1]} outputs" if outputs.shape[1] > 2 else ""

    def paint(axes: "Axes") -> None:
        axes.set(xlabel=names[0], ylabel=names[1])
        _scatter(axes, places[kept], None if target is None else target[kept])

    return Drawing(paint, _rows(places[kept]) + note)


def clusters(estimator: Estimator, features: pd.DataFrame, target: np.ndarray | None) -> Drawing:
    """How many rows each cluster holds, or how many are outliers."""
    assigned = _one_per_row(estimator, features)
    labels, sizes = np.unique(assigned, return_counts=True)
    largest = np.sort(np.argsort(-sizes, kind="stable")[:MOST_CLUSTERS])
    if estimator.kind is ModelKind.OUTLIER_DETECTOR:
        names = [OUTLIERS.get(labels[index], shown(labels[index])) for index in largest]
    else:
        names = ["noise" if labels[index] == -1 else f"cluster {shown(labels[index])}" for index in largest]
    note = _rows(assigned)
    if len(largest) < len(labels):
        note += f"; the {len(largest)} largest of {len(labels)} clusters"
    return bars(names, [int(sizes[index]) for index in largest], "rows", note)


def _rows(values: np.ndarray) -> str:
    return f"{len(values):,} stored row{'' if len(values) == 1 else 's'}"


def _size(counts: np.ndarray) -> float:
    return 9 if len(counts) <= 8 else 7


def _one_per_row(estimator: Estimator, features: pd.DataFrame) -> np.ndarray:
    values = estimator.predict(features)
    if isinstance(values, pd.DataFrame) or np.ndim(values) != 1:
        raise BadRequest(f"{estimator.class_name} predicts several columns; this picture shows one")
    return np.asarray(values)


def _floats(values: np.ndarray) -> np.ndarray:
    try:
        return values.astype(float)
    except (TypeError, ValueError) as error:
        raise BadRequest("this picture is drawn from numbers, and these values are none") from error


def _largest(names: list[str], counts: np.ndarray) -> tuple[list[str], np.ndarray, int]:
    """The classes with the most rows, in their order, and all others as one; how many those are."""
    left_out = len(names) - MOST_CLASSES + 1
    if left_out < 2:
        return names, counts, 0
    often = np.argsort(-(counts.sum(axis=0) + counts.sum(axis=1)), kind="stable")[: MOST_CLASSES - 1]
    places = np.full(len(names), MOST_CLASSES - 1)
    places[np.sort(often)] = np.arange(MOST_CLASSES - 1)
    merged = np.zeros((MOST_CLASSES, MOST_CLASSES), dtype=int)
    np.add.at(merged, (places[:, None], places[None, :]), counts)
    return [*(names[index] for index in np.sort(often)), f"{left_out} others"], merged, left_out


def _curve(label: Any, truth: np.ndarray, scores: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    false, true, _ = metrics.roc_curve(truth, scores)
    return label, false, true


def _scatter(axes: "Axes", places: np.ndarray, target: np.ndarray | None) -> None:
    """Points at the places, shape (n, 2): in a colour for each class, or shaded where the target is a measure."""
    if target is None:
        axes.scatter(places[:, 0], places[:, 1], color=ACCENT, s=14, alpha=0.7, linewidths=0)
    elif target.dtype.kind in "iuf" and len(np.unique(target)) > len(PALETTE):
        values = _floats(target)
        known = drawable(values)
        points = axes.scatter(places[known, 0], places[known, 1], c=values[known], s=14, alpha=0.8, linewidths=0)
        scale = axes.figure.colorbar(points, ax=axes, label="target")
        # Shapes, not an image within the picture.
        assert scale.solids is not None
        scale.solids.set(rasterized=False, edgecolor="face")
    else:
        groups = _classes(target)
        for _, members, colour in groups:
            axes.scatter(places[members, 0], places[members, 1], color=colour, s=14, alpha=0.7, linewidths=0)
        labels = [label for label, _, _ in groups]
        axes.legend(axes.collections, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, columnspacing=1)


def _classes(target: np.ndarray) -> list[tuple[str, np.ndarray, str]]:
    """The most frequent classes, and all others as one: label, which rows, colour."""
    values, sizes = np.unique(target, return_counts=True)
    often = np.sort(np.argsort(-sizes, kind="stable")[: len(PALETTE)])
    classes = [(shown(values[i], 16), target == values[i], colour) for i, colour in zip(often, PALETTE, strict=False)]
    left_out = len(values) - len(often)
    if left_out:
        classes.append((f"{left_out} others", ~np.isin(target, values[often]), MUTED))
    return classes
