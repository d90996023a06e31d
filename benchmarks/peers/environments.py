"""Virtual environments of the peers: made once, kept for the next run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.processes import ROOT, Failed

# The libraries of the model that all serve.
SHARED = ("scikit-learn", "pandas", "numpy", "joblib")


def default_folder() -> Path:
    """Where environments are kept unless told otherwise: below the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "restimator" / "peers"


def requirements(path: Path) -> list[str]:
    """The lines of a peer's file, and this repository's own pins of what all share."""
    return [*_lines(path), *(line for line in _lines(ROOT / "requirements-core.txt") if _name(line) in SHARED)]


def _lines(path: Path) -> list[str]:
    written = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in written if line]


def _name(line: str) -> str:
    return line.partition("==")[0]


def installed(folder: Path, wanted: list[str]) -> Path:
    """The folder of an environment's programs; it is made anew unless it holds just what is wanted.

    Raises: Failed with pip's last word.
    """
    note = folder / "installed.txt"
    if not note.exists() or note.read_text().splitlines() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(folder)], ROOT)
        run([str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *wanted], ROOT)
        note.write_text("\n".join(wanted))
    return folder / "bin"


def surroundings(programs: Path) -> dict[str, str]:
    """The environment variables with which programs find one another, as after `activate`."""
    return {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(programs.parent)}


def run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    """Wait for a command. Raises: Failed with the last line of what it wrote."""
    done = subprocess.run(
        command, cwd=folder, env=os.environ | (environment or {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"{Path(command[0]).name} {command[1]}: {last_line(done.stdout)}")


def last_line(text: str) -> str:
    """The last line that says something, at most 300 characters of it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "without a word"
