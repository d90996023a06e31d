"""Thousands of requests made of the description, to the registry and the server itself."""

from collections import Counter

import pytest

from tests.web.fuzzing import GROUPS, Fuzzing, Server, positive_data_acceptance

pytestmark = pytest.mark.slow
# Of one operation and one mode; what all of them make is asserted below.
COUNTS = {"registry": 240, "server": 120, "doors": 120}
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


def fuzz(server, group, count):
    """What so many cases of each operation find, systematic ones and some about things that exist among them."""
    fuzzing = Fuzzing(server, excluded)
    for operation in server.operations(*GROUPS[group]):
        fuzzing.systematic(operation)
        fuzzing.random(operation, count)
        there = {name: value for name, value in server.there.items() if f"{{{name}}}" in operation.path}
        if there:
            fuzzing.random(operation, count // 3, path_parameters=there)
    assert not fuzzing.found, fuzzing.told()
    assert not any(status >= 500 for status in fuzzing.statuses), fuzzing.told()
    return fuzzing


def test_requests_are_made_of_all_that_is_described_and_once(server):
    described = {found.ok().label for found in server.schema.get_all_operations()}
    assert described == {
        f"{method.upper()} {path}"
        for path, methods in server.schema.raw_schema["paths"].items()
        for method in methods.keys() - {"parameters"}
    }
    sent = Counter(operation.label for places in GROUPS.values() for operation in server.operations(*places))
    assert sent == dict.fromkeys(described, 1)
    # The other half is sent to by the other test.
    assert GROUPS.keys() == {"models", "documents", *COUNTS}


def test_no_request_gets_an_answer_that_is_not_described(server):
    found = {group: fuzz(server, group, count) for group, count in COUNTS.items()}
    told = "\n\n".join(fuzzing.told() for fuzzing in found.values())
    assert sum(fuzzing.cases for fuzzing in found.values()) >= LEAST, told
    assert sum(fuzzing.statuses[200] for fuzzing in found.values()) > LEAST / 10, told
    assert all(fuzzing.statuses[200] > 20 for fuzzing in found.values()), told
