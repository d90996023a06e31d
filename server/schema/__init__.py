"""The schema of a model or a table: a plain value that every floor may hold."""

from server.schema.columns import Column, Schema, kind_of, pointer
from server.schema.conversion import Kind

__all__ = ["Column", "Kind", "Schema", "kind_of", "pointer"]
