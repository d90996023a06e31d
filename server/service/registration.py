"""The algorithms that this process knows, and their entries in the registry: made once, whoever begins."""

import os
import threading
from dataclasses import dataclass

from server.config import Algorithm
from server.errors import ConfigError
from server.service.algorithms import Model
from server.storage.registry.algorithms import (
    Candidate,
    Entry,
    ensure_algorithm,
    ensure_endpoint,
    known_runs,
    label_of,
    set_run,
    versions,
)
from server.storage.registry.connection import Connection, RegistryDatabase

GONE = "it is in the registry, and neither in the configuration nor added in wsgi.py any more"


@dataclass(frozen=True)
class Declared:
    """An algorithm of the configuration, or added by code, and what answers for it."""

    endpoint: str
    owner: str
    algorithm: Algorithm
    model: Model

    @property
    def label(self) -> str:
        """What people call it."""
        return label_of(self.algorithm.name, self.algorithm.version)

    def entry(self, version: str | None = None) -> Entry:
        """What the registry tells of it, or of a later version."""
        given = self.algorithm
        return Entry(
            given.name, version or given.version, given.type, given.description, given.code, given.owner or self.owner
        )


class Registration:
    """The declared algorithms; safe to call from many threads, and after a fork."""

    def __init__(self, database: RegistryDatabase) -> None:
        self._database = database
        self._declared: dict[tuple[str, str, str], Declared] = {}
        self._endpoints: dict[str, str] = {}
        self._registering = threading.Lock()
        # What this process has found or made in the database: a fork begins anew.
        self._done = (0, 0, 0)
        self._runs: set[tuple[str, str, str]] = set()

    def declare_endpoint(self, name: str, owner: str) -> None:
        """Let there be an endpoint, also without algorithms."""
        self._endpoints.setdefault(name, owner)

    def declare(self, declared: Declared) -> None:
        """Add an algorithm.

        Raises:
            ConfigError: there is one of this name and version.
        """
        given = declared.algorithm
        key = (declared.endpoint, given.name, given.version)
        alike = [
            other for other in self._declared.values() if other.endpoint == key[0] and other.algorithm.name == key[1]
        ]
        if key in self._declared or any(other.model.has_versions for other in alike):
            raise ConfigError(f"{declared.endpoint} has an algorithm {declared.label} already; give it another version")
        self.declare_endpoint(declared.endpoint, declared.owner)
        self._declared[key] = declared

    @property
    def endpoints(self) -> list[str]:
        """The names of the declared endpoints."""
        return list(self._endpoints)

    def all(self) -> list[Declared]:
        """All of them, oldest first."""
        return list(self._declared.values())

    def of(self, endpoint: str, name: str, version: str) -> Declared | None:
        """The declared algorithm of an entry; of a later version that of the first one."""
        found = self._declared.get((endpoint, name, version))
        if found is not None:
            return found
        alike = (one for one in self._declared.values() if one.endpoint == endpoint and one.algorithm.name == name)
        return next((one for one in alike if one.model.has_versions), None)

    def problem(self, endpoint: str, candidate: Candidate) -> str | None:
        """Why an algorithm of the registry cannot answer here; None if it can."""
        declared = self.of(endpoint, candidate.name, candidate.version)
        return GONE if declared is None else declared.model.problem(candidate.run)

    def ensure(self, endpoint: str | None = None) -> None:
        """Let the registry hold all that is declared, and the trainings of the endpoint's models, or of all."""
        if self._done != self._state():
            with self._registering:
                self._register_all()
        for declared in self.all():
            if declared.model.has_versions and endpoint in (None, declared.endpoint):
                run = declared.model.current_run()
                if run is not None and (declared.endpoint, declared.algorithm.name, run) not in self._runs:
                    self._register_run(declared, run)

    def _register_all(self) -> None:
        state = self._state()
        if self._done == state:
            return
        count = state[-1]
        self._runs.clear()
        with self._database.alone("registration"), self._database.writing() as connection:
            numbers = {name: ensure_endpoint(connection, name, owner) for name, owner in self._endpoints.items()}
            for declared in self.all()[:count]:
                ensure_algorithm(connection, numbers[declared.endpoint], declared.entry(), declared.algorithm.status)
        self._done = state

    def _state(self) -> tuple[int, int, int]:
        """What has to be registered anew when it changes: a process, a database, what is declared."""
        return os.getpid(), self._database.opening(), len(self._declared)

    def _register_run(self, declared: Declared, run: str) -> None:
        """Let the registry hold this training, and those before it that nobody has looked for."""
        name = declared.algorithm.name
        with self._database.reading() as connection:
            known = known_runs(connection, declared.endpoint, name)
        if run not in known:
            # Asked before the transaction: others would wait for the store of runs.
            trainings = declared.model.trainings(run, known)
            with self._database.alone("registration"), self._database.writing() as connection:
                endpoint = ensure_endpoint(connection, declared.endpoint, declared.owner)
                for training in trainings:
                    _add_version(connection, endpoint, declared, training)
        self._runs.add((declared.endpoint, name, run))


def _add_version(connection: Connection, endpoint: int, declared: Declared, run: str) -> None:
    """The first training is that of the configured version; later ones get versions of their own."""
    version = declared.algorithm.version
    known = versions(connection, endpoint, declared.algorithm.name)
    if any(one.run == run for one in known):
        return
    first = next((one for one in known if one.version == version), None)
    if first is not None and first.run is None:
        set_run(connection, first.id, run)
        return
    taken = {one.version for one in known}
    free = (f"{version}+{count}" for count in range(1, len(known) + 2))
    new = next(name for name in free if name not in taken)
    ensure_algorithm(connection, endpoint, declared.entry(new), "testing", run)
