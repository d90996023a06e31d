"""A classifier of documents, and what its clients do."""

from pathlib import Path
from typing import Any

from tests.documents.library import write_library
from tests.waiting import until

URL = "/custom_classifier"
LABELS = ["business", "space", "sport"]
PAYLOAD = {"labels": LABELS, "path": "dataset1", "experiment_name": "Custom_Classifier10"}
NOTHING = {"number_documents_treated": 0, "number_documents_non_treated": 0, "list_id_not_treated": []}
SPACE = "The spacecraft entered orbit around the planet, and the astronauts saw the rocket engine."


def classifier_entry(**kwargs: Any) -> dict[str, Any]:
    """A ClassifierHandler of TF-IDF and LogisticRegression, with kwargs changed."""
    values = {"documents": "$YAMLPATH/documents", "model": {"class": "LogisticRegression"}} | kwargs
    return {"pattern": URL, "handler": "ClassifierHandler", "kwargs": values}


def write_documents(folder: Path, per_label: int = 14) -> Path:
    """The folder that PAYLOAD names, in the formats in turn, and one document that nobody can read."""
    write_library(folder / "documents" / "dataset1", LABELS, per_label)
    (folder / "documents" / "dataset1" / "sport" / "broken.pdf").write_bytes(b"no pdf at all")
    return folder / "documents" / "dataset1"


def post(client: Any, route: str, body: Any) -> Any:
    """POST the JSON body."""
    return client.post(f"{URL}/{route}", json=body)


def begun(client: Any, **changes: Any) -> str:
    """The run of a training that is begun now."""
    answer = post(client, "process", PAYLOAD | changes)
    assert answer.status_code == 200, answer.text
    return answer.json["data"]["info"]["run_id"]


def finished(client: Any, name: str = PAYLOAD["experiment_name"]) -> list[dict[str, Any]]:
    """The last runs of the experiment, once they have ended."""
    runs: list[dict[str, Any]] = []

    def have_ended() -> bool:
        runs[:] = post(client, "job_status", {"experiment_name": name}).json
        return all(run["status"] in ("FINISHED", "FAILED", "KILLED") for run in runs)

    until(have_ended, told=lambda: runs)
    return runs


def assert_refused(answer: Any, status: int, *words: str) -> None:
    """The seed's envelope with this code, whose error holds the words."""
    assert answer.status_code == status, answer.text
    assert answer.json["status"]["code"] == status
    for word in words:
        assert word in answer.json["error"], answer.text
    assert answer.json["data"] == {}
    assert {name: answer.json[name] for name in NOTHING} == NOTHING
