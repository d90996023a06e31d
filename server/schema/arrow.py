"""Arrow tables ↔ DataFrames with the same values and types on the way back."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from server.schema.columns import Column
from server.schema.conversion import Kind

NULLABLE = {
    pa.int8(): pd.Int64Dtype(),
    pa.int16(): pd.Int64Dtype(),
    pa.int32(): pd.Int64Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.Int64Dtype(),
    pa.uint16(): pd.Int64Dtype(),
    pa.uint32(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
# Text stays Arrow's: otherwise a Python object is made of every cell, and a text of every object.
WITHOUT = {pa.string(): pd.StringDtype(na_value=np.nan)}
WITH_GAPS = NULLABLE | WITHOUT
# Readers and writers of nested values go down one call a level.
DEEPEST = 32
KINDS = (
    (pat.is_boolean, Kind.BOOLEAN),
    (pat.is_integer, Kind.INTEGER),
    (pat.is_floating, Kind.NUMBER),
    (pat.is_timestamp, Kind.DATETIME),
)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type a column is kept in: one integer, one float, one text, one time."""
    if pat.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pat.is_integer(kind):
        return pa.int64()
    if pat.is_floating(kind) or pat.is_decimal(kind):
        return pa.float64()
    if pat.is_temporal(kind):
        return pa.timestamp("us") if pat.is_timestamp(kind) or pat.is_date(kind) else pa.string()
    if pat.is_null(kind) or pat.is_large_string(kind) or pat.is_string_view(kind):
        return pa.string()
    return kind


def normalise(table: pa.Table) -> pa.Table:
    """The table in plain types; schema metadata of other libraries is dropped.

    Raises:
        pyarrow.ArrowInvalid: a value that does not fit, such as an unsigned integer above 2**63.
    """
    arrays = []
    for column in table.columns:
        target = _plain_type(column.type)
        if pat.is_timestamp(column.type):
            # Nanoseconds below the microsecond are beyond what any door can send in text.
            if column.type.unit == "ns":
                column = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False)
            column = pc.cast(column, pa.timestamp("us", "UTC" if column.type.tz else None))
            column = column.cast(pa.int64()).cast(target)
        arrays.append(column if column.type == target else pc.cast(column, target))
    return pa.Table.from_arrays(arrays, names=table.column_names)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A DataFrame in which integers stay integers: Int64 and boolean where cells are missing.

    Raises:
        pyarrow.ArrowInvalid: a value that does not fit, lists within lists that nobody could write down again, or
            objects that are all empty, which Parquet cannot keep.
    """
    table = normalise(table)
    for field in table.schema:
        if not _is_shallow(field.type, DEEPEST):
            raise pa.ArrowInvalid(f"{field.name!r} has lists or objects within one another, {DEEPEST} deep and more")
        if not has_fields(field.type):
            raise pa.ArrowInvalid(f"{field.name!r} has objects, all of which are empty")
    gaps = {name for name in table.column_names if table.column(name).null_count}
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        columns[name] = column.to_pandas(types_mapper=WITH_GAPS.get if name in gaps else WITHOUT.get)
    return pd.DataFrame(columns, columns=table.column_names, index=pd.RangeIndex(table.num_rows), copy=False)


def _is_shallow(kind: pa.DataType, levels: int) -> bool:
    """Whether lists and objects are within one another at fewer than so many levels."""
    if not pat.is_nested(kind):
        return True
    parts = (kind.field(index).type for index in range(kind.num_fields))
    return levels > 1 and all(_is_shallow(part, levels - 1) for part in parts)


def to_table(frame: pd.DataFrame) -> pa.Table:
    """The DataFrame as an Arrow table in plain types."""
    return normalise(pa.Table.from_pandas(frame, preserve_index=False))


def has_fields(kind: pa.DataType) -> bool:
    """Whether every object within the type, at whatever depth, has a field: Parquet keeps no others."""
    if not pat.is_nested(kind):
        return True
    return kind.num_fields > 0 and all(has_fields(kind.field(index).type) for index in range(kind.num_fields))


def columns_of(schema: pa.Schema) -> list[Column]:
    """The columns of a stored table."""
    return [Column(field.name, _kind_of(field.type)) for field in schema]


def _kind_of(kind: pa.DataType) -> Kind:
    for test, answer in KINDS:
        if test(kind):
            return answer
    return Kind.NESTED if pat.is_nested(kind) else Kind.TEXT
