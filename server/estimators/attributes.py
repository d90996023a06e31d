"""What a model learned, as JSON values."""

from typing import Any

import numpy as np
from scipy import sparse

MOST_VALUES = 100_000


def learned_attributes(model: Any) -> dict[str, Any]:
    """The public attributes that end in an underscore, as scikit-learn's convention has it.

    Arrays of more than MOST_VALUES values are told by their shape.
    """
    names = sorted({name for name in [*vars(model), *dir(type(model))] if _is_learned(name)})
    attributes = {}
    for name in names:
        try:
            value = getattr(model, name)
        except Exception:  # noqa: BLE001, S112 - a property may need what this model does not have
            continue
        if not callable(value):
            attributes[name] = plain(value)
    return attributes


def _is_learned(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_") and not name.endswith("__")


def plain(value: Any) -> Any:
    """A JSON value that says the same."""
    if sparse.issparse(value):
        value = value.toarray() if value.shape[0] * value.shape[1] <= MOST_VALUES else _summary(value)
    if isinstance(value, np.ndarray):
        if value.size > MOST_VALUES:
            return _summary(value)
        return plain(value.tolist()) if value.dtype.kind in "biufU" else [plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    text = repr(value)
    # An address says nothing, and differs in every process.
    return type(value).__name__ if len(text) > 200 or " at 0x" in text else text


def _summary(value: Any) -> dict[str, Any]:
    return {"shape": list(value.shape), "dtype": str(value.dtype)}
