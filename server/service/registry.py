"""The registry: which algorithm answers, what it answered, and what came back."""

import logging
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from server.config import SETTABLE, Config, algorithm_of
from server.errors import (
    AlgorithmFailed,
    BadRequest,
    ConfigError,
    EntryConflict,
    NoSuchEntry,
    ServerError,
    did_you_mean,
)
from server.service.abtest import loss_of
from server.service.abtests import ABTests
from server.service.algorithms import EndpointModel, EndpointVersions, FileModel, OwnObject
from server.service.choice import UNDER_TEST, Asked, chosen, nobody
from server.service.endpoint import Endpoint
from server.service.entries import Entries
from server.service.experiment_book import ExperimentBook
from server.service.history import History
from server.service.redaction import REDACTED, Redaction
from server.service.registration import GONE, Declared, Registration
from server.service.retention import Retention
from server.service.stores import trust_of
from server.storage.registry import abtests, algorithms, requests
from server.storage.registry.algorithms import Candidate
from server.storage.registry.connection import RegistryDatabase
from server.tables.writing import plain_json

logger = logging.getLogger(__name__)


class Registry:
    """The use cases of the RegistryHandler; safe to call from many threads and processes."""

    def __init__(self, config: Config, endpoints: Mapping[str, Endpoint], book: ExperimentBook) -> None:
        assert config.registry is not None
        self.name, self.entry = config.registry
        self.config = config
        self._redaction = Redaction(config.server.requests.redact)
        self.database = RegistryDatabase(config.server.database)
        self.registration = Registration(self.database)
        self.entries = Entries(self.database, self.registration)
        self.abtests = ABTests(self.database, self.registration, self.entries)
        self.history = History(self.database)
        self.retention = Retention(self.database, config.server.requests.keep_days)
        self._declare(endpoints, EndpointVersions(config, book))

    def predict(self, endpoint: str, input_data: dict[str, Any], asked: Asked) -> tuple[dict[str, Any], bool]:
        """The answer of an algorithm of the endpoint, which is written down before; and whether it failed.

        Raises:
            NoSuchEntry: there is no such endpoint.
            BadRequest: no algorithm, or more than one, is meant, or none can be used.
            RegistryUnavailable: the database cannot be reached.
        """
        asked.check()
        self.registration.ensure(endpoint)
        with self.database.direct() as connection:
            found = algorithms.candidates(connection, endpoint, asked.wanted)
            # An algorithm may take its time; nothing is held meanwhile.
            connection.commit()
            if not found:
                raise self._nobody(endpoint, asked)
            one = chosen(asked, endpoint, found, lambda candidate: self.registration.problem(endpoint, candidate))
            # Before somebody's code can change it.
            hides = self._redaction.concerns(input_data)
            logged_input = _kept(self._redaction.without(input_data) if hides else input_data)
            answer, full_response, failed = self._computed(endpoint, one, input_data, hides)
            if hides:
                # A sentence may quote what must not be kept, in whatever spelling.
                full_response = plain_json(_failure(REDACTED) if failed else self._redaction.without(answer))
            test = one.abtest if one.status == UNDER_TEST else None
            label = None if failed else plain_json(answer["label"])
            if test is not None:
                connection.begin()
            number = requests.log(connection, requests.Logged(one.id, test, logged_input, full_response, label))
        return answer | {"request_id": number}, failed

    def _nobody(self, endpoint: str, asked: Asked) -> ServerError:
        with self.database.reading() as connection:
            known = algorithms.all_candidates(connection, endpoint)
            names = algorithms.endpoint_names(connection) if known is None else []
        if known is None:
            return NoSuchEntry(f"there is no endpoint {endpoint!r}{did_you_mean(endpoint, names)}")
        return nobody(asked, endpoint, known)

    def feedback(self, number: int, feedback: Any) -> dict[str, Any]:
        """Keep what was the truth for a request, in the place of any before; the request.

        Raises:
            NoSuchEntry: there is no such request.
            BadRequest: it cannot be compared with the label.
        """
        if feedback is None:
            raise BadRequest('feedback must be what was true, such as "setosa" or 1.5, not null')
        kept = _kept(feedback)
        with self.database.writing() as connection:
            found = requests.answered(connection, number)
            if found is None:
                raise NoSuchEntry(f"there is no request {number}")
            loss = loss_of(found.model_type, found.label, feedback, found.failed)
            requests.set_feedback(connection, found, kept, loss)
        return self.entries.one("mlrequests", number)

    def set_status(self, number: int, status: str, by: str | None) -> dict[str, Any]:
        """Give an algorithm a status, which takes the place of the one before; the status.

        Raises:
            BadRequest: an unknown status or algorithm.
            EntryConflict: the algorithm is being tested.
        """
        if status not in SETTABLE:
            if status == UNDER_TEST:
                raise BadRequest("ab_testing is given by a test; begin one by POST to /abtests")
            raise BadRequest(f"unknown status {status!r}{did_you_mean(status, SETTABLE)}; known: {', '.join(SETTABLE)}")
        self.registration.ensure()
        with self.database.writing() as connection:
            held = algorithms.locked(connection, {number}).get(number)
            if held is None:
                raise BadRequest(f"there is no algorithm {number}")
            if held.status == UNDER_TEST:
                test = abtests.running(connection, held.endpoint)
                raise EntryConflict(f"{held.label} is in the running test {test}; stop it first (/stop_ab_test/{test})")
            made = algorithms.activate(connection, number, status, by)
        return self.entries.one("mlalgorithmstatuses", made)

    def reason(self) -> str | None:
        """Why not everything can be answered: the database, or algorithms that cannot be used; None if all is well."""
        try:
            self.registration.ensure()
            with self.database.reading() as connection:
                algorithms.endpoint_names(connection)
        except ServerError as error:
            return error.detail
        return "; ".join(_defects(self.registration.all())) or None

    def add_algorithm(
        self,
        *,
        endpoint_name: str,
        algorithm_object: Any,
        algorithm_name: str,
        algorithm_type: str,
        algorithm_status: str = "testing",
        algorithm_version: str = "1",
        owner: str = "",
        algorithm_description: str = "",
        algorithm_code: str = "",
    ) -> None:
        """Let an object answer: it has `compute_prediction(input_data)`, which takes and answers a dict with 'label'.

        Called in wsgi.py; starting again adds nothing twice.

        Raises:
            ConfigError: an argument that cannot be, or an algorithm that there is already.
        """
        given = {
            "name": algorithm_name,
            "version": algorithm_version,
            "type": algorithm_type,
            "status": algorithm_status,
            "owner": owner,
            "description": algorithm_description,
            "code": algorithm_code,
        }
        algorithm = algorithm_of(endpoint_name, given)
        if not callable(getattr(algorithm_object, "compute_prediction", None)):
            raise ConfigError(f"{algorithm_name}: algorithm_object has no method compute_prediction(input_data)")
        self.registration.declare(Declared(endpoint_name, owner, algorithm, OwnObject(algorithm_object)))

    def load_models(self) -> None:
        """Load the models that the registry has for itself, and tell in the log which cannot be used."""
        for defect in self.own_defects():
            logger.error("%s", defect)

    def own_defects(self) -> list[str]:
        """The algorithms that cannot answer, but for those whose endpoint tells it itself."""
        return _defects(one for one in self.registration.all() if not one.model.has_versions)

    def start(self) -> None:
        """Begin to remove old requests, if they are to be; once in each process."""
        self.retention.start()

    def _declare(self, endpoints: Mapping[str, Endpoint], versions: EndpointVersions) -> None:
        limits = self.config.server.limits
        for name, section in self.entry.kwargs.endpoints.items():
            self.registration.declare_endpoint(name, section.owner)
            for given in section.algorithms:
                model: FileModel | EndpointModel
                if given.endpoint is not None:
                    model = EndpointModel(endpoints[given.endpoint], given.type, versions)
                else:
                    model = FileModel(
                        given.model_path, given.type, limits, self.config.server.row_path, trust_of(self.config)
                    )
                self.registration.declare(Declared(name, section.owner, given, model))

    def _computed(
        self, endpoint: str, one: Candidate, input_data: dict[str, Any], hides: bool
    ) -> tuple[dict[str, Any], str, bool]:
        """The answer, or a sentence that says why there is none; the same as JSON; and whether it is the latter."""
        declared = self.registration.of(endpoint, one.name, one.version)
        try:
            if declared is None:
                raise AlgorithmFailed(GONE)
            answer = {"status": "OK", **declared.model.answer(one.run, input_data)}
            return answer, plain_json(answer), False
        except ServerError as error:
            failure = _failure(error.detail)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody's code, which must not end the server
            where = "".join(traceback.format_tb(error.__traceback__) if hides else traceback.format_exception(error))
            logger.error("%s of %s failed: %s\n%s", one.label, endpoint, type(error).__name__, where)
            failure = _failure(f"{one.label} failed: {type(error).__name__}: {error}")
        return failure, plain_json(failure), True


def _defects(declared: Iterable[Declared]) -> list[str]:
    """Those that cannot answer, each with the reason."""
    found = ((one, one.model.glance(None)) for one in declared)
    return [f"{one.endpoint}: {one.label} cannot be used: {reason}" for one, reason in found if reason is not None]


def _kept(value: Any) -> str:
    """What a client sent as a JSON text.

    Raises:
        BadRequest: it is nested deeper than can be written.
    """
    try:
        return plain_json(value)
    except TypeError as error:
        raise BadRequest(f"this cannot be kept: {error}") from error


def _failure(message: str) -> dict[str, Any]:
    # An exception's text may hold what is no Unicode.
    return {"status": "Error", "message": message.encode("utf-8", "replace").decode()}
