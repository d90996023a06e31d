"""Thousands of requests made of the description, to the endpoints of models, and of documents."""

import pytest
from schemathesis import GenerationMode

from server.web.mlhandler import ACTIONS
from tests.web.fuzzing import GROUPS, Fuzzing, Server, negative_data_rejection, positive_data_acceptance

# schemathesis leaves the files that ?_download answers with to the garbage collector.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
# Of one operation and one mode; what all of them make is asserted below.
ANSWERED, CHANGED, DEEP, DOCUMENTS = 200, 110, 50, 250
LEAST = 10_100


def excluded(label):
    """Checks that contradict what the doors promise."""
    method, path = label.split(" ")
    if path.startswith("/custom_classifier"):
        # The folder and the labels must exist.
        return [positive_data_acceptance] if path.endswith("/process") else []
    # One address has many uses, told by the query: which columns and options may stand beside which, JSON Schema cannot
    # say of a query. So not all that is described may be sent at once.
    left_out = [positive_data_acceptance]
    if method in ("GET", "POST"):
        # ?_params and the other views do not look at columns, so that whatever stands in these is no error; and a cell
        # is read alike by every door, so that as a number "22" and true are taken in JSON, too.
        left_out.append(negative_data_rejection)
    return left_out


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("fuzzed"))
    yield server
    server.app.registry.database.close()


def test_no_request_gets_an_answer_that_is_not_described(server):
    fuzzing = Fuzzing(server, excluded)
    for operation in server.operations(*GROUPS["models"]):
        fuzzing.systematic(operation)
        fuzzing.random(operation, ANSWERED if operation.method in ("get", "post") else CHANGED)
        # Most random requests are refused early: these are rows that fit.
        if operation.method == "get":
            fuzzing.random(operation, DEEP, query=server.row(operation.path.removeprefix("/")))
        elif operation.method == "post":
            for action in ACTIONS:
                asked = {"query": {"_action": action}, "media_type": "application/json"}
                fuzzing.random(operation, DEEP, (GenerationMode.POSITIVE,), **asked)
    for operation in server.operations(*GROUPS["documents"]):
        fuzzing.systematic(operation)
        fuzzing.random(operation, DOCUMENTS)
    assert not fuzzing.found, fuzzing.told()
    assert fuzzing.cases >= LEAST, fuzzing.told()
    assert fuzzing.statuses[200] > LEAST / 20, fuzzing.told()
    assert not any(status >= 500 for status in fuzzing.statuses), fuzzing.told()
