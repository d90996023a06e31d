"""Lists and objects in cells."""

from typing import Any

import orjson

from server.schema.arrow import DEEPEST


def is_shallow(cell: Any, levels: int = DEEPEST) -> bool:
    """Whether lists and objects are within one another at fewer than so many levels."""
    if not isinstance(cell, (list, dict)):
        return True
    parts = cell.values() if isinstance(cell, dict) else cell
    return levels > 1 and all(is_shallow(part, levels - 1) for part in parts)


def cell_text(cell: Any) -> str:
    """A cell of a column that holds cells of several kinds."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, (list, dict)):
        return orjson.dumps(cell).decode()
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
