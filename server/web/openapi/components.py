"""Schemas that many operations share."""

from collections.abc import Mapping
from typing import Any

from server.service.runs import STATUSES
from server.web.openapi.operation import TEXT, Schema, list_of, nullable, one_of, record, reference

ANYTHING: Schema = {}
OBJECT: Schema = {"type": "object"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MAYBE_MOMENT = nullable("string", format="date-time")
MAYBE_TEXT, MAYBE_NUMBER, MAYBE_WHOLE = nullable("string"), nullable("number"), nullable("integer")

PROBLEM_SCHEMA = record(
    {
        "type": TEXT,
        "title": TEXT,
        "status": WHOLE,
        "detail": {"type": "string", "description": "What is wrong, and what would be right"},
        "errors": list_of(record({"pointer": TEXT, "detail": TEXT})),
    }
)
RUN = record(
    {
        "run_id": TEXT,
        "name": MAYBE_TEXT,
        "endpoint": TEXT,
        "experiment_id": TEXT,
        "status": one_of(STATUSES),
        "serving": {"type": "boolean", "description": "Whether this run's model answers now"},
        "start_time": MAYBE_MOMENT,
        "end_time": MAYBE_MOMENT,
        "duration": {**MAYBE_NUMBER, "description": "Seconds"},
        "progress": nullable("object"),
        "class": MAYBE_TEXT,
        "params": OBJECT,
        "options": OBJECT,
        "data": OBJECT,
        "metrics": {"type": "object", "additionalProperties": MAYBE_NUMBER},
        "error": {**MAYBE_TEXT, "description": "Why it failed"},
        "user": MAYBE_TEXT,
        "versions": nullable("object"),
        "artifact_uri": MAYBE_TEXT,
    }
)
RUN_LIST = record(
    {"runs": list_of(reference("Run")), "next": {**MAYBE_TEXT, "description": "The address of those that follow"}}
)
MODEL = record({"params": OBJECT, "model": {**MAYBE_TEXT, "description": "The class as it will next be trained"}})
PARAMETERS = record(
    {
        "opts": OBJECT,
        "params": record({"class": MAYBE_TEXT, "params": OBJECT}),
        "attrs": {"type": "object", "description": "What the serving model learned"},
        "stale": FLAG,
        "run": MAYBE_TEXT,
        "row_path": nullable("object"),
        "training": nullable("object"),
    }
)
DELETED = record({"deleted": list_of(one_of(("model", "cache", "opts")))})
APPENDED = record({"rows": WHOLE, "appended": WHOLE})
ENTITY = record({"start": WHOLE, "end": WHOLE, "label": TEXT})
COMPONENTS: Mapping[str, Any] = {
    "Problem": PROBLEM_SCHEMA,
    "Run": RUN,
    "RunList": RUN_LIST,
    "Model": MODEL,
    "Parameters": PARAMETERS,
    "Deleted": DELETED,
    "Appended": APPENDED,
    "Entity": ENTITY,
}
