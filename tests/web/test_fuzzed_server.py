"""Thousands of requests made of the description, to the registry and the server itself."""

import pytest

from tests.web.fuzzing import Fuzzing, Server, positive_data_acceptance

pytestmark = pytest.mark.slow
# Of one operation and one mode; what all of them make is asserted below.
REGISTRY, OWN = 240, 120
LEAST = 10_000
# What the body or the query names must exist, or must fit what stands beside it, which JSON Schema cannot say.
NAMES_WHAT_EXISTS = (
    "GET /api/v1/mlrequests", "PUT /api/v1/mlrequests/{number}", "PATCH /api/v1/mlrequests/{number}",
    "POST /api/v1/mlalgorithmstatuses", "POST /api/v1/abtests", "POST /api/v1/stop_ab_test/{number}",
    "POST /api/v1/{endpoint_name}/predict",
    # Here an endpoint is told by its number or its name, and more digits than a number has are neither.
    "GET /api/v1/mlalgorithms", "GET /api/v1/mlalgorithmstatuses", "GET /api/v1/abtests",
)  # fmt: skip


def excluded(label):
    """Checks that contradict what the doors promise."""
    # Tensors have the shape that they tell, and rows the columns that the model knows.
    if label in NAMES_WHAT_EXISTS or label.startswith(("POST /v2", "POST /invocations")):
        return [positive_data_acceptance]
    return []


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("fuzzed"))
    yield server
    server.app.registry.database.close()


def fuzz(server, count, *labels):
    """What so many cases of each operation find, systematic ones and some about things that exist among them."""
    fuzzing = Fuzzing(server, excluded)
    for operation in server.operations(*labels):
        fuzzing.systematic(operation)
        fuzzing.random(operation, count)
        if "{number}" in operation.label:
            fuzzing.random(operation, count // 3, path_parameters={"number": 1})
        if "{run_id}" in operation.label:
            fuzzing.random(operation, count // 3, path_parameters={"run_id": server.run})
    assert not fuzzing.found, fuzzing.told()
    assert not any(status >= 500 for status in fuzzing.statuses), fuzzing.told()
    return fuzzing.cases


def test_no_request_gets_an_answer_that_is_not_described(server):
    others = [f"{verb} {path}" for verb in ("GET", "DELETE") for path in ("/runs", "/healthz", "/readyz", "/docs")]
    cases = fuzz(server, REGISTRY, *(f"{verb} /api" for verb in ("GET", "POST", "PUT", "PATCH")))
    cases += fuzz(server, OWN, "GET /", *others)
    doors = ("/v2", "/invocations", "/ping", "/health", "/version", "/metrics")
    cases += fuzz(server, OWN, *(f"{verb} {path}" for verb in ("GET", "POST") for path in doors))
    assert cases >= LEAST
