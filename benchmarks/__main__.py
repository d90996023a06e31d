"""python -m benchmarks: the table of what good looks like, measured now on this machine."""

import argparse
import platform
import sys
from importlib.metadata import version

from benchmarks.measures import MEASURES, run

# figure → (aim, gate, whether more is better, the gate holds now)
GOALS: dict[str, tuple[float, float, bool, bool]] = {
    "one row, linear": (0.95, 0.80, True, False),
    "one row, forest": (0.80, 0.65, True, False),
    "one row, boosting": (0.80, 0.65, True, False),
    "one row, other": (0.50, 0.35, True, False),
    "100,000 rows as CSV": (0.95, 0.75, True, True),
    "100,000 rows as JSON": (0.95, 0.75, True, True),
    "100,000 rows as PARQUET": (0.95, 0.75, True, True),
    "p99 of predictions while a training runs / without": (2, 4, False, True),
    "append of 100 rows at 1 M stored / at 1 k stored": (1.5, 3, False, True),
    "retrain over HTTP − the same fit in a script, s": (0.25, 0.6, False, True),
    "memory, one worker / the naive server": (1.0, 1.3, False, True),
}


def main() -> None:
    """Print the table; exit 1 if a gate that should hold does not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"measures: {', '.join(m.__name__ for m in MEASURES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each measure; the median counts")
    arguments = parser.parse_args()
    chosen = [measure for measure in MEASURES if not arguments.names or measure.__name__ in arguments.names]
    libraries = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "pandas", "flask", "gunicorn"))
    print(f"Python {platform.python_version()}, {libraries}; {arguments.rounds} rounds, medians\n")
    print(f"{'':<55}{'measured':>10}{'aim':>8}{'gate':>8}")
    failed = False
    for measure in chosen:
        for name, value in run(measure, arguments.rounds).items():
            aim, gate, more, due = GOALS.get(name, (None, None, True, False))
            holds = gate is None or (value >= gate if more else value <= gate)
            failed |= due and not holds
            verdict = "" if gate is None else "ok" if holds else "MISSED" if due else "later"
            goals = "".join(f"{'' if goal is None else goal:>8}" for goal in (aim, gate))
            print(f"{name:<55}{value:>10.3f}{goals}  {verdict}", flush=True)
    sys.exit(1 if failed else 0)


main()
