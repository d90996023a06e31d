"""What was measured beside what good looks like, for a terminal or as docs/performance.md."""

import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

# figure → (aim, gate, whether more is better, the gate holds now)
GOALS: dict[str, tuple[float | None, float, bool, bool]] = {
    "one row, linear": (0.95, 0.80, True, True),
    "one row, forest": (0.80, 0.65, True, True),
    "one row, boosting": (0.80, 0.65, True, True),
    "one row, other": (0.50, 0.35, True, True),
    "one row, linear: share that keys, figures and a log take": (0.03, 0.07, False, True),
    "one text over TF-IDF, bayes": (0.80, 0.55, True, True),
    "one text over TF-IDF, linear": (0.80, 0.55, True, True),
    "one text over TF-IDF, other": (0.40, 0.25, True, True),
    "100,000 rows as CSV": (0.95, 0.75, True, True),
    "100,000 rows as JSON": (0.95, 0.75, True, True),
    "100,000 rows as PARQUET": (0.95, 0.75, True, True),
    "100,000 rows as JSON columns": (0.95, 0.75, True, True),
    "memory, a linear model: one row by look-ups / by the pipeline": (1.0, 1.05, False, True),
    "memory, a forest: one row by look-ups / by the pipeline": (1.0, 1.05, False, True),
    "CPU of a start, a linear model: by look-ups / by the pipeline": (1.0, 1.05, False, True),
    "CPU of a start, a forest: by look-ups / by the pipeline": (1.0, 1.05, False, True),
    "peak memory, a CSV of 200 MB / of 20 MB": (1.0, 1.5, False, True),
    "p99 of predictions while a training runs / without": (2, 4, False, True),
    "append of 100 rows at 1 M stored / at 1 k stored": (1.5, 3, False, True),
    "retrain over HTTP − the same fit in a script, s": (0.25, 0.6, False, True),
    "memory, one worker / the naive server": (1.0, 1.3, False, True),
    "processes without text models that loaded torch": (0, 0, False, True),
    "a logged prediction / one that Flask answers": (None, 1.5, False, True),
    "logged prediction at 1 M requests / at 1 k": (1.0, 1.5, False, True),
    "feedback at 1 M requests / at 1 k": (1.0, 1.5, False, True),
    "state of a test at 1 M requests / at 1 k": (1.0, 1.5, False, True),
    "1,000 texts / the pipeline": (2.0, 1.3, True, True),
    "one text / the pipeline": (1.0, 0.8, True, True),
    "int8: share of labels that differ": (None, 0.03, False, True),
    "int8: ROC AUC lost": (None, 0.01, False, True),
}
FRONT = """# Performance

Written by `python -m benchmarks {chosen}--markdown`; [benchmarks.md](benchmarks.md) says what is measured, and how.
Figures of one row are shares of the requests per CPU second of a resource that computes nothing; on a shared machine
only such ratios can be trusted.

{machine}. Load average {load} when it began: other work than this.
"""


def verdict_of(name: str, value: float) -> str:
    """ "ok", "MISSED", or "later" for a gate that need not hold yet; nothing for a figure without one."""
    if name not in GOALS:
        return ""
    _, gate, more, due = GOALS[name]
    holds = value >= gate if more else value <= gate
    return "ok" if holds else "MISSED" if due else "later"


class Terminal:
    """A line for each figure, as soon as there is one."""

    def begin(self, machine: str, chosen: str) -> None:
        """Tell what is measured on."""
        print(f"{machine}\n")
        print(f"{'':<62}{'measured':>10}{'aim':>8}{'gate':>8}")

    def tell(self, measure: Callable[..., object], figures: Mapping[str, float]) -> None:
        """Tell the figures of a measure."""
        for name, value in figures.items():
            print(f"{name:<62}{value:>10.3f}{_goals(name, '{:>8}')}  {verdict_of(name, value)}", flush=True)


class Markdown:
    """A page with a table for each measure."""

    def begin(self, machine: str, chosen: str) -> None:
        """Tell what is measured on."""
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(FRONT.format(machine=machine, chosen=chosen, load=load), flush=True)

    def tell(self, measure: Callable[..., object], figures: Mapping[str, float]) -> None:
        """Tell the figures of a measure, below what it says of itself."""
        said = (measure.__doc__ or "").split("\n")[0].rstrip(".")
        print(f"## {said}\n\n| figure | measured | aim | gate | |\n| --- | ---: | ---: | ---: | --- |")
        for name, value in figures.items():
            shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
            print(f"| {name} | {shown} |{_goals(name, ' {} |')} {verdict_of(name, value)} |")
        print(flush=True)


def _goals(name: str, form: str) -> str:
    goals = GOALS[name][:2] if name in GOALS else (None, None)
    return "".join(form.format("" if goal is None else goal) for goal in goals)


def machine() -> str:
    """The processor and the system, as far as they tell it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = f"{os.cpu_count()} cores ({models[0] if models else platform.machine()})"
    return f"{cores}, {platform.system()}, Python {platform.python_version()}"
