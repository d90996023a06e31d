"""Whether a model's answer for a row depends on that row only, so that a long table may be asked part by part."""

from typing import Any

DEPENDENT = frozenset(
    {
        # Stop when all rows together have converged.
        "NMF",
        "MiniBatchNMF",
        # Draw lots.
        "DummyClassifier",
        "IterativeImputer",
        # Calls what a user wrote.
        "FunctionTransformer",
        # Products of long matrices, which BLAS rounds otherwise for another number of rows; some only with AVX-512.
        "Birch",
        "GaussianProcessClassifier",
        "GaussianProcessRegressor",
        "Isomap",
        "KernelPCA",
        "KernelRidge",
        "LabelPropagation",
        "LabelSpreading",
        "Nystroem",
    }
)


def answers_row_by_row(model: Any) -> bool:
    """Whether every part of a fitted model is scikit-learn's, and of a class whose rows know nothing of one another."""
    return hasattr(model, "get_params") and all(
        _is_independent(part) for part in (model, *model.get_params(deep=True).values())
    )


def _is_independent(part: Any) -> bool:
    if isinstance(part, (list, tuple)):
        return all(map(_is_independent, part))
    if isinstance(part, dict):
        return all(map(_is_independent, part.values()))
    if hasattr(part, "get_params") and not isinstance(part, type):
        return _is_sklearns(type(part)) and type(part).__name__ not in DEPENDENT
    # A function may do anything, unless it is scikit-learn's own; a class is the type of an array's cells.
    return not callable(part) or isinstance(part, type) or _is_sklearns(part)


def _is_sklearns(thing: Any) -> bool:
    return getattr(thing, "__module__", "").split(".")[0] == "sklearn"
