"""Random requests that schemathesis makes of the server's own description, sent to it in this process."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.drivers import CoverageGenerator
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.generation.overrides import Override
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from server.app import create_app
from server.config import load_config
from tests.conftest import ROOT, TITANIC_MODEL, BriefRunner, wait_until_ready, write_config
from tests.registering import ask, begin, registry, write_models
from tests.waiting import until
from tests.web.classifying import begun, classifier_entry, write_documents

MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
# A case must not depend on what another run of the tests has found.
REPEATABLE = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
REVIEWS = {"class": "MultinomialNB", "text_col": "text", "target_col": "label"}
Excluded = Callable[[str], list[Any]]
# All paths that are described: each is in one group by its beginning, and each group is sent to by one of the tests.
GROUPS = {
    "models": ("/titanic", "/petals", "/reviews"),
    "documents": ("/custom_classifier",),
    "registry": ("/api/v1",),
    "server": ("/", "/healthz", "/readyz", "/runs", "/openapi.json", "/docs"),
    "doors": ("/v2", "/invocations", "/ping", "/health", "/version", "/metrics"),
}

# Tables as raw bodies; schemathesis knows how to write JSON and forms only.
TABLES = (
    "text/csv", "text/tab-separated-values", "application/jsonl", "application/vnd.ms-excel",
    "application/vnd.apache.parquet", "application/vnd.apache.arrow.file",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)  # fmt: skip


@schemathesis.serializer(*TABLES)
def octets(_: Any, value: Any) -> Any:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def entries(folder: Path) -> dict[str, Any]:
    """One endpoint of each kind, with so few rows that a training takes no time."""
    data = folder / "few"
    data.mkdir()
    pd.read_csv(ROOT / "data" / "titanic.csv").head(40).to_csv(data / "titanic.csv", index=False)
    pd.read_csv(ROOT / "data" / "iris.csv").iloc[::6, :4].to_csv(data / "petals.csv", index=False)
    pd.read_csv(ROOT / "data" / "reviews.csv").head(30).to_csv(data / "reviews.csv", index=False)

    def ml(name: str, model: dict[str, Any], handler: str = "MLHandler", **more: Any) -> dict[str, Any]:
        kwargs = {"data": f"few/{name}.csv", "model": model} | more
        return {"pattern": f"/{name}", "handler": handler, "kwargs": kwargs}

    return {
        "titanic": ml("titanic", TITANIC_MODEL),
        "petals": ml("petals", {"class": "Ridge", "target_col": "petal_width"}),
        "reviews": ml("reviews", REVIEWS, "TextHandler", labels={0: "Negative", 1: "Positive"}),
        "documents": classifier_entry(),
        "api": registry(),
    }


class Server:
    """A server in which everything that can be asked for exists, and the state to which it can be put back."""

    def __init__(self, folder: Path) -> None:
        write_models(folder)
        write_documents(folder, per_label=10)
        limits = {"body_mb": 1, "rows": 1000, "columns": 100}
        config = write_config(folder, {"url": entries(folder), "server": {"limits": limits}})
        self.app = create_app(load_config(config, {}), BriefRunner())
        self.app.testing = False
        self.client = self.app.test_client()
        wait_until_ready(self.client)
        self._models = folder / "models"
        self._kept = folder / "kept"
        until(lambda: not self._trains())
        begin(self.client)
        ask(self.client, 10)
        self.run = begun(self.client)
        until(lambda: self.client.get(f"/runs/{self.run}").json["status"] == "FINISHED")
        for name in self._endpoints():
            shutil.copytree(self._models / name, self._kept / name)
        version = self.client.get("/titanic?_params").json["run"]
        # What can stand in a path.
        self.there = {
            "number": 1, "endpoint_name": "iris", "run_id": self.run, "name": "titanic", "version": version,
        }  # fmt: skip
        # By default schemathesis leaves out where it read the description.
        self.schema = schemathesis.openapi.from_wsgi("/openapi.json", self.app).include(path_regex="")
        self._described = self._etag()

    def restore(self) -> None:
        """Put the endpoints back if a request has changed what is described of them."""
        until(lambda: not self._trains())
        if self._etag() != self._described:
            for name in self._endpoints():
                shutil.rmtree(self._models / name)
                shutil.copytree(self._kept / name, self._models / name)

    def row(self, name: str) -> dict[str, str]:
        """The row that the description gives as an example, as a query."""
        example = self.schema.raw_schema["components"]["schemas"][f"{name}.Row"]["examples"][0]
        return {column: str(cell) for column, cell in example.items()}

    def operations(self, *places: str) -> Iterator[Any]:
        """The described operations at these paths and below them; "/" is the index only."""
        for found in self.schema.get_all_operations():
            operation = found.ok()
            if any(operation.path == place or operation.path.startswith(f"{place}/") for place in places):
                yield operation

    def _etag(self) -> str | None:
        return self.client.get("/openapi.json").headers["ETag"]

    def _trains(self) -> bool:
        return any(one.progress() for one in self._endpoints().values())

    def _endpoints(self) -> dict[str, Any]:
        return self.app.extensions["restimator"].endpoints


class Fuzzing:
    """Counts the cases that were sent, and gathers what they found."""

    def __init__(self, server: Server, excluded: Excluded) -> None:
        self._server = server
        self._excluded = excluded
        self.cases = 0
        self.statuses: Counter[int] = Counter()
        self.found: dict[str, str] = {}

    def send(self, case: Any) -> None:
        """Send one case, and run all checks on its answer but for those that cannot hold for its operation."""
        response = case.call()
        self.cases += 1
        self.statuses[response.status_code] += 1
        label = case.operation.label
        try:
            case.validate_response(response, excluded_checks=self._excluded(label))
        except FailureGroup as group:
            for failure in group.exceptions:
                self.found.setdefault(f"{label}: {failure.title}", f"{failure}\n{case.as_curl_command()}")
        if response.status_code < 300 and label.partition(" ")[0] != "GET":
            self._server.restore()

    def systematic(self, operation: Any) -> None:
        """Each value at the edge of what is described, and each thing left out; other methods, too."""
        cases = CoverageGenerator(
            operation=operation,
            generation_modes=list(MODES),
            generation_config=operation.schema.config.generation_for(operation=operation, phase="coverage"),
            auth_storage=None,
            override=Override(),
            feedback=NO_FEEDBACK,
        )
        for case in cases:
            self.send(case)

    def random(self, operation: Any, count: int, modes: Iterable[GenerationMode] = MODES, **fixed: Any) -> None:
        """So many random cases of each mode at most; `fixed` is what all of them have."""
        for mode in modes:
            strategy = operation.as_strategy(generation_mode=mode, **fixed)

            @given(case=strategy)
            @settings(REPEATABLE, max_examples=count)
            def send(case: Any) -> None:
                self.send(case)

            try:
                send()
            except Unsatisfiable:
                # Nothing that it takes can be wrong.
                assert mode is GenerationMode.NEGATIVE

    def told(self) -> str:
        """What was found, and how often each status came."""
        return "\n\n".join([f"{self.cases} cases, {dict(self.statuses)}", *self.found.values()])


__all__ = ["Fuzzing", "Server", "negative_data_rejection", "positive_data_acceptance"]
