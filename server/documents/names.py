"""What the reading child and its parent both know: formats by the end of a file's name. It imports nothing heavy."""

from pathlib import Path

# Suffix → format; `formats` holds a reader for each.
FORMATS = {
    ".txt": "txt",
    ".md": "md",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".rtf": "rtf",
    ".eml": "eml",
}
OUT_OF_MEMORY = "needs too much memory to read"
READABLE = ", ".join(suffix.removeprefix(".") for suffix in FORMATS)


def format_of(path: Path) -> str | None:
    """The format that the file's name tells, or None for one that is not read."""
    return FORMATS.get(path.suffix.lower())
