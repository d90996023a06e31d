"""/metrics: the server's figures for Prometheus, alike in whichever worker is asked.

Workers count into files of their own (prometheus_client's multiprocess mode), which are added up when somebody asks.
What is true of the server at that moment, such as which models serve, is looked up then.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from threading import Lock

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from server.errors import NotReady
from server.service.figures import Figures
from server.web.counters import Counters

logger = logging.getLogger(__name__)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The figures of the whole server.

    Args:
        figures: what is looked up when somebody asks.
        endpoint_of: the endpoint at each pattern.
    """

    def __init__(self, figures: Figures, endpoint_of: Mapping[str, str]) -> None:
        self._figures, self._endpoint_of = figures, endpoint_of
        self._counters: Counters | None = None
        self._failure: OSError | None = None
        self._making = Lock()

    @property
    def counters(self) -> Counters | None:
        """What this process counts; begun by its first request, which is after it was forked.

        None if its files cannot be made: who asks for a prediction is answered all the same.
        """
        if self._counters is None and self._failure is None:
            with self._making:
                try:
                    self._counters = self._counters or Counters()
                except OSError as error:
                    self._failure = error
                    logger.error("this worker counts nothing for %s: %s", "/metrics", error)
        return self._counters

    def text(self, opened: Callable[[str], bool] | None = None) -> bytes:
        """Everything in Prometheus' text format; only what is of endpoints that are `opened`, if that is given.

        Raises:
            NotReady: this process cannot count.
        """
        counters, whole = self.counters, CollectorRegistry()
        if counters is None:
            raise NotReady(f"the figures cannot be counted: {self._failure}")
        families = lambda: [*counters.collect(), *_looked_up(self._figures)]  # noqa: E731
        whole.register(_Chosen(families, self._is_shown(opened)))
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
