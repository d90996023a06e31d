"""One row or one text: beside what computes nothing, with and without keys, by look-ups and by the pipeline."""

import json
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import joblib

from benchmarks.data import FEATURES, TEXT_CLASSES, passengers, write_config, write_text_config
from benchmarks.fine_tuned import reviews
from benchmarks.processes import SERVER_CORE, Failed, Server, gunicorn
from server.config import hash_of

ROWS, TEXTS = 1000, 800
# Requests of a turn where differences are small.
TURN = 200
# Starts of the servers, where they are.
STARTS = 5
# Answers that are compared with the model's own.
CHECKED = 50
KINDS = {"linear": "a linear model", "forest": "a forest"}
SINGLE = 300


Figures = dict[str, float]


def serving(folder: Path, kinds: list[str], data: Path | None = None, core: int | None = SERVER_CORE, **server: Any):
    """A server of one Titanic endpoint per kind of model, its files in the folder."""
    config = write_config(folder, kinds, data, **server)
    return gunicorn("wsgi:app", {"RESTIMATOR_CONFIG": str(config)}, ready="/readyz", core=core)


def empty_resource() -> AbstractContextManager[Server]:
    """The ceiling: a gunicorn like the server's own whose resource computes nothing."""
    arguments = ("--worker-class", "gthread", "--threads", "24", "--limit-request-line", "0")
    return gunicorn("benchmarks.empty_resource:app", {}, *arguments, "--config", "python:benchmarks.empty_resource")


def cpu_per_request(server: Server, paths: list[str], headers: dict[str, str] | None = None) -> float:
    """CPU seconds of the server for a GET of one of the paths."""
    before = server.cpu()
    for path in paths:
        server.ask("GET", path, headers=headers)
    return (server.cpu() - before) / len(paths)


def one_row(folder: Path, rounds: int) -> Figures:
    """Requests per CPU second of the empty resource that each kind of model reaches."""
    kinds = ["linear", "forest", "boosting", "other"]
    shares = _shares_of_empty(
        write_config(folder, kinds), kinds, queries_of, rounds, check=_answers_as_its_model(folder)
    )
    return {f"one row, {kind}": share for kind, share in shares.items()}


def queries_of(turn: int, count: int = ROWS) -> list[str]:
    """Query strings of passengers, other ones in each turn: an answer that was remembered would help nobody."""
    rows = passengers(count, seed=200 + turn)[FEATURES].ffill().bfill()
    return [urlencode(row) for row in rows.to_dict("records")]


def _answers_as_its_model(folder: Path) -> Callable[[Server, str], None]:
    """What sees to it that a server answers by GET what the pickled pipeline answers in a script."""

    def check(server: Server, kind: str) -> None:
        rows = passengers(CHECKED, seed=199)[FEATURES].ffill().bfill()
        expected = joblib.load(folder / "models" / kind / "model.pkl").predict(rows).tolist()
        found = [json.loads(server.ask("GET", f"/{kind}?{urlencode(row)}"))[0] for row in rows.to_dict("records")]
        if found != expected:
            raise Failed(f"{kind} answers {found}, and its model {expected}")

    return check


def guarded_row(folder: Path, rounds: int) -> Figures:
    """What keys, figures and a line in the log for each request take of the linear model's share."""
    for name in ("without", "with"):
        (folder / name).mkdir()
    # Two processes of the same server differ by some hundredths for as long as they live.
    taken = [statistics.median(_taken_in_turns(folder, rounds)) for _ in range(STARTS)]
    return {"one row, linear: share that keys, figures and a log take": statistics.mean(taken)}


def _taken_in_turns(folder: Path, rounds: int) -> list[float]:
    key = {"name": "benchmark", "hash": hash_of("benchmark"), "scopes": ["predict"]}
    settings = {"without": {"metrics": False}, "with": {"keys": [key], "log": {"format": "json", "requests": True}}}
    with (
        serving(folder / "without", ["linear"], **settings["without"]) as plain,
        serving(folder / "with", ["linear"], **settings["with"]) as guarded,
        empty_resource() as empty,
    ):
        plain.rest()
        guarded.rest()
        header = {"X-API-Key": "benchmark"}
        warm = [f"/linear?{query}" for query in queries_of(-1)]
        cpu_per_request(guarded, warm, header)
        cpu_per_request(plain, warm)
        taken: list[float] = []
        # A difference of two shares needs many turns, and what is compared within little time.
        for turn in range(rounds * ROWS // TURN):
            queries = queries_of(turn, TURN)
            paths = [f"/linear?{query}" for query in queries]
            nothing = cpu_per_request(empty, ["/?" + query for query in queries])
            without = cpu_per_request(plain, paths)
            taken.append(nothing / without - nothing / cpu_per_request(guarded, paths, header))
    return taken


def one_text(folder: Path, rounds: int) -> Figures:
    """The same for single texts over TF-IDF, by the query of a TextHandler."""
    learned, others = reviews()

    def queries(turn: int) -> list[str]:
        return [urlencode({"query": text}) for text in others["text"].sample(TEXTS, random_state=turn)]

    shares = _shares_of_empty(write_text_config(folder, learned), list(TEXT_CLASSES), queries, rounds)
    return {f"one text over TF-IDF, {kind}": share for kind, share in shares.items()}


def _shares_of_empty(
    config: Path,
    kinds: list[str],
    queries_of_turn: Callable[[int], list[str]],
    rounds: int,
    check: Callable[[Server, str], None] = lambda server, kind: None,
) -> Figures:
    shares: dict[str, list[float]] = {kind: [] for kind in kinds}
    ours = gunicorn("wsgi:app", {"RESTIMATOR_CONFIG": str(config)}, ready="/readyz")
    with ours as server, empty_resource() as empty:
        server.rest()
        for kind in kinds:
            check(server, kind)
        for turn in range(rounds + 1):
            queries = queries_of_turn(turn)
            for kind in kinds:
                # Side by side: on a shared machine what a request costs changes within seconds.
                before = cpu_per_request(empty, ["/?" + query for query in queries])
                share = before / cpu_per_request(server, [f"/{kind}?{query}" for query in queries])
                shares[kind].append(share)
    return {kind: statistics.median(values[1:]) for kind, values in shares.items()}


def beside_pipeline(folder: Path, rounds: int) -> Figures:
    """Memory, start and time of one row where look-ups answer it / where the pipeline does."""
    figures: Figures = {}
    for kind, called in KINDS.items():
        configs = {}
        for flag in (True, False):
            place = folder / f"{kind}-{flag}"
            place.mkdir()
            configs[flag] = write_config(place, [kind], row_path=flag)
            # The first start trains; it is not the one to measure.
            with gunicorn("wsgi:app", {"RESTIMATOR_CONFIG": str(configs[flag])}, ready="/readyz") as server:
                server.rest()
        taken = [[_taken(configs[flag], kind, turn) for flag in (True, False)] for turn in range(2 * rounds)]
        start, row, memory = (
            statistics.median(quick[place] / slow[place] for quick, slow in taken) for place in range(3)
        )
        figures |= {
            f"memory, {called}: one row by look-ups / by the pipeline": memory,
            f"CPU of a start, {called}: by look-ups / by the pipeline": start,
            f"CPU of one row, {called}: by look-ups / by the pipeline": row,
        }
    return figures


def _taken(config: Path, kind: str, turn: int) -> tuple[float, float, float]:
    """CPU seconds to readiness, CPU seconds of a row, MiB after some rows."""
    with gunicorn("wsgi:app", {"RESTIMATOR_CONFIG": str(config)}, ready="/readyz") as server:
        start = server.cpu()
        row = cpu_per_request(server, [f"/{kind}?{query}" for query in queries_of(turn, SINGLE)])
        return start, row, server.memory()


ROW_MEASURES = (one_row, guarded_row, one_text, beside_pipeline)
