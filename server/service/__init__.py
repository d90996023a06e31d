"""The use cases: no Flask, no SQL, no HTTP words."""
