"""The stored rows at a glance: what each column holds, counted column by column."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from server.schema import Kind

FREQUENT = 5
ORDERED = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.DATETIME})


@dataclass(frozen=True)
class ColumnSummary:
    """One column over all rows; `frequent` holds the commonest values of text and booleans with their counts."""

    name: str
    kind: Kind
    missing: int
    distinct: int | None = None
    minimum: Any = None
    maximum: Any = None
    frequent: tuple[tuple[Any, int], ...] = ()


def summarise(name: str, kind: Kind, cells: pa.ChunkedArray) -> ColumnSummary:
    """What the cells hold; lists and objects are only counted."""
    if kind is Kind.NESTED:
        return ColumnSummary(name, kind, cells.null_count)
    distinct = pc.count_distinct(cells).as_py()
    if kind in ORDERED:
        ends = pc.min_max(cells).as_py()
        return ColumnSummary(name, kind, cells.null_count, distinct, ends["min"], ends["max"])
    counts = pc.value_counts(cells.drop_null())
    order = pc.array_sort_indices(counts.field("counts"), order="descending")[:FREQUENT]
    frequent = tuple((entry["values"], entry["counts"]) for entry in counts.take(order).to_pylist())
    return ColumnSummary(name, kind, cells.null_count, distinct, frequent=frequent)
