"""The schema of a model or a table: a plain value that every floor may hold."""

from server.schema.columns import NUMERIC, Column, Schema, kind_of, pointer
from server.schema.conversion import Kind

__all__ = ["NUMERIC", "Column", "Kind", "Schema", "kind_of", "pointer"]
