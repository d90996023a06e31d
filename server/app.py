"""create_app: the one place where things are built."""

import gc
import logging
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from threadpoolctl import threadpool_limits

from server.config import Config, Limits
from server.errors import ConfigError, ModelUnreadable, Problem, ServerError, TemplateFailed
from server.jobs import ClusterRunner, ProcessRunner, Runner, cluster_problems
from server.logs import log_to_stderr
from server.service.checks import classifier_problems, model_problems, transform_problems
from server.service.classifier import DocumentClassifier
from server.service.draining import Draining
from server.service.endpoint import Endpoint
from server.service.experiment_book import ExperimentBook
from server.service.figures import Figures
from server.service.keys import KeyRing
from server.service.run_folder import own_folder
from server.service.runs import Runs
from server.service.text import TextEndpoint
from server.web.metrics import Metrics
from server.web.observation import Observation
from server.web.request_data import StrictRequest
from server.web.routes import belongs_to_server, places, register_routes
from server.web.row_door import RowDoor
from server.web.runs import prefix
from server.web.template import check_template

if TYPE_CHECKING:
    from server.service.registry import Registry

logger = logging.getLogger(__name__)
HANDLERS: dict[str, type[Endpoint]] = {"MLHandler": Endpoint, "TextHandler": TextEndpoint}
# What a training needs, loaded once in the process that forks the trainings.
PRELOADED = ("server.service.training",)


class Application:
    """What the process keeps beside Flask's object: the endpoints and who trains for them."""

    def __init__(self, config: Config, runner: Runner) -> None:
        self.config = config
        self.runner = runner
        self.book: ExperimentBook = runner.keep(ExperimentBook, config)
        self.runs = Runs(config, self.book)
        self.endpoints = {
            name: HANDLERS[entry.handler](name, config, runner, self.book) for name, entry in config.models.items()
        }
        self.classifiers = {name: DocumentClassifier(name, config, runner, self.book) for name in config.classifiers}
        self.registry = _registry(config, self.endpoints, self.book)
        self.draining = Draining()
        self._starting = threading.Lock()
        self._started = False

    def load_models(self) -> None:
        """Load what there is: before a fork, so that all workers share its memory."""
        for name, endpoint in self.endpoints.items():
            try:
                endpoint.served()
            except ModelUnreadable as error:
                # What is only not there yet is told by those who wait for it.
                if error.retry_after is None:
                    logger.error("%s: %s", name, error.detail)

        if self.registry is not None:
            self.registry.load_models()

    def before_fork(self) -> None:
        """Fork the launcher of trainings while this process has no threads."""
        # What is there now lives as long as the process: the collector must not touch, and so copy, shared pages.
        gc.collect()
        gc.freeze()
        self.runner.fork_launcher()

    def start(self) -> None:
        """Begin the trainings that nobody needs to ask for; once in each process."""
        with self._starting:
            if self._started:
                return
            self._started = True
        # Requests are parallel already; BLAS threads beside them only wait for one another.
        threadpool_limits(limits=1, user_api="blas")
        self.runs.settle_soon()
        served: list[Endpoint | DocumentClassifier] = [*self.endpoints.values(), *self.classifiers.values()]
        for endpoint in served:
            try:
                endpoint.prepare()
            except (ServerError, OSError) as error:
                # The other endpoints are not to suffer; this one says so itself when it is asked.
                logger.error("%s could not be prepared: %s", endpoint.name, error)
        if self.registry is not None:
            self.registry.start()


class NoRegistry:
    """Stands in the registry's place where none is configured."""

    def add_algorithm(self, **_: Any) -> None:
        """Nothing can be added.

        Raises:
            ConfigError: in any case.
        """
        raise ConfigError("there is no registry to add an algorithm to; configure an endpoint with RegistryHandler")


class Server(Flask):
    """Flask's object with the registry, to which code adds algorithms."""

    registry: "Registry | NoRegistry"


def create_app(config: Config, runner: Runner | None = None) -> Server:
    """The WSGI application for a configuration.

    Args:
        config: what `load_config` returned.
        runner: who runs trainings; by default a process for each, here or on the workers of server.compute.

    Raises:
        ConfigError: a class, parameter or pattern that cannot be.
    """
    log = config.server.log
    log_to_stderr(log.format == "json", log.level, bool(config.server.requests.redact))
    _check(config)
    for warning in config.warnings:
        logger.warning("%s", warning)
    for problem in template_problems(config):
        # Only this page fails; the endpoint predicts all the same.
        logger.error("%s: %s", problem.pointer, problem.detail)
    limits = config.server.limits
    app = _without_routes(limits)
    keys = KeyRing(config)
    _limit_rates(app, config, keys)
    application = Application(config, runner or _runner(config))
    application.load_models()
    app.extensions["restimator"] = application
    app.registry = application.registry or NoRegistry()
    app.before_request(application.start)
    served = (application.endpoints, application.classifiers)
    metrics = _metrics(application) if config.server.metrics else None
    register_routes(
        app, *served, application.runs, config.server, keys, application.registry, application.draining, metrics
    )
    # Where requests are counted, all of them are to be.
    rows = places(application.endpoints, application.runs) if limits.rate is None else []
    app.wsgi_app = RowDoor(app, rows, keys, limits, application.start)  # type: ignore[method-assign]
    app.wsgi_app = Observation(app.wsgi_app, metrics, log.requests)  # type: ignore[method-assign]
    return app


def _without_routes(limits: Limits) -> Server:
    app = Server("server.web", template_folder="templates", static_folder=None)
    app.request_class = StrictRequest
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = int(limits.body_mb * 2**20)
    # A row may come as fields; Werkzeug's own number is a thousand.
    app.config["MAX_FORM_PARTS"] = max(1000, limits.columns)
    return app


def _limit_rates(app: Flask, config: Config, keys: KeyRing) -> None:
    """Count requests, if there is a limit; 40 ms of imports that a server without one never needs.

    Raises:
        ConfigError: a key has a rate and the server has none, or Redis is configured and not installed.
    """
    limits = config.server.limits
    own = next((key.name for key in keys.all() if key.rate is not None), None)
    if limits.rate is None:
        if own is not None:
            detail = f"the key {own!r} has a rate of its own, which counts only beside one for all; set this"
            raise ConfigError(f"server.limits.rate: {detail}", [Problem("server.limits.rate", detail)])
        return
    from server.storage.rate_counts import address
    from server.web.rates import limit_rates

    if "redis" in (limits.rate_storage or "") and find_spec("redis") is None:
        detail = "the package redis is not installed; install requirements.txt"
        raise ConfigError(f"server.limits.rate_storage: {detail}", [Problem("server.limits.rate_storage", detail)])
    limit_rates(app, limits, keys, limits.rate_storage or address(own_folder(config) / "rates"))


def template_problems(config: Config) -> list[Problem]:
    """Templates that are missing or cannot be parsed, with their YAML paths."""
    problems = []
    for name, entry in config.models.items():
        if entry.kwargs.template:
            try:
                check_template(Path(entry.kwargs.template))
            except TemplateFailed as error:
                problems.append(Problem(f"url.{name}.kwargs.template", error.detail))
    return problems


def _metrics(application: Application) -> Metrics:
    config = application.config
    endpoint_of = {entry.pattern: name for name, entry in config.url.items()}
    return Metrics(Figures(config, application.endpoints), endpoint_of)


def _runner(config: Config) -> Runner:
    if config.server.compute is None:
        return ProcessRunner(PRELOADED)
    return ClusterRunner(config.server.compute, PRELOADED)


def _registry(config: Config, endpoints: dict[str, Endpoint], book: ExperimentBook) -> "Registry | None":
    if config.registry is None:
        return None
    # With SQLAlchemy and Alembic, which cost memory and time that a server without a registry never needs.
    from server.service.registry import Registry

    return Registry(config, endpoints, book)


def _check(config: Config) -> None:
    problems = cluster_problems(config.server.compute) + model_problems(config)
    problems += classifier_problems(config) + transform_problems(config)
    problems += [
        Problem(f"url.{name}.pattern", f"{entry.pattern} belongs to the server itself; choose another path")
        for name, entry in config.url.items()
        if belongs_to_server(entry.pattern, prefix(config.server.base_url))
    ]
    if problems:
        listing = "\n".join(f"  {problem.pointer}: {problem.detail}" for problem in problems)
        raise ConfigError(f"the configuration has {len(problems)} mistake(s):\n{listing}", problems)
