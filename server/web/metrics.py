"""/metrics: the server's figures for Prometheus, alike in whichever worker is asked.

Workers count into files of their own (prometheus_client's multiprocess mode), which are added up when somebody asks.
What is true of the server at that moment, such as which models serve, is looked up then.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from server.service.figures import Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Where workers keep their files; gunicorn.conf.py sets it before they are forked.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
# A one-row prediction takes a fraction of a millisecond, a training that is waited for minutes.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class _Place:
    """Which of the workers' places this process has; it goes on counting where the last worker in it ended."""

    name = "0"


def take_place(name: str) -> None:
    """Count into the files of this place; no two processes that live have the same."""
    _Place.name = name


class Metrics:
    """The counters of this process, and the whole of them.

    Args:
        figures: what is looked up when somebody asks.
        endpoint_of: the endpoint at each pattern.
    """

    def __init__(self, figures: Figures, endpoint_of: Mapping[str, str]) -> None:
        self._figures, self._endpoint_of = figures, endpoint_of
        self._shares = FOLDER in os.environ
        self._answered: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self._rows_of: dict[tuple[str, str], Counter] = {}

    @cached_property
    def _own(self) -> "_Counters":
        # Made at the first request, in the process that counts.
        return _Counters(self._shares)

    def begun(self) -> None:
        """A request came."""
        self._own.in_flight.inc()

    def answered(self, route: str, method: str, status: str, seconds: float) -> None:
        """A request was answered.

        Args:
            route: the rule of its URL; OTHER where there is none.
            method: as it was sent.
            status: the three digits.
            seconds: until the answer was there to be sent.
        """
        own = self._own
        own.in_flight.dec()
        key = (route, method, status)
        counted = self._answered.get(key)
        if counted is None:
            method = method if method in METHODS else OTHER
            counted = own.requests.labels(route, method, status), own.durations.labels(route)
            # What a client makes up is not kept.
            if method != OTHER:
                self._answered[key] = counted
        counted[0].inc()
        counted[1].observe(seconds)

    def rows(self, endpoint: str, action: str, count: int) -> None:
        """Rows of a request were answered, or kept."""
        counter = self._rows_of.get((endpoint, action))
        if counter is None:
            counter = self._rows_of[endpoint, action] = self._own.rows.labels(endpoint, action)
        counter.inc(count)

    def text(self, opened: Callable[[str], bool] | None = None) -> bytes:
        """Everything in Prometheus' text format; only what is of endpoints that are `opened`, if that is given."""
        whole = CollectorRegistry()
        counted = MultiProcessCollector(None) if self._shares else self._own.registry
        whole.register(_Chosen(lambda: [*counted.collect(), *_looked_up(self._figures)], self._is_shown(opened)))
        return generate_latest(whole)

    def _owner(self, route: str) -> str | None:
        """The endpoint to which the route belongs, itself or as one below it."""
        below = [pattern for pattern in self._endpoint_of if pattern != "/" and route.startswith(f"{pattern}/")]
        return self._endpoint_of.get(route) or self._endpoint_of.get(max(below, key=len, default=""))

    def _is_shown(self, opened: Callable[[str], bool] | None) -> Callable[[Mapping[str, str]], bool]:
        def is_shown(labels: Mapping[str, str]) -> bool:
            endpoint = labels.get("endpoint") or self._owner(labels.get("route", ""))
            return endpoint is not None and opened is not None and opened(endpoint)

        return is_shown if opened is not None else lambda labels: True


class _Counters:
    """What one process counts."""

    def __init__(self, shares: bool) -> None:
        # The library chooses this when it is imported, which may be before the folder is known.
        values.ValueClass = values.MultiProcessValue(lambda: _Place.name) if shares else values.MutexValue
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "restimator_requests", "Requests answered.", ["route", "method", "status"], registry=self.registry
        )
        self.durations = Histogram(
            "restimator_request_duration_seconds",
            "Seconds until the answer was there to be sent.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "restimator_requests_in_progress",
            "Requests that are being answered.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.rows = Counter(
            "restimator_rows",
            "Rows answered or kept, by what was asked.",
            ["endpoint", "action"],
            registry=self.registry,
        )


class _Chosen:
    """A collector of the samples whose labels may be shown."""

    def __init__(self, families: Callable[[], list[Metric]], is_shown: Callable[[Mapping[str, str]], bool]) -> None:
        self._families, self._is_shown = families, is_shown

    def collect(self) -> Iterator[Metric]:
        """What Prometheus' registry asks for."""
        for family in self._families():
            family.samples = [sample for sample in family.samples if self._is_shown(sample.labels)]
            yield family

    def describe(self) -> list[Metric]:
        """Nothing: names are known once they are asked for."""
        return []


def _looked_up(figures: Figures) -> list[Metric]:
    """What is true of the server now, and what its folder remembers."""
    ready = GaugeMetricFamily("restimator_endpoint_ready", "Whether the endpoint can answer.", labels=["endpoint"])
    loaded = GaugeMetricFamily("restimator_model_loaded", "Whether a model serves.", labels=["endpoint"])
    trained = GaugeMetricFamily(
        "restimator_model_trained_timestamp_seconds", "When the serving model was trained.", labels=["endpoint"]
    )
    going_on = GaugeMetricFamily(
        "restimator_training_runs", "Training runs that go on, or wait.", labels=["endpoint", "state"]
    )
    ended = CounterMetricFamily(
        "restimator_training_runs_ended", "Training runs that ended, since models_dir was made.",
        labels=["endpoint", "status"],
    )  # fmt: skip
    build = GaugeMetricFamily("restimator_build_info", "What the server runs on.", labels=list(figures.build))
    build.add_metric(list(figures.build.values()), 1)
    for name, model in figures.models().items():
        ready.add_metric([name], model.is_ready)
        loaded.add_metric([name], model.is_loaded)
        if model.trained is not None:
            trained.add_metric([name], model.trained)
    for (name, state), count in figures.runs_going_on().items():
        going_on.add_metric([name, state], count)
    for (name, status), count in figures.runs_ended().items():
        ended.add_metric([name, status], count)
    return [build, ready, loaded, trained, going_on, ended]
