"""Bytes ↔ tables: reading, writing, preparing rows."""
