"""python -m benchmarks: the table of what good looks like, measured now on this machine."""

import argparse
import os
import platform
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
from benchmarks.text_measures import TEXT_MEASURES

ALL = (*MEASURES, *GROWTH_MEASURES, *REGISTRY_MEASURES, *TEXT_MEASURES)

# figure → (aim, gate, whether more is better, the gate holds now)
GOALS: dict[str, tuple[float | None, float, bool, bool]] = {
    "one row, linear": (0.95, 0.80, True, True),
    "one row, forest": (0.80, 0.65, True, True),
    "one row, boosting": (0.80, 0.65, True, True),
    "one row, other": (0.50, 0.35, True, True),
    "one text over TF-IDF, bayes": (0.80, 0.55, True, True),
    "one text over TF-IDF, linear": (0.80, 0.55, True, True),
    "one text over TF-IDF, other": (0.40, 0.25, True, True),
    "100,000 rows as CSV": (0.95, 0.75, True, True),
    "100,000 rows as JSON": (0.95, 0.75, True, True),
    "100,000 rows as PARQUET": (0.95, 0.75, True, True),
    "peak memory, a CSV of 200 MB / of 20 MB": (1.0, 1.5, False, True),
    "p99 of predictions while a training runs / without": (2, 4, False, True),
    "append of 100 rows at 1 M stored / at 1 k stored": (1.5, 3, False, True),
    "retrain over HTTP − the same fit in a script, s": (0.25, 0.6, False, True),
    "memory, one worker / the naive server": (1.0, 1.3, False, True),
    "processes without text models that loaded torch": (0, 0, False, True),
    "a logged prediction / an unlogged one": (None, 1.5, False, True),
    "logged prediction at 1 M requests / at 1 k": (1.0, 1.5, False, True),
    "feedback at 1 M requests / at 1 k": (1.0, 1.5, False, True),
    "1,000 texts / the pipeline": (2.0, 1.3, True, True),
    "one text / the pipeline": (1.0, 0.8, True, True),
    "int8: share of labels that differ": (None, 0.03, False, True),
    "int8: ROC AUC lost": (None, 0.01, False, True),
}


def main() -> None:
    """Print the table; exit 1 if a gate that should hold does not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    listing = ", ".join(measure.__name__ for measure in ALL)
    parser.add_argument("names", nargs="*", help=f"measures, or how their names begin: {listing} (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each measure; the median counts")
    arguments = parser.parse_args()
    chosen = [measure for measure in ALL if measure.__name__.startswith(tuple(arguments.names or [""]))]
    if not chosen:
        parser.error(f"no measure is called so; known: {listing}")
    missing = what_is_missing()
    if missing and any(measure in TEXT_MEASURES for measure in chosen):
        print(f"text models are left out: {missing}")
        chosen = [measure for measure in chosen if measure not in TEXT_MEASURES]
    print(f"Python {platform.python_version()}, {_versions(missing is None)}; {arguments.rounds} rounds, medians\n")
    print(f"{'':<62}{'measured':>10}{'aim':>8}{'gate':>8}")
    failed = False
    for measure in chosen:
        for name, value in run(measure, arguments.rounds).items():
            aim, gate, more, due = GOALS.get(name, (None, None, True, False))
            holds = gate is None or (value >= gate if more else value <= gate)
            failed |= due and not holds
            verdict = "" if gate is None else "ok" if holds else "MISSED" if due else "later"
            goals = "".join(f"{'' if goal is None else goal:>8}" for goal in (aim, gate))
            print(f"{name:<62}{value:>10.3f}{goals}  {verdict}", flush=True)
    sys.exit(1 if failed else 0)


def _versions(texts: bool) -> str:
    names = ["scikit-learn", "pandas", "flask", "gunicorn", *(["torch", "transformers"] if texts else [])]
    return ", ".join(f"{name} {version(name)}" for name in names)


def run(measure: Callable[[Path, int], dict[str, float]], rounds: int) -> dict[str, float]:
    """The figures of one measure, in a folder of its own."""
    os.sched_setaffinity(0, {CLIENT_CORE} if measure in (*PINNED, *GROWTH_MEASURES, *REGISTRY_MEASURES) else ALL_CORES)
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        return measure(Path(name), rounds)


main()
