"""python -m benchmarks: the table of what good looks like, measured now on this machine."""

import argparse
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.fine_tuned import what_is_missing
from benchmarks.growth_measures import GROWTH_MEASURES
from benchmarks.measures import MEASURES, PINNED
from benchmarks.processes import ALL_CORES, CLIENT_CORE
from benchmarks.registry_measures import REGISTRY_MEASURES
from benchmarks.report import GOALS, Markdown, Terminal, machine, verdict_of
from benchmarks.row_measures import ROW_MEASURES
from benchmarks.text_measures import TEXT_MEASURES

ALL = (*ROW_MEASURES, *MEASURES, *GROWTH_MEASURES, *REGISTRY_MEASURES, *TEXT_MEASURES)


def main() -> None:
    """Print the table; exit 1 if a gate that should hold does not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    listing = ", ".join(measure.__name__ for measure in ALL)
    parser.add_argument("names", nargs="*", help=f"measures, or how their names begin: {listing} (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each measure; the median counts")
    parser.add_argument("--markdown", action="store_true", help="print docs/performance.md instead of a table")
    arguments = parser.parse_args()
    chosen = [measure for measure in ALL if measure.__name__.startswith(tuple(arguments.names or [""]))]
    if not chosen:
        parser.error(f"no measure is called so; known: {listing}")
    missing = what_is_missing()
    if missing and any(measure in TEXT_MEASURES for measure in chosen):
        print(f"text models are left out: {missing}", file=sys.stderr)
        chosen = [measure for measure in chosen if measure not in TEXT_MEASURES]
    told = Markdown() if arguments.markdown else Terminal()
    found = f"{machine()}, {_versions(missing is None)}; {arguments.rounds} rounds, medians"
    told.begin(found, "".join(f"{name} " for name in arguments.names))
    failed, known = False, set()
    for measure in chosen:
        figures = run(measure, arguments.rounds)
        told.tell(measure, figures)
        known |= figures.keys()
        failed |= any(verdict_of(name, value) == "MISSED" for name, value in figures.items())
    unknown = GOALS.keys() - known if chosen == list(ALL) else ()
    if unknown:
        print(f"no measure told: {', '.join(sorted(unknown))}", file=sys.stderr)
    sys.exit(1 if failed or unknown else 0)


def _versions(texts: bool) -> str:
    names = ["scikit-learn", "pandas", "flask", "gunicorn", *(["torch", "transformers"] if texts else [])]
    return ", ".join(f"{name} {version(name)}" for name in names)


def run(measure: Callable[[Path, int], dict[str, float]], rounds: int) -> dict[str, float]:
    """The figures of one measure, in a folder of its own."""
    pinned = (*ROW_MEASURES, *PINNED, *GROWTH_MEASURES, *REGISTRY_MEASURES)
    os.sched_setaffinity(0, {CLIENT_CORE} if measure in pinned else ALL_CORES)
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        return measure(Path(name), rounds)


main()
