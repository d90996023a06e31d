"""The doors that keys open, each with the scopes that it needs, and a server that has all of them."""

import json
from pathlib import Path
from typing import Any

from server.app import create_app
from server.config import SCOPES, hash_of, load_config
from tests.conftest import ROW, BriefRunner, titanic_endpoint, write_config
from tests.registering import registry, write_models
from tests.waiting import until
from tests.web.classifying import PAYLOAD, URL, classifier_entry, write_documents

JSON = {"content_type": "application/json"}
FORM = {"content_type": "application/x-www-form-urlencoded"}
# As gunicorn hands it on: nobody knows how long the body is.
CHUNKED = JSON | {
    "environ_overrides": {
        "CONTENT_LENGTH": "",
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
}
RETRAINING = ("append", "train", "retrain")
# What is asked for by a body that turns out to be blank is the page, which who may only predict does not get.
BLANK = "predict read"
DOORS: list[tuple[str, str, dict[str, Any], str]] = [
    *(("GET", path, {}, "read") for path in ("/", "/runs", "/metrics", "/openapi.json", "/docs")),
    ("GET", "/runs/none", {}, "read"),
    ("DELETE", "/runs/none", {}, "train"),
    *(("GET", f"/titanic{query}", {}, "read") for query in ("", "?", "?&", "?&&", "?_=", "?_=1&_xsrf=1", "?%5f=1&")),
    *(
        ("GET", f"/titanic?{view}", {}, "read")
        for view in ("_params", "_cache", "_model", "_runs", "_picture=roc_curve")
    ),
    ("GET", "/titanic?_download", {}, "admin"),
    ("GET", "/titanic?Age=1&%5Fdownload", {}, "admin"),
    ("GET", "/titanic?Age=1&%5fcache=&x", {}, "read"),
    ("GET", "/titanic", {"query_string": ROW}, "predict"),
    ("GET", "/titanic", {"query_string": ROW | {"_": 1}}, "predict"),
    ("HEAD", "/titanic", {"query_string": ROW}, "predict"),
    ("GET", "/titanic", {"json": ROW}, "predict"),
    ("GET", "/titanic", {"data": json.dumps(ROW)} | CHUNKED, "predict"),
    ("GET", "/titanic", {"data": " "} | JSON, BLANK),
    ("GET", "/titanic?_=1", {"data": "_=1"} | FORM, BLANK),
    ("GET", "/titanic", {"data": ""} | CHUNKED, BLANK),
    ("POST", "/titanic", {"json": [ROW]}, "predict"),
    ("POST", "/titanic?_action=predict", {"json": [ROW]}, "predict"),
    ("POST", "/titanic?_action=score", {}, "predict"),
    *(("POST", f"/titanic?_action={action}", {"json": [ROW]}, "train") for action in RETRAINING),
    *(("POST", "/titanic", {"data": {"_action": action}}, "train") for action in RETRAINING),
    ("PUT", "/titanic?_model&C=-1", {}, "train"),
    ("PUT", "/titanic?_action=retrain", {}, "train"),
    ("PUT", "/titanic?run=none", {}, "train"),
    ("DELETE", "/titanic?_nothing", {}, "admin"),
    ("GET", "/texts", {}, "read"),
    ("GET", "/texts?_params", {}, "read"),
    ("GET", "/texts?query=good", {}, "predict"),
    ("POST", "/texts", {"json": {"query": "good"}}, "predict"),
    ("POST", "/texts?_action=train", {"json": []}, "train"),
    ("PUT", "/texts?_action=train", {}, "train"),
    ("DELETE", "/texts?_nothing", {}, "admin"),
    ("GET", "/custom_classifier", {}, "read"),
    ("GET", "/custom_classifier/all_experiments/last_run", {}, "read"),
    ("GET", "/custom_classifier/runid/status", {}, "read"),
    ("POST", "/custom_classifier/job_status", {"json": {}}, "read"),
    ("POST", "/custom_classifier/predict", {"json": {}}, "predict"),
    ("POST", "/custom_classifier/process", {"json": {}}, "train"),
    ("POST", "/custom_classifier/experiment/soft_delete", {"json": {}}, "admin"),
    ("POST", "/custom_classifier/experiment/hard_delete", {"json": {}}, "admin"),
    ("POST", "/custom_classifier/run/soft_delete", {"json": {}}, "admin"),
    ("GET", "/api/v1", {}, "read"),
    *(
        ("GET", f"/api/v1/{name}{number}", {}, "read")
        for name in ("endpoints", "mlalgorithms", "mlalgorithmstatuses", "mlrequests", "abtests")
        for number in ("", "/1")
    ),
    ("POST", "/api/v1/iris/predict", {"json": {}}, "predict"),
    ("PUT", "/api/v1/mlrequests/1", {"json": {"feedback": 1}}, "predict"),
    ("PATCH", "/api/v1/mlrequests/1", {"json": {"feedback": 1}}, "predict"),
    ("POST", "/api/v1/mlalgorithmstatuses", {"json": {}}, "admin"),
    ("POST", "/api/v1/abtests", {"json": {}}, "admin"),
    ("POST", "/api/v1/stop_ab_test/1", {"json": {}}, "admin"),
    *(("GET", path, {}, "read") for path in ("/v2", "/version", "/v2/models/titanic", "/v2/models/titanic/ready")),
    ("GET", "/v2/models/titanic/versions/none", {}, "read"),
    ("GET", "/v2/models/titanic/versions/none/ready", {}, "read"),
    ("POST", "/v2/models/titanic/infer", {"json": {}}, "predict"),
    ("POST", "/v2/models/titanic/versions/none/infer", {"json": {}}, "predict"),
    ("POST", "/invocations", {"json": {"instances": [ROW]}}, "predict"),
]
PLACES = {"/titanic": "titanic", "/texts": "texts", "/custom_classifier": "documents", "/api/v1": "registry"}
# The only MLHandler endpoint answers MLflow's clients.
DOORS_OF = PLACES | {"/v2/models/titanic": "titanic", "/invocations": "titanic"}


def key(name: str, scopes: Any, endpoints: Any = ()) -> dict[str, Any]:
    """A key as the configuration has it; who holds it sends its name and 's."""
    return {"name": name, "hash": hash_of(f"{name}'s"), "scopes": list(scopes), "endpoints": list(endpoints)}


KEYS = [
    *(key(scope, [scope]) for scope in SCOPES),
    key("all", SCOPES),
    *(key(f"at {name}", SCOPES, [name]) for name in PLACES.values()),
    key("at two", SCOPES, ["titanic", "documents"]),
]


def ask(
    client: Any, method: str, path: str, holder: str | None = None, headers: dict[str, str] | None = None, **sent: Any
) -> Any:
    """The answer to the request with the holder's key."""
    given = {"X-API-Key": f"{holder}'s"} if holder else {}
    return client.open(path, method=method, headers=given | (headers or {}), buffered=True, **sent)


def guarded_server(folder: Path) -> Any:
    """A client of a titanic endpoint, one of texts without a model, a classifier and a registry, opened by keys.

    The titanic endpoint and the classifier have been trained.
    """
    texts = {"pattern": "/texts", "handler": "TextHandler", "kwargs": {"model": {"class": "MultinomialNB"}}}
    url = {"titanic": titanic_endpoint(), "texts": texts, "documents": classifier_entry(), "registry": registry()}
    write_models(folder)
    write_documents(folder)
    app = create_app(load_config(write_config(folder, {"server": {"keys": KEYS}, "url": url}), {}), BriefRunner())
    client = app.test_client()
    assert ask(client, "POST", f"{URL}/process", "all", json=PAYLOAD).status_code == 200
    until(lambda: {run["status"] for run in ask(client, "GET", "/runs", "all").json["runs"]} == {"FINISHED"})
    until(lambda: ask(client, "GET", "/titanic", "all", query_string=ROW).status_code == 200)
    return client
